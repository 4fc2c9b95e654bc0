package invitations

import (
	"context"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/store"
)

// Opened is what somebody sees who opens an invitation.
type Opened struct {
	invitation.Invitation

	Inviter string         // a name; "" if nobody gave one
	Missing []contact.Kind // what they must have besides the address
}

// Open looks at an invitation. It changes nothing: mail scanners open links too.
// It refuses with invitation.ErrNotFound what is no token of ours, and with
// invitation.ErrExpired what is no longer good.
func (s *Service) Open(ctx context.Context, tenant, token string) (Opened, error) {
	n, ok := read(token)
	if !ok || n.tenant != tenant {
		return Opened{}, invitation.ErrNotFound
	}
	var o Opened
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		i, err := tx.Invitations().Get(ctx, tenant, n.id)
		if err != nil {
			return err
		}
		if !s.Tokens.matches(n, i) {
			return invitation.ErrNotFound
		}
		o = Opened{Invitation: i}
		if i.Inviter == "" {
			return nil
		}
		by, err := tx.Users().Get(ctx, tenant, i.Inviter)
		if err == nil {
			o.Inviter = name(by.User)
		}
		return missingIs(err, nil)
	})
	if err != nil {
		return Opened{}, err
	}
	if o.At(s.Clock.Now()) != invitation.Open {
		return Opened{}, invitation.ErrExpired
	}
	o.Missing = s.Tenants.Policy(tenant).Lacks([]contact.Kind{o.Kind})
	return o, nil
}

// missingIs answers as other for whatever is not there any more.
func missingIs(err, other error) error {
	if f, ok := fault.Of(err); ok && f.Kind == fault.NotFound {
		return other
	}
	return err
}

// AcceptInput is somebody who accepts. All but Token may be empty.
type AcceptInput struct {
	Tenant    string
	Token     string
	Username  string // as typed
	FirstName string
	LastName  string
	Password  string `json:"-"`
	Locale    string
	Client    string
	IP        netip.Addr
	Only      bool // makes the account and starts no session: for pages that could not keep one
}

// Accept makes a user of whoever was asked in. Having the token proves the
// address that it was sent to, as a code would have. Of any number of attempts
// at once one wins; the others get invitation.ErrExpired. If the address or the
// name has become somebody's meanwhile, it is user.ErrTaken.
func (s *Service) Accept(ctx context.Context, in AcceptInput) (challenges.Outcome, error) {
	o, err := s.Open(ctx, in.Tenant, in.Token)
	if err != nil {
		return challenges.Outcome{}, err
	}
	if err := s.Gate.Serve(in.Tenant, rule.Asked{Contact: o.Contact, Address: in.IP}); err != nil {
		return challenges.Outcome{}, err
	}
	route := s.Channels.Senders(o.Kind)
	if len(route) == 0 {
		return challenges.Outcome{}, channels.ErrNotConfigured
	}
	d := session.Draft{
		Proven: []contact.Contact{o.Contact}, FirstName: in.FirstName, LastName: in.LastName, Invited: o.ID, Channel: route[0].ID,
		Locale: in.Locale,
	}
	if d.Locale == "" {
		d.Locale = o.Locale
	}
	if err := s.profile(in, &d); err != nil {
		return challenges.Outcome{}, err
	}
	if d.Username != "" {
		asked := rule.Asked{Contact: contact.Contact{Kind: contact.Username, Value: d.Username}, Address: in.IP}
		if err := s.Gate.Serve(in.Tenant, asked); err != nil {
			return challenges.Outcome{}, err
		}
	}
	if in.Password != "" {
		if d.Password, err = s.Passwords.Hash(ctx, in.Password); err != nil {
			return challenges.Outcome{}, err
		}
	}
	return s.Challenges.Enter(ctx, challenges.Newcomer{
		Tenant: in.Tenant, Draft: d, Client: in.Client, Only: in.Only,
		Evidence: []assurance.Evidence{s.evidence(o.Invitation, route[0])},
	})
}

// evidence is what having the token proves: as much as a code that came the
// same way.
func (s *Service) evidence(i invitation.Invitation, via channels.Instance) assurance.Evidence {
	return assurance.Evidence{
		Channel: via.ID, Authenticator: challenges.CounterOf(i.Tenant, i.Contact), Factor: assurance.Factor(via.Factor),
		Max: assurance.AAL(via.MaxAAL), AMR: via.AMR, At: s.Clock.Now(),
	}
}

// maxName is the longest name, in runes.
const maxName = 100

// profile reads what somebody says of themselves, and names everything that will
// not do.
func (s *Service) profile(in AcceptInput, d *session.Draft) error {
	p := s.Tenants.Policy(in.Tenant)
	var bad []fault.Field
	add := func(pointer, code, detail string) {
		bad = append(bad, fault.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	if in.Username != "" {
		c, err := s.Contacts.Username(in.Username)
		switch f, ok := fault.Of(err); {
		case !p.Identity.Allows(contact.Username):
			add("/username", "invalid_kind", "There are no user names here.")
		case ok:
			add("/username", f.Code, f.Text)
		case err != nil:
			return err
		}
		d.Username = c.Value
	}
	for _, n := range []struct{ field, value string }{{policy.FirstName, in.FirstName}, {policy.LastName, in.LastName}} {
		switch {
		case n.value == "":
		case !p.Identity.Names(n.field):
			add("/"+n.field, "not_allowed", "People have no such name here.")
		case !printable(n.value):
			add("/"+n.field, "invalid_name", "Use at most 100 printable characters.")
		}
	}
	switch {
	case in.Password == "":
	case !p.Password.Enabled:
		add("/password", "not_allowed", "There are no passwords here.")
	default:
		bad = append(bad, s.Passwords.Check(in.Tenant, "/password", in.Password, in.FirstName, in.LastName, d.Username, d.Proven[0].Value)...)
	}
	if bad != nil {
		return ErrRequest.With(bad...)
	}
	return nil
}

func printable(text string) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= maxName &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
