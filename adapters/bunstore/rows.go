package bunstore

import (
	"time"

	"github.com/uptrace/bun"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// micros is how a time is stored: microseconds since 1970, 0 for the zero time.
// Integers make one arithmetic of both engines, and of SQL and Go.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is the time that micros stored.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// kept is a time as it comes back from storage.
func kept(t time.Time) time.Time { return moment(micros(t)) }

var challengeColumns = columns{
	{"handle", text}, {"tenant", text}, {"purpose", text}, {"channel", text}, {"status", text},
	{"delivery", text}, {"decoy", boolean}, {"user_id", text}, {"device_id", text}, {"sign_in_id", text},
	{"session_id", text}, {"kind", text}, {"destination", text}, {"shown", text}, {"counter", text},
	{"nonce", blob}, {"key_id", bigint}, {"format", text}, {"prompt", blob}, {"state", blob},
	{"locale", text}, {"client", text}, {"round", bigint}, {"attempts", bigint}, {"allowed", bigint},
	{"sends", bigint}, {"max_sends", bigint}, {"created_at", bigint}, {"expires_at", bigint}, {"resend_at", bigint},
	{"extra", text},
}

type challengeRow struct {
	bun.BaseModel `bun:"table:challenges,alias:c"`

	Handle      string `bun:",pk"`
	Tenant      string
	Purpose     string
	Channel     string
	Status      string
	Delivery    string
	Decoy       bool
	UserID      string
	DeviceID    string
	SignInID    string
	SessionID   string
	Kind        string
	Destination string
	Shown       string
	Counter     string
	Nonce       []byte
	KeyID       int64
	Format      string
	Prompt      []byte
	State       []byte
	Locale      string
	Client      string
	Round       int
	Attempts    int
	Allowed     int
	Sends       int
	MaxSends    int
	CreatedAt   int64
	ExpiresAt   int64
	ResendAt    int64
	Extra       string
}

func fromChallenge(c challenge.Challenge) *challengeRow {
	return &challengeRow{
		Handle: c.Handle, Tenant: c.Tenant, Purpose: string(c.Purpose), Channel: c.Channel,
		Status: string(c.Status), Delivery: string(c.Delivery), Decoy: c.Decoy,
		UserID: c.User, DeviceID: c.Device, SignInID: c.SignIn, SessionID: c.Session,
		Kind: string(c.Kind), Destination: c.Destination, Shown: c.Shown, Counter: c.Counter,
		Nonce: c.Nonce, KeyID: int64(c.KeyID), Format: string(c.Format), Prompt: c.Prompt, State: c.State,
		Locale: c.Locale, Client: c.Client, Round: c.Round, Attempts: c.Attempts, Allowed: c.Allowed,
		Sends: c.Sends, MaxSends: c.MaxSends,
		CreatedAt: micros(c.CreatedAt), ExpiresAt: micros(c.ExpiresAt), ResendAt: micros(c.ResendAt),
		Extra: encodeExtra(c.Extra),
	}
}

func (r *challengeRow) domain() challenge.Challenge {
	return challenge.Challenge{
		Handle: r.Handle, Tenant: r.Tenant, Purpose: challenge.Purpose(r.Purpose), Channel: r.Channel,
		Status: challenge.Status(r.Status), Delivery: challenge.Delivery(r.Delivery), Decoy: r.Decoy,
		User: r.UserID, Device: r.DeviceID, SignIn: r.SignInID, Session: r.SessionID,
		Kind: contact.Kind(r.Kind), Destination: r.Destination, Shown: r.Shown, Counter: r.Counter,
		Nonce: r.Nonce, KeyID: uint32(r.KeyID), Format: challenge.Format(r.Format), Prompt: r.Prompt, State: r.State, //nolint:gosec // was one when it was stored
		Locale: r.Locale, Client: r.Client, Round: r.Round, Attempts: r.Attempts, Allowed: r.Allowed,
		Sends: r.Sends, MaxSends: r.MaxSends,
		CreatedAt: moment(r.CreatedAt), ExpiresAt: moment(r.ExpiresAt), ResendAt: moment(r.ResendAt),
		Extra: decodeExtra(r.Extra),
	}
}

func (r *challengeRow) args() []any {
	return []any{
		r.Handle, r.Tenant, r.Purpose, r.Channel, r.Status, r.Delivery, r.Decoy,
		r.UserID, r.DeviceID, r.SignInID, r.SessionID, r.Kind, r.Destination, r.Shown, r.Counter,
		r.Nonce, r.KeyID, r.Format, r.Prompt, r.State, r.Locale, r.Client,
		r.Round, r.Attempts, r.Allowed, r.Sends, r.MaxSends, r.CreatedAt, r.ExpiresAt, r.ResendAt, r.Extra,
	}
}

func (r *challengeRow) dest() []any {
	return []any{
		&r.Handle, &r.Tenant, &r.Purpose, &r.Channel, &r.Status, &r.Delivery, &r.Decoy,
		&r.UserID, &r.DeviceID, &r.SignInID, &r.SessionID, &r.Kind, &r.Destination, &r.Shown, &r.Counter,
		&r.Nonce, &r.KeyID, &r.Format, &r.Prompt, &r.State, &r.Locale, &r.Client,
		&r.Round, &r.Attempts, &r.Allowed, &r.Sends, &r.MaxSends, &r.CreatedAt, &r.ExpiresAt, &r.ResendAt, &r.Extra,
	}
}

var messageColumns = columns{
	{"id", text}, {"tenant", text}, {"handle", text}, {"channel", text}, {"number", bigint}, {"tries", bigint},
	{"next_at", bigint}, {"deadline", bigint}, {"owner", text}, {"leased", bigint}, {"fence", bigint},
	{"notice", text},
}

type messageRow struct {
	bun.BaseModel `bun:"table:messages,alias:m"`

	ID       string `bun:",pk"`
	Tenant   string
	Handle   string
	Channel  string
	Number   int
	Tries    int
	NextAt   int64
	Deadline int64
	Owner    string
	Leased   int64
	Fence    int
	Notice   string
}

func fromMessage(m store.Message) *messageRow {
	return &messageRow{
		ID: m.ID, Tenant: m.Tenant, Handle: m.Handle, Channel: m.Channel, Number: m.Number, Tries: m.Tries,
		NextAt: micros(m.NextAt), Deadline: micros(m.Deadline), Owner: m.Owner, Leased: micros(m.Leased), Fence: m.Fence,
		Notice: encodeNotice(m.Notice),
	}
}

func (r *messageRow) domain() store.Message {
	return store.Message{
		ID: r.ID, Tenant: r.Tenant, Handle: r.Handle, Channel: r.Channel, Number: r.Number, Tries: r.Tries,
		NextAt: moment(r.NextAt), Deadline: moment(r.Deadline), Owner: r.Owner, Leased: moment(r.Leased), Fence: r.Fence,
		Notice: decodeNotice(r.Notice),
	}
}

func (r *messageRow) args() []any {
	return []any{r.ID, r.Tenant, r.Handle, r.Channel, r.Number, r.Tries, r.NextAt, r.Deadline, r.Owner, r.Leased, r.Fence, r.Notice}
}

func (r *messageRow) dest() []any {
	return []any{&r.ID, &r.Tenant, &r.Handle, &r.Channel, &r.Number, &r.Tries, &r.NextAt, &r.Deadline, &r.Owner, &r.Leased, &r.Fence, &r.Notice}
}

var identifierColumns = columns{
	{"tenant", text}, {"kind", text}, {"value", text}, {"user_id", text}, {"verified_at", bigint}, {"created_at", bigint},
}

type identifierRow struct {
	bun.BaseModel `bun:"table:identifiers,alias:i"`

	Tenant     string `bun:",pk"`
	Kind       string `bun:",pk"`
	Value      string `bun:",pk"`
	UserID     string
	VerifiedAt int64
	CreatedAt  int64
}

// fromIdentifier takes tenant and user from the account, which owns it.
func fromIdentifier(u user.User, i user.Identifier) *identifierRow {
	return &identifierRow{
		Tenant: u.Tenant, Kind: string(i.Kind), Value: i.Value, UserID: u.ID,
		VerifiedAt: micros(i.VerifiedAt), CreatedAt: micros(i.CreatedAt),
	}
}

func (r identifierRow) domain() user.Identifier {
	return user.Identifier{
		Contact: contact.Contact{Kind: contact.Kind(r.Kind), Value: r.Value},
		Tenant:  r.Tenant, User: r.UserID, VerifiedAt: moment(r.VerifiedAt), CreatedAt: moment(r.CreatedAt),
	}
}

func (r *identifierRow) args() []any {
	return []any{r.Tenant, r.Kind, r.Value, r.UserID, r.VerifiedAt, r.CreatedAt}
}

func (r *identifierRow) dest() []any {
	return []any{&r.Tenant, &r.Kind, &r.Value, &r.UserID, &r.VerifiedAt, &r.CreatedAt}
}
