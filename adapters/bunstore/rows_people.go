package bunstore

import (
	"encoding/json"

	"github.com/uptrace/bun"

	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// encodeMap writes a map of strings as JSON; an empty one as "".
func encodeMap(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	out, _ := json.Marshal(m) // strings always encode
	return string(out)
}

func decodeMap(s string) map[string]string {
	if s == "" {
		return nil
	}
	var m map[string]string
	_ = json.Unmarshal([]byte(s), &m) // written by encodeMap
	return m
}

// encodeEvidence writes evidence as JSON, with times as they are kept.
func encodeEvidence(all []store.Evidence) string {
	if len(all) == 0 {
		return ""
	}
	cut := make([]store.Evidence, len(all))
	for i, e := range all {
		e.At = kept(e.At)
		cut[i] = e
	}
	out, _ := json.Marshal(cut) // strings, numbers and times always encode
	return string(out)
}

func decodeEvidence(s string) []store.Evidence {
	if s == "" {
		return nil
	}
	var all []store.Evidence
	_ = json.Unmarshal([]byte(s), &all) // written by encodeEvidence
	for i := range all {
		all[i].At = all[i].At.UTC()
	}
	return all
}

var userColumns = columns{
	{"id", text}, {"tenant", text}, {"status", text}, {"first_name", text}, {"last_name", text}, {"locale", text},
	{"metadata", text}, {"two_factor", boolean}, {"created_at", bigint}, {"last_sign_in", bigint},
	{"invited_by", text}, {"reset_at", bigint}, {"tentative", boolean},
}

type userRow struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID         string `bun:",pk"`
	Tenant     string
	Status     string
	FirstName  string
	LastName   string
	Locale     string
	Metadata   string
	TwoFactor  bool
	CreatedAt  int64
	LastSignIn int64
	InvitedBy  string
	ResetAt    int64
	Tentative  bool
}

func fromUser(u user.User) *userRow {
	return &userRow{
		ID: u.ID, Tenant: u.Tenant, Status: string(u.Status), FirstName: u.FirstName, LastName: u.LastName,
		Locale: u.Locale, Metadata: encodeMap(u.Metadata), TwoFactor: u.TwoFactor,
		CreatedAt: micros(u.CreatedAt), LastSignIn: micros(u.LastSignIn),
		InvitedBy: u.InvitedBy, ResetAt: micros(u.ResetAt), Tentative: u.Tentative,
	}
}

func (r *userRow) domain() user.User {
	return user.User{
		ID: r.ID, Tenant: r.Tenant, Status: user.Status(r.Status), FirstName: r.FirstName, LastName: r.LastName,
		Locale: r.Locale, Metadata: decodeMap(r.Metadata), TwoFactor: r.TwoFactor,
		CreatedAt: moment(r.CreatedAt), LastSignIn: moment(r.LastSignIn),
		InvitedBy: r.InvitedBy, ResetAt: moment(r.ResetAt), Tentative: r.Tentative,
	}
}

func (r *userRow) args() []any {
	return []any{
		r.ID, r.Tenant, r.Status, r.FirstName, r.LastName, r.Locale, r.Metadata, r.TwoFactor,
		r.CreatedAt, r.LastSignIn, r.InvitedBy, r.ResetAt, r.Tentative,
	}
}

func (r *userRow) dest() []any {
	return []any{
		&r.ID, &r.Tenant, &r.Status, &r.FirstName, &r.LastName, &r.Locale, &r.Metadata, &r.TwoFactor,
		&r.CreatedAt, &r.LastSignIn, &r.InvitedBy, &r.ResetAt, &r.Tentative,
	}
}

var deviceColumns = columns{
	{"id", text}, {"tenant", text}, {"user_id", text}, {"channel", text}, {"name", text}, {"address", text},
	{"ref", text}, {"backup", boolean}, {"credential", blob}, {"version", bigint}, {"status", text},
	{"created_at", bigint}, {"last_used_at", bigint},
}

type deviceRow struct {
	bun.BaseModel `bun:"table:devices,alias:d"`

	ID         string `bun:",pk"`
	Tenant     string
	UserID     string
	Channel    string
	Name       string
	Address    string
	Ref        string
	Backup     bool
	Credential []byte
	Version    int
	Status     string
	CreatedAt  int64
	LastUsedAt int64
}

func fromDevice(d store.Device) *deviceRow {
	return &deviceRow{
		ID: d.ID, Tenant: d.Tenant, UserID: d.User, Channel: d.Channel, Name: d.Name, Address: d.Address,
		Ref: d.Ref, Backup: d.Backup, Credential: d.Credential, Version: d.Version, Status: string(d.Status),
		CreatedAt: micros(d.CreatedAt), LastUsedAt: micros(d.LastUsedAt),
	}
}

func (r *deviceRow) domain() store.Device {
	return store.Device{
		ID: r.ID, Tenant: r.Tenant, User: r.UserID, Channel: r.Channel, Name: r.Name, Address: r.Address,
		Ref: r.Ref, Backup: r.Backup, Credential: r.Credential, Version: r.Version, Status: device.Status(r.Status),
		CreatedAt: moment(r.CreatedAt), LastUsedAt: moment(r.LastUsedAt),
	}
}

func (r *deviceRow) args() []any {
	return []any{
		r.ID, r.Tenant, r.UserID, r.Channel, r.Name, r.Address, r.Ref, r.Backup,
		r.Credential, r.Version, r.Status, r.CreatedAt, r.LastUsedAt,
	}
}

