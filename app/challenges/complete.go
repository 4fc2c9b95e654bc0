package challenges

import (
	"context"
	"net/netip"
	"slices"

	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
)

// waitForMissing keeps what somebody new has proven until they have everything
// that new users must have.
func (s *Service) waitForMissing(ctx context.Context, w settling, st store.Settlement, d session.Draft, missing []contact.Kind) (Outcome, error) {
	waiting := s.Sessions.Wait(user.User{Tenant: w.paid.Challenge.Tenant}, []assurance.Evidence{w.evidence()}, w.in.Client, w.now)
	waiting.Step, waiting.Draft, waiting.NewUser = session.Complete, &d, true
	st.SignIn = &waiting
	if err := s.Store.Settle(ctx, st); err != nil {
		return Outcome{}, err
	}
	return s.identifierRequired(waiting, missing), nil
}

func (s *Service) identifierRequired(waiting session.SignIn, missing []contact.Kind) Outcome {
	profile := map[string]string{}
	for field, value := range map[string]string{policy.FirstName: waiting.Draft.FirstName, policy.LastName: waiting.Draft.LastName} {
		if value != "" {
			profile[field] = value
		}
	}
	for _, c := range waiting.Draft.Proven {
		profile[string(c.Kind)] = c.Value
	}
	return Outcome{
		Status: IdentifierRequired, Pending: s.Sessions.PendingToken(waiting.Tenant, waiting.ID),
		ExpiresIn: expires(waiting, s.Clock.Now()), Missing: missing, Profile: profile,
	}
}

// CompleteInput is what somebody new adds to what they have proven.
type CompleteInput struct {
	Tenant    string
	Pending   session.SignIn
	Email     string // as typed; empty: not given
	Phone     string
	Username  string
	FirstName string
	LastName  string
	Locale    string
	Client    string
	Address   string
	IP        netip.Addr
}

// Complete goes on with a sign-in of somebody new. A user name is taken as it is;
// an address has to be proven first, so its challenge is the answer.
func (s *Service) Complete(ctx context.Context, in CompleteInput) (Outcome, error) {
	if in.Pending.Step != session.Complete || in.Pending.Draft == nil {
		return Outcome{}, session.ErrPendingInvalid
	}
	p := s.Tenants.Policy(in.Tenant)
	named, err := s.additions(in, p)
	if err != nil {
		return Outcome{}, err
	}
	draft, toProve := *in.Pending.Draft, []contact.Contact(nil)
	for _, c := range named {
		switch {
		case c.Kind == contact.Username:
			draft.Username = c.Value
		case !slices.Contains(draft.Proven, c):
			toProve = append(toProve, c)
		}
	}
	draft.FirstName, draft.LastName = firstOf(in.FirstName, draft.FirstName), firstOf(in.LastName, draft.LastName)
	waiting := in.Pending
	waiting.Draft = &draft
	if len(toProve) > 0 {
		return s.proveMore(ctx, in, waiting, toProve[0])
	}
	if missing := p.Lacks(kindsOf(draft)); len(missing) > 0 {
		return s.identifierRequired(waiting, missing), s.saveDraft(ctx, waiting)
	}
	return s.finish(ctx, waiting, finishing{client: in.Client, stored: true})
}

// additions reads the identifiers that are added, and refuses those that will
// not do, each by its own field.
func (s *Service) additions(in CompleteInput, p policy.Policy) ([]contact.Contact, error) {
	var out []contact.Contact
	var bad []fault.Field
	for _, x := range []struct {
		kind contact.Kind
		raw  string
	}{{contact.Email, in.Email}, {contact.Phone, in.Phone}, {contact.Username, in.Username}} {
		if x.raw == "" {
			continue
		}
		c, err := s.Contacts.Parse(x.kind, x.raw, p.Identity.Region)
		if f, ok := fault.Of(err); ok {
			bad = append(bad, fault.Field{Pointer: "/" + string(x.kind), Code: f.Code, Detail: f.Text})
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := s.Gate.Serve(in.Tenant, rule.Asked{Contact: c, Address: in.IP}); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if bad != nil {
		return nil, ErrRequest.With(bad...)
	}
	return out, nil
}

func kindsOf(d session.Draft) []contact.Kind {
	var out []contact.Kind
	for _, c := range d.Proven {
		out = append(out, c.Kind)
	}
	if d.Username != "" {
		out = append(out, contact.Username)
	}
	return out
}

// proveMore asks for the proof of one more address.
func (s *Service) proveMore(ctx context.Context, in CompleteInput, waiting session.SignIn, to contact.Contact) (Outcome, error) {
	if err := s.saveDraft(ctx, waiting); err != nil {
		return Outcome{}, err
	}
	via, err := s.pick("", to.Kind)
	if err != nil {
		return Outcome{}, err
	}
	o, err := s.open(ctx, StartInput{
		Tenant: in.Tenant, Purpose: challenge.SignIn, Locale: firstOf(in.Locale, waiting.Draft.Locale), Client: in.Client,
		Address: in.Address, Pending: &waiting,
	}, aim{purpose: challenge.SignIn, via: via, to: to, shown: to.Mask()})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Status: StillPending, Challenge: &o.View}, nil
}

func (s *Service) saveDraft(ctx context.Context, waiting session.SignIn) error {
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		now, err := tx.SignIns().Get(ctx, waiting.Tenant, waiting.ID)
		if err != nil {
			return err
		}
		if err := now.Refusal(s.Clock.Now()); err != nil {
			return err
		}
		now.Draft, now.Evidence = waiting.Draft, waiting.Evidence
		return tx.SignIns().Save(ctx, now)
	})
}

