package challenges

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
)

// Refusals of what somebody else says about a person.
var (
	ErrAssertion        = fault.New(fault.Invalid, "invalid_assertion", "This proof of another site cannot be accepted.")
	ErrAssertionExpired = fault.New(fault.Invalid, "assertion_expired", "This proof of another site is too old. Try again.")
)

// Assertion is what another site says about somebody, brought in one request.
type Assertion struct {
	Tenant    string
	Channel   string
	Data      json.RawMessage
	FirstName string // for who has no such name yet
	LastName  string
	Locale    string
	Client    string
	Address   string
	IP        netip.Addr
	Trusted   string
}

// identifying finds a channel that tells by itself who somebody is.
func (s *Service) identifying(id string) (channels.Instance, error) {
	via, err := s.Channels.Get(id)
	if err == nil && !via.Identify {
		err = ErrRequest.With(fault.Field{Pointer: "/channel", Code: "invalid_channel", Detail: "This channel does not tell who somebody is: say whom to ask."})
	}
	return via, err
}

// Assert signs somebody in by another site's word: pay, ask, settle, in one go.
func (s *Service) Assert(ctx context.Context, in Assertion) (Outcome, error) {
	w, err := s.judge(ctx, in, challenge.SignIn)
	if err != nil {
		return Outcome{}, err
	}
	return s.settle(ctx, w)
}

// judge lets a channel judge an assertion, after it was paid for.
func (s *Service) judge(ctx context.Context, in Assertion, p challenge.Purpose) (settling, error) {
	via, err := s.identifying(in.Channel)
	if err != nil {
		return settling{}, err
	}
	now, pol := s.Clock.Now(), s.Tenants.Policy(in.Tenant)
	start := StartInput{
		Tenant: in.Tenant, Purpose: p, Locale: in.Locale, Client: in.Client, Address: in.Address, IP: in.IP,
	}
	a := aim{purpose: p, via: via, extra: challenge.Extra{Profile: profile(in.FirstName, in.LastName)}}
	c, err := s.compose(start, a, pol, now)
	if err != nil {
		return settling{}, err
	}
	c.Format, c.Round = "", 1
	if err := s.Store.Start(ctx, store.Start{Challenge: c, Windows: s.windows(start, c, pol), Now: now}); err != nil {
		s.countLimit(err)
		return settling{}, err
	}
	answer := AnswerInput{Tenant: in.Tenant, Handle: c.Handle, Data: in.Data, Client: in.Client, Address: in.Address, Trusted: in.Trusted}
	paid, windows, err := s.pay(ctx, answer, nil)
	if err != nil {
		return settling{}, err
	}
	verdict, err := s.ask(ctx, via, paid, channel.Response{Data: in.Data})
	if err != nil {
		return settling{}, s.refund(ctx, paid, windows, err)
	}
	s.count(paid.Challenge, verdict.Outcome)
	if verdict.Outcome != channel.Verified || verdict.Ref == "" {
		return settling{}, unasserted(verdict)
	}
	return settling{in: answer, via: via, paid: paid, verdict: verdict, windows: windows}, nil
}

