package memstore

import (
	"maps"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// kept is a time as every store keeps it: in UTC, to the microsecond.
func kept(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func copyChallenge(c challenge.Challenge) challenge.Challenge {
	c.Nonce, c.Prompt, c.State = slices.Clone(c.Nonce), slices.Clone(c.Prompt), slices.Clone(c.State)
	c.Extra = copyExtra(c.Extra)
	c.CreatedAt, c.ExpiresAt, c.ResendAt = kept(c.CreatedAt), kept(c.ExpiresAt), kept(c.ResendAt)
	return c
}

func copyMessage(m store.Message) store.Message {
	if m.Notice != nil {
		n := *m.Notice
		n.Data, n.At = maps.Clone(n.Data), kept(n.At)
		m.Notice = &n
	}
	m.NextAt, m.Deadline, m.Leased = kept(m.NextAt), kept(m.Deadline), kept(m.Leased)
	return m
}

func copyUser(u user.User) user.User {
	u.Metadata = maps.Clone(u.Metadata)
	u.CreatedAt, u.LastSignIn, u.ResetAt = kept(u.CreatedAt), kept(u.LastSignIn), kept(u.ResetAt)
	return u
}

func copyIdentifier(i user.Identifier) user.Identifier {
	i.VerifiedAt, i.CreatedAt = kept(i.VerifiedAt), kept(i.CreatedAt)
	return i
}

func copyDevice(d store.Device) store.Device {
	d.Credential = slices.Clone(d.Credential)
	d.CreatedAt, d.LastUsedAt = kept(d.CreatedAt), kept(d.LastUsedAt)
	return d
}

func copyEvidence(all []assurance.Evidence) []assurance.Evidence {
	all = slices.Clone(all)
	for i := range all {
		all[i].AMR = slices.Clone(all[i].AMR)
		all[i].At = kept(all[i].At)
	}
	return all
}

func copySession(s session.Session) session.Session {
	s.Evidence = copyEvidence(s.Evidence)
	s.RotatedAt, s.CreatedAt = kept(s.RotatedAt), kept(s.CreatedAt)
	s.ExpiresAt, s.RevokedAt = kept(s.ExpiresAt), kept(s.RevokedAt)
	return s
}

func copySignIn(s session.SignIn) session.SignIn {
	s.Evidence = copyEvidence(s.Evidence)
	if s.Draft != nil {
		d := *s.Draft
		d.Proven = slices.Clone(d.Proven)
		s.Draft = &d
	}
	s.CreatedAt, s.ExpiresAt, s.UsedAt = kept(s.CreatedAt), kept(s.ExpiresAt), kept(s.UsedAt)
	return s
}

func copyEvent(e event.Event) event.Event {
	e.Data = maps.Clone(e.Data)
	e.At = kept(e.At)
	return e
}

func copyAnswer(a store.Answer) store.Answer {
	a.Request, a.Body = slices.Clone(a.Request), slices.Clone(a.Body)
	a.ExpiresAt = kept(a.ExpiresAt)
	return a
}

func copyExtra(e challenge.Extra) challenge.Extra {
	e.Detail, e.Browser = slices.Clone(e.Detail), slices.Clone(e.Browser)
	e.Metadata, e.Profile = maps.Clone(e.Metadata), maps.Clone(e.Profile)
	return e
}

func copyFact(f store.Fact) store.Fact {
	f.Event = copyEvent(f.Event)
	f.NextAt, f.Leased = kept(f.NextAt), kept(f.Leased)
	return f
}

func copyChange(c user.Change) user.Change {
	c.NewAt, c.CurrentAt = kept(c.NewAt), kept(c.CurrentAt)
	c.CreatedAt, c.ExpiresAt = kept(c.CreatedAt), kept(c.ExpiresAt)
	return c
}

func copyPassword(r password.Record) password.Record {
	r.ChangedAt = kept(r.ChangedAt)
	return r
}

func copyInvitation(i invitation.Invitation) invitation.Invitation {
	i.CreatedAt, i.ExpiresAt = kept(i.CreatedAt), kept(i.ExpiresAt)
	i.UsedAt, i.RevokedAt = kept(i.UsedAt), kept(i.RevokedAt)
	return i
}

func copyKey(k apikey.Key) apikey.Key {
	k.Scopes, k.Hash = slices.Clone(k.Scopes), slices.Clone(k.Hash)
	k.CreatedAt, k.ExpiresAt = kept(k.CreatedAt), kept(k.ExpiresAt)
	k.RevokedAt, k.LastUsedAt = kept(k.RevokedAt), kept(k.LastUsedAt)
	return k
}

func copyEntry(e rule.Entry) rule.Entry {
	e.CreatedAt, e.ExpiresAt = kept(e.CreatedAt), kept(e.ExpiresAt)
	return e
}