func (r *deviceRow) dest() []any {
	return []any{
		&r.ID, &r.Tenant, &r.UserID, &r.Channel, &r.Name, &r.Address, &r.Ref, &r.Backup,
		&r.Credential, &r.Version, &r.Status, &r.CreatedAt, &r.LastUsedAt,
	}
}

var sessionColumns = columns{
	{"id", text}, {"tenant", text}, {"user_id", text}, {"evidence", text}, {"client", text}, {"generation", bigint},
	{"rotated_at", bigint}, {"created_at", bigint}, {"expires_at", bigint}, {"revoked_at", bigint}, {"reason", text},
}

type sessionRow struct {
	bun.BaseModel `bun:"table:sessions,alias:s"`

	ID         string `bun:",pk"`
	Tenant     string
	UserID     string
	Evidence   string
	Client     string
	Generation int64
	RotatedAt  int64
	CreatedAt  int64
	ExpiresAt  int64
	RevokedAt  int64
	Reason     string
}

func fromSession(s session.Session) *sessionRow {
	return &sessionRow{
		ID: s.ID, Tenant: s.Tenant, UserID: s.User, Evidence: encodeEvidence(s.Evidence), Client: s.Client,
		Generation: int64(s.Generation), RotatedAt: micros(s.RotatedAt), CreatedAt: micros(s.CreatedAt),
		ExpiresAt: micros(s.ExpiresAt), RevokedAt: micros(s.RevokedAt), Reason: string(s.Reason),
	}
}

func (r *sessionRow) domain() session.Session {
	return session.Session{
		ID: r.ID, Tenant: r.Tenant, User: r.UserID, Evidence: decodeEvidence(r.Evidence), Client: r.Client,
		Generation: uint32(r.Generation), RotatedAt: moment(r.RotatedAt), CreatedAt: moment(r.CreatedAt), //nolint:gosec // was one when it was stored
		ExpiresAt: moment(r.ExpiresAt), RevokedAt: moment(r.RevokedAt), Reason: session.Reason(r.Reason),
	}
}

func (r *sessionRow) args() []any {
	return []any{r.ID, r.Tenant, r.UserID, r.Evidence, r.Client, r.Generation, r.RotatedAt, r.CreatedAt, r.ExpiresAt, r.RevokedAt, r.Reason}
}

func (r *sessionRow) dest() []any {
	return []any{&r.ID, &r.Tenant, &r.UserID, &r.Evidence, &r.Client, &r.Generation, &r.RotatedAt, &r.CreatedAt, &r.ExpiresAt, &r.RevokedAt, &r.Reason}
}

var signInColumns = columns{
	{"id", text}, {"tenant", text}, {"user_id", text}, {"evidence", text}, {"new_user", boolean}, {"client", text},
	{"created_at", bigint}, {"expires_at", bigint}, {"used_at", bigint}, {"step", text}, {"draft", text},
}

type signInRow struct {
	bun.BaseModel `bun:"table:sign_ins,alias:w"`

	ID        string `bun:",pk"`
	Tenant    string
	UserID    string
	Evidence  string
	NewUser   bool
	Client    string
	CreatedAt int64
	ExpiresAt int64
	UsedAt    int64
	Step      string
	Draft     string
}

func fromSignIn(s session.SignIn) *signInRow {
	return &signInRow{
		ID: s.ID, Tenant: s.Tenant, UserID: s.User, Evidence: encodeEvidence(s.Evidence), NewUser: s.NewUser,
		Client: s.Client, CreatedAt: micros(s.CreatedAt), ExpiresAt: micros(s.ExpiresAt), UsedAt: micros(s.UsedAt),
		Step: string(s.Step), Draft: encodeDraft(s.Draft),
	}
}

func (r *signInRow) domain() session.SignIn {
	return session.SignIn{
		ID: r.ID, Tenant: r.Tenant, User: r.UserID, Evidence: decodeEvidence(r.Evidence), NewUser: r.NewUser,
		Client: r.Client, CreatedAt: moment(r.CreatedAt), ExpiresAt: moment(r.ExpiresAt), UsedAt: moment(r.UsedAt),
		Step: session.Step(r.Step), Draft: decodeDraft(r.Draft),
	}
}

func (r *signInRow) args() []any {
	return []any{r.ID, r.Tenant, r.UserID, r.Evidence, r.NewUser, r.Client, r.CreatedAt, r.ExpiresAt, r.UsedAt, r.Step, r.Draft}
}

func (r *signInRow) dest() []any {
	return []any{&r.ID, &r.Tenant, &r.UserID, &r.Evidence, &r.NewUser, &r.Client, &r.CreatedAt, &r.ExpiresAt, &r.UsedAt, &r.Step, &r.Draft}
}

type eventRow struct {
	bun.BaseModel `bun:"table:events,alias:e"`

	Tenant string `bun:",pk"`
	UserID string `bun:",pk"`
	ID     string `bun:",pk"`
	Type   string
	At     int64
	Data   string
}

func fromEvent(e event.Event) eventRow {
	return eventRow{Tenant: e.Tenant, UserID: e.User, ID: e.ID, Type: string(e.Type), At: micros(e.At), Data: encodeMap(e.Data)}
}

func (r eventRow) domain() event.Event {
	return event.Event{ID: r.ID, Tenant: r.Tenant, User: r.UserID, Type: event.Type(r.Type), At: moment(r.At), Data: decodeMap(r.Data)}
}