func profile(first, last string) map[string]string {
	out := map[string]string{}
	for k, v := range map[string]string{policy.FirstName: first, policy.LastName: last} {
		if v != "" {
			out[k] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// unasserted says why an assertion was not accepted.
func unasserted(v channel.Verdict) error {
	switch v.Reason {
	case channel.Expired:
		return ErrAssertionExpired
	case channel.Replayed:
		return store.ErrOnce
	case channel.Mismatch, channel.Denied:
	}
	return ErrAssertion
}

// byRef finds whose device a channel means.
func (s *Service) byRef(ctx context.Context, tenant, instance, ref string) (d store.Device, a user.Account, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if d, err = tx.Refs().Find(ctx, tenant, instance, ref); err != nil {
			return err
		}
		a, err = tx.Users().Get(ctx, tenant, d.User)
		return err
	})
	return d, a, err
}

// locate finds the device that a response claims to come from, where nobody was
// named before. What it claims is then judged like everything else.
func (s *Service) locate(ctx context.Context, via channels.Instance, paid *store.Charged, r channel.Response) error {
	locator, ok := channel.As[channel.Locator](via.Channel)
	if !ok || paid.Challenge.User != "" {
		return nil
	}
	ref, ok := locator.Locate(r)
	if !ok {
		return nil
	}
	d, account, err := s.byRef(ctx, paid.Challenge.Tenant, via.ID, ref)
	if errors.Is(err, device.ErrNotFound) || errors.Is(err, user.ErrNotFound) {
		return nil
	}
	if err == nil && d.Confirmed() {
		paid.Device, paid.User, paid.Verified = &d, &account.User, true
	}
	return err
}

// recognise signs in whoever a channel has identified: a person whose account
// elsewhere is connected, or somebody new.
func (s *Service) recognise(ctx context.Context, w settling, st store.Settlement) (Outcome, error) {
	c := w.paid.Challenge
	if w.verdict.Ref == "" {
		return Outcome{}, ErrAssertion
	}
	d, account, err := s.byRef(ctx, c.Tenant, w.via.ID, w.verdict.Ref)
	if errors.Is(err, device.ErrNotFound) {
		return s.settleNewcomer(ctx, w, st)
	}
	if err != nil {
		return Outcome{}, err
	}
	if !account.Active() || d.Status == device.Pending {
		return Outcome{}, ErrAssertion
	}
	w.paid.User, w.paid.Device, w.paid.Verified = &account.User, &d, true
	if st, err = s.settlement(w); err != nil {
		return Outcome{}, err
	}
	st.Then = s.backfill(w, account)
	return s.welcomeBack(ctx, w, st)
}

// backfill gives a person the names that they lack.
func (s *Service) backfill(w settling, a user.Account) func(context.Context, store.Tx) error {
	first, last := s.names(w)
	if (a.FirstName != "" || first == "") && (a.LastName != "" || last == "") {
		return nil
	}
	return func(ctx context.Context, tx store.Tx) error {
		now, err := tx.Users().Get(ctx, a.Tenant, a.ID)
		if err != nil {
			return err
		}
		now.FirstName, now.LastName = firstOf(now.FirstName, first), firstOf(now.LastName, last)
		return tx.Users().Save(ctx, now.User)
	}
}

// names are those that the other site knows, or else those that came with the
// request, as far as people may have names here.
func (s *Service) names(w settling) (first, last string) {
	p := s.Tenants.Policy(w.paid.Challenge.Tenant).Identity
	own := w.paid.Challenge.Extra.Profile
	if who := w.verdict.Identity; who != nil {
		first, last = who.FirstName, who.LastName
		if first == "" && last == "" {
			first = who.Name
		}
	}
	if first = visibleName(firstOf(first, own[policy.FirstName])); !p.Names(policy.FirstName) {
		first = ""
	}
	if last = visibleName(firstOf(last, own[policy.LastName])); !p.Names(policy.LastName) {
		last = ""
	}
	return first, last
}

// provenBy reads what another site has checked, in our canonical form. What will
// not do here is left out; what the lists block is refused.
func (s *Service) provenBy(tenant string, who channel.Identity) ([]contact.Contact, error) {
	p := s.Tenants.Policy(tenant)
	var out []contact.Contact
	for _, x := range []struct {
		kind contact.Kind
		raw  string
		ok   bool
	}{{contact.Email, who.Email, who.EmailVerified}, {contact.Phone, who.Phone, who.PhoneVerified}} {
		if !x.ok || x.raw == "" || !p.Identity.Allows(x.kind) {
			continue
		}
		c, err := s.Contacts.Parse(x.kind, x.raw, p.Identity.Region)
		if err != nil {
			continue
		}
		if err := s.Gate.Serve(tenant, rule.Asked{Contact: c}); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// draftOf is somebody new as another site describes them.
func (s *Service) draftOf(w settling) session.Draft {
	first, last := s.names(w)
	return session.Draft{
		FirstName: first, LastName: last, Locale: w.paid.Challenge.Locale, Channel: w.via.ID,
		Link: &session.Link{Channel: w.via.ID, Ref: w.verdict.Ref, Name: w.via.Title},
	}
}
