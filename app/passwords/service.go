// Package passwords is about what people know: signing in by it, choosing it, and
// choosing it anew. A password is judged like any other proof: it is paid for
// before anybody looks at it.
package passwords

import (
	"context"
	"log/slog"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	port "github.com/countersign/countersign/ports/password"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// Needs is what the service is made of.
type Needs struct {
	Store      store.Store
	Challenges *challenges.Service
	Sessions   *sessions.Service
	Channels   *channels.Registry
	Tenants    *tenants.Book
	Contacts   contact.Parser
	Gate       challenges.Gate
	Notices    *notices.Service
	Hasher     port.Hasher
	Common     port.Common
	Clock      system.Clock
	IDs        system.IDs
	Log        *slog.Logger
}

// Service is the use cases around passwords. It is safe for concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// id is how passwords are called where channels have names.
const id = "password"

// via is what judges passwords: no plugin, but in all else like one.
func via() channels.Instance {
	return channels.Instance{ID: id, Descriptor: channel.Descriptor{
		Type: id, Title: "Password", Factor: channel.Knowledge, MaxAAL: 1, AMR: []string{"pwd"},
	}}
}

// enabled refuses with channels.ErrNotConfigured where passwords are not used.
func (s *Service) enabled(tenant string) error {
	if !s.Tenants.Policy(tenant).Password.Enabled {
		return channels.ErrNotConfigured
	}
	return nil
}

// Check names each rule that a new password breaks, at the place in the request
// where it stands. Profile is what everybody can know of its owner.
func (s *Service) Check(tenant, pointer, text string, profile ...string) []fault.Field {
	var out []fault.Field
	for _, p := range s.Tenants.Policy(tenant).Password.Rules.Check(password.Candidate{
		Text: text, Profile: profile, Common: s.Common.Common(text),
	}) {
		out = append(out, fault.Field{Pointer: pointer, Code: p.Code, Detail: p.Detail})
	}
	return out
}

// Hash makes the hash of a password that was checked. It refuses with ErrBusy of
// the port when too many are being made.
func (s *Service) Hash(ctx context.Context, text string) (password.Hash, error) {
	return s.Hasher.Hash(ctx, text)
}

// profileOf is what everybody can know of a person, also what they only said.
func profileOf(a user.Account, changes []user.Change) []string {
	out := []string{a.FirstName, a.LastName}
	for _, i := range a.Identifiers {
		out = append(out, i.Value)
	}
	for _, c := range changes {
		out = append(out, c.Value)
	}
	return out
}