// settleCompletion is for somebody new who proved one more address.
func (s *Service) settleCompletion(ctx context.Context, w settling) (Outcome, error) {
	c := w.paid.Challenge
	waiting, err := s.Store.SignIn(ctx, c.Tenant, c.SignIn)
	if err != nil {
		return Outcome{}, err
	}
	if waiting.Step != session.Complete || waiting.Draft == nil {
		return Outcome{}, session.ErrPendingInvalid
	}
	if err := waiting.Refusal(w.now); err != nil {
		return Outcome{}, err
	}
	if waiting.User == "" {
		if out, known, err := s.joinKnown(ctx, w, waiting); known || err != nil {
			return out, err
		}
	}
	if err := s.settled(ctx, w); err != nil {
		return Outcome{}, err
	}
	draft := *waiting.Draft
	draft.Proven = append(slices.Clone(draft.Proven), contact.Contact{Kind: c.Kind, Value: c.Destination})
	waiting.Draft, waiting.Evidence = &draft, assurance.Merge(waiting.Evidence, w.evidence())
	if missing := s.Tenants.Policy(c.Tenant).Lacks(kindsOf(draft)); len(missing) > 0 {
		return s.identifierRequired(waiting, missing), s.saveDraft(ctx, waiting)
	}
	return s.finish(ctx, waiting, finishing{client: w.in.Client, stored: true})
}

// finishing says how somebody new comes in.
type finishing struct {
	client string
	stored bool // they have waited, and must not do so again
	only   bool // see Newcomer.Only
}

// finish makes a user of somebody new who has everything, and signs them in.
func (s *Service) finish(ctx context.Context, waiting session.SignIn, how finishing) (Outcome, error) {
	if waiting.User != "" {
		return s.finishKnown(ctx, waiting, how.client)
	}
	now, d := s.Clock.Now(), waiting.Draft
	u := user.User{
		ID: s.IDs.New(), Tenant: waiting.Tenant, Status: user.Active, Locale: d.Locale, FirstName: d.FirstName, LastName: d.LastName, CreatedAt: now,
	}
	account := user.Account{User: u}
	for _, c := range d.Proven {
		account.Identifiers = append(account.Identifiers, user.Identifier{Contact: c, Tenant: u.Tenant, User: u.ID, VerifiedAt: now, CreatedAt: now})
	}
	if d.Username != "" {
		name := contact.Contact{Kind: contact.Username, Value: d.Username}
		account.Identifiers = append(account.Identifiers, user.Identifier{Contact: name, Tenant: u.Tenant, User: u.ID, CreatedAt: now})
	}
	var one session.Session
	if !how.only {
		one = s.Sessions.Begin(u, waiting.Evidence, how.client, now)
	}
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if how.stored {
			if err := spend(ctx, tx, waiting, now); err != nil {
				return err
			}
		}
		return s.admit(ctx, tx, *d, &account, one)
	})
	if err != nil || how.only {
		return Outcome{Account: &account, NewUser: err == nil}, err
	}
	s.Meter.Count(meter.SessionsStarted, meter.L("acr", assurance.Assess(waiting.Evidence).AAL.ACR()))
	out, err := s.signedIn(one, account)
	out.NewUser = err == nil
	return out, err
}

// admit stores somebody new with everything that they brought along, and with
// their first session if there is one.
func (s *Service) admit(ctx context.Context, tx store.Tx, d session.Draft, account *user.Account, one session.Session) error {
	now := account.CreatedAt
	fact := func(t event.Type, data map[string]string) event.Event {
		return event.Event{ID: s.IDs.New(), Tenant: account.Tenant, User: account.ID, Type: t, At: now, Data: data}
	}
	facts := []event.Event{fact(event.UserCreated, map[string]string{"channel": d.Channel})}
	if d.Invited != "" {
		accepted, err := s.invited(ctx, tx, account, d.Invited, now)
		if err != nil {
			return err
		}
		facts = append(facts, accepted)
	}
	for _, c := range d.Proven {
		if err := s.evict(ctx, tx, account.Tenant, c, now); err != nil {
			return err
		}
		facts = append(facts, fact(event.IdentifierVerified, map[string]string{"kind": string(c.Kind), "initial": "yes"}))
	}
	if one.ID == "" {
		if err := tx.Users().Add(ctx, *account); err != nil {
			return err
		}
	} else {
		if err := sessions.Join(ctx, tx, *account, one); err != nil {
			return err
		}
		facts = append(facts, fact(event.SessionStarted, map[string]string{
			"session": one.ID, "acr": assurance.Assess(one.Evidence).AAL.ACR(), "channel": d.Channel, "client": one.Client,
		}))
	}
	if err := keepPassword(ctx, tx, *account, d.Password, now); err != nil {
		return err
	}
	if d.Link != nil {
		if err := s.connect(ctx, tx, account.User, *d.Link, now); err != nil {
			return err
		}
	}
	return tx.Journal().Record(ctx, facts...)
}
