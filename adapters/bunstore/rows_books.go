package bunstore

import (
	"github.com/uptrace/bun"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
)

type changeRow struct {
	bun.BaseModel `bun:"table:identifier_changes,alias:x"`

	Tenant       string `bun:",pk"`
	UserID       string `bun:",pk"`
	Kind         string `bun:",pk"`
	Value        string
	ID           string
	Replaces     string
	NeedsCurrent bool
	NewAt        int64
	CurrentAt    int64
	CreatedAt    int64
	ExpiresAt    int64
}

func fromChange(c user.Change) *changeRow {
	return &changeRow{
		Tenant: c.Tenant, UserID: c.User, Kind: string(c.Kind), Value: c.Value, ID: c.ID, Replaces: c.Replaces,
		NeedsCurrent: c.NeedsCurrent, NewAt: micros(c.NewAt), CurrentAt: micros(c.CurrentAt),
		CreatedAt: micros(c.CreatedAt), ExpiresAt: micros(c.ExpiresAt),
	}
}

func (r changeRow) domain() user.Change {
	return user.Change{
		Contact: contact.Contact{Kind: contact.Kind(r.Kind), Value: r.Value},
		ID:      r.ID, Tenant: r.Tenant, User: r.UserID, Replaces: r.Replaces, NeedsCurrent: r.NeedsCurrent,
		NewAt: moment(r.NewAt), CurrentAt: moment(r.CurrentAt), CreatedAt: moment(r.CreatedAt), ExpiresAt: moment(r.ExpiresAt),
	}
}

type passwordRow struct {
	bun.BaseModel `bun:"table:passwords,alias:x"`

	Tenant    string `bun:",pk"`
	UserID    string `bun:",pk"`
	Hash      string
	ChangedAt int64
}

func fromPassword(p password.Record) *passwordRow {
	return &passwordRow{Tenant: p.Tenant, UserID: p.User, Hash: string(p.Hash), ChangedAt: micros(p.ChangedAt)}
}

func (r passwordRow) domain() password.Record {
	return password.Record{Tenant: r.Tenant, User: r.UserID, Hash: password.Hash(r.Hash), ChangedAt: moment(r.ChangedAt)}
}

type invitationRow struct {
	bun.BaseModel `bun:"table:invitations,alias:x"`

	ID        string `bun:",pk"`
	Tenant    string
	Kind      string
	Value     string
	Inviter   string
	MadeBy    string
	Locale    string
	ReturnTo  string
	CreatedAt int64
	ExpiresAt int64
	UsedAt    int64
	RevokedAt int64
	UserID    string
}

func fromInvitation(i invitation.Invitation) *invitationRow {
	return &invitationRow{
		ID: i.ID, Tenant: i.Tenant, Kind: string(i.Kind), Value: i.Value, Inviter: i.Inviter, MadeBy: i.By, Locale: i.Locale,
		ReturnTo:  i.ReturnTo,
		CreatedAt: micros(i.CreatedAt), ExpiresAt: micros(i.ExpiresAt), UsedAt: micros(i.UsedAt),
		RevokedAt: micros(i.RevokedAt), UserID: i.User,
	}
}

func (r invitationRow) domain() invitation.Invitation {
	return invitation.Invitation{
		Contact: contact.Contact{Kind: contact.Kind(r.Kind), Value: r.Value},
		ID:      r.ID, Tenant: r.Tenant, Inviter: r.Inviter, By: r.MadeBy, Locale: r.Locale, ReturnTo: r.ReturnTo,
		CreatedAt: moment(r.CreatedAt), ExpiresAt: moment(r.ExpiresAt), UsedAt: moment(r.UsedAt),
		RevokedAt: moment(r.RevokedAt), User: r.UserID,
	}
}

type keyRow struct {
	bun.BaseModel `bun:"table:api_keys,alias:x"`

	ID         string `bun:",pk"`
	Tenant     string
	Name       string
	Scopes     string
	Hash       []byte
	CreatedAt  int64
	ExpiresAt  int64
	RevokedAt  int64
	LastUsedAt int64
}

func fromKey(k apikey.Key) *keyRow {
	return &keyRow{
		ID: k.ID, Tenant: k.Tenant, Name: k.Name, Scopes: encodeScopes(k.Scopes), Hash: k.Hash,
		CreatedAt: micros(k.CreatedAt), ExpiresAt: micros(k.ExpiresAt), RevokedAt: micros(k.RevokedAt), LastUsedAt: micros(k.LastUsedAt),
	}
}

func (r keyRow) domain() apikey.Key {
	return apikey.Key{
		ID: r.ID, Tenant: r.Tenant, Name: r.Name, Scopes: decodeScopes(r.Scopes), Hash: r.Hash,
		CreatedAt: moment(r.CreatedAt), ExpiresAt: moment(r.ExpiresAt), RevokedAt: moment(r.RevokedAt), LastUsedAt: moment(r.LastUsedAt),
	}
}

type entryRow struct {
	bun.BaseModel `bun:"table:rules,alias:x"`

	ID        string `bun:",pk"`
	Tenant    string
	List      string
	Subject   string
	Pattern   string
	Reason    string
	MadeBy    string
	CreatedAt int64
	ExpiresAt int64
}

func fromEntry(e rule.Entry) *entryRow {
	return &entryRow{
		ID: e.ID, Tenant: e.Tenant, List: string(e.List), Subject: string(e.Subject), Pattern: e.Pattern,
		Reason: e.Reason, MadeBy: e.By, CreatedAt: micros(e.CreatedAt), ExpiresAt: micros(e.ExpiresAt),
	}
}

func (r entryRow) domain() rule.Entry {
	return rule.Entry{
		ID: r.ID, Tenant: r.Tenant, List: rule.List(r.List), Subject: rule.Subject(r.Subject), Pattern: r.Pattern,
		Reason: r.Reason, By: r.MadeBy, CreatedAt: moment(r.CreatedAt), ExpiresAt: moment(r.ExpiresAt),
	}
}
