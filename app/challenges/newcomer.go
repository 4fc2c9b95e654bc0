package challenges

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// settleNewcomer is for somebody whose account elsewhere nobody here has. An
// address that the other site has checked may be somebody's here: if the other
// site runs the mailbox, its word is proof; else, or if the person has an account
// there already and this is another one (addresses are given to somebody else when
// people leave), the address is proven here first. An address that nobody has checked
// joins nothing.
func (s *Service) settleNewcomer(ctx context.Context, w settling, st store.Settlement) (Outcome, error) {
	c, who := w.paid.Challenge, w.verdict.Identity
	if who == nil {
		return Outcome{}, ErrAssertion // a passkey that was removed, say
	}
	found, err := s.provenBy(c.Tenant, *who)
	if err != nil {
		return Outcome{}, err
	}
	draft := s.draftOf(w)
	for _, own := range found {
		known, err := s.Store.Identify(ctx, c.Tenant, own)
		if errors.Is(err, user.ErrNotFound) {
			draft.Proven = append(draft.Proven, own)
			continue
		}
		if err != nil {
			return Outcome{}, err
		}
		if id, ok := known.Find(own.Kind); !ok || !id.Verified() {
			draft.Proven = append(draft.Proven, own) // proof beats saying: see evict
			continue
		}
		linked, err := s.linkedBy(ctx, known.User, w.via.ID)
		if err != nil {
			return Outcome{}, err
		}
		if own.Kind == contact.Email && who.Authoritative && known.Active() && !linked {
			return s.welcomeAs(ctx, w, st, known, *draft.Link)
		}
		return s.proveOwn(ctx, w, st, draft, own)
	}
	d := s.Tenants.Policy(c.Tenant).Admit(policy.ByProvider, kindsOf(draft))
	switch {
	case d.Reason == policy.Missing:
		return s.waitForMissing(ctx, w, st, draft, d.Missing)
	case !d.OK:
		return Outcome{}, user.ErrNotAllowed
	}
	if err := s.Store.Settle(ctx, st); err != nil {
		return Outcome{}, err
	}
	return s.Enter(ctx, Newcomer{Tenant: c.Tenant, Draft: draft, Evidence: []assurance.Evidence{w.evidence()}, Client: w.in.Client})
}

// linkedBy reports whether a person has an account elsewhere by a channel.
func (s *Service) linkedBy(ctx context.Context, u user.User, instance string) (yes bool, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Devices().List(ctx, u.Tenant, u.ID, "", 0)
		yes = slices.ContainsFunc(all, func(d store.Device) bool { return d.Status == device.Linked && d.Channel == instance })
		return err
	})
	return yes, err
}

// welcomeAs signs a person in who came by an account elsewhere, and connects it.
func (s *Service) welcomeAs(ctx context.Context, w settling, st store.Settlement, known user.Account, link session.Link) (Outcome, error) {
	w.paid.User, w.paid.Verified, w.link = &known.User, true, &link
	w.paid.Challenge.User = known.ID
	return s.welcomeBack(ctx, w, st)
}

// join connects an account elsewhere to a person who has proven everything that
// they must, and tells them. Whoever has only the first factor connects nothing.
func (s *Service) join(w settling, st *store.Settlement, u user.User, link *session.Link) {
	if link == nil {
		return
	}
	st.Then = func(ctx context.Context, tx store.Tx) error { return s.connect(ctx, tx, u, *link, w.now) }
	s.tell(w, st, message.DeviceAdded, map[string]string{"name": link.Name})
}

// proveOwn asks for the proof of an address that is somebody's here.
func (s *Service) proveOwn(ctx context.Context, w settling, st store.Settlement, d session.Draft, to contact.Contact) (Outcome, error) {
	waiting := s.Sessions.Wait(user.User{Tenant: w.paid.Challenge.Tenant}, []assurance.Evidence{w.evidence()}, w.in.Client, w.now)
	waiting.Step, waiting.Draft, waiting.NewUser = session.Complete, &d, true
	st.SignIn = &waiting
	if err := s.Store.Settle(ctx, st); err != nil {
		return Outcome{}, err
	}
	via, err := s.pick("", to.Kind)
	if err != nil {
		return Outcome{}, err
	}
	o, err := s.open(ctx, StartInput{
		Tenant: waiting.Tenant, Purpose: challenge.SignIn, Locale: d.Locale, Client: w.in.Client, Address: w.in.Address, Pending: &waiting,
	}, aim{purpose: challenge.SignIn, via: via, to: to, shown: to.Mask()})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Status: StillPending, Challenge: &o.View}, nil
}

// joinKnown connects the account elsewhere of somebody who has now proven an
// address that is a person's here. It reports false if it is nobody's.
func (s *Service) joinKnown(ctx context.Context, w settling, waiting session.SignIn) (Outcome, bool, error) {
	c := w.paid.Challenge
	if waiting.Draft.Link == nil {
		return Outcome{}, false, nil
	}
	known, err := s.Store.Identify(ctx, c.Tenant, contact.Contact{Kind: c.Kind, Value: c.Destination})
	if errors.Is(err, user.ErrNotFound) {
		return Outcome{}, false, nil
	}
	if err != nil {
		return Outcome{}, false, err
	}
	if id, ok := known.Find(c.Kind); !ok || !id.Verified() {
		return Outcome{}, false, nil
	}
	if !known.Active() {
		return Outcome{}, true, ErrAssertion
	}
	st, err := s.settlement(w)
	if err != nil {
		return Outcome{}, true, err
	}
	st.UseSignIn = waiting.ID
	out, err := s.welcomeAs(ctx, w, st, known, *waiting.Draft.Link)
	return out, true, err
}

// connect adds an account elsewhere to a person: device.ErrLinked if it is
// somebody's already.
func (s *Service) connect(ctx context.Context, tx store.Tx, u user.User, l session.Link, now time.Time) error {
	d := store.Device{
		ID: s.IDs.New(), Tenant: u.Tenant, User: u.ID, Channel: l.Channel, Name: l.Name, Ref: l.Ref,
		Status: device.Linked, CreatedAt: now, LastUsedAt: now,
	}
	if err := tx.Devices().Add(ctx, d); err != nil {
		return err
	}
	return tx.Journal().Record(ctx, event.Event{
		ID: s.IDs.New(), Tenant: u.Tenant, User: u.ID, Type: event.ConnectionAdded, At: now,
		Data: map[string]string{"device": d.ID, "channel": l.Channel},
	})
}

// longestName is how much of a name from elsewhere is kept, in runes.
const longestName = 100

// visibleName is a name of another site as far as it can be shown.
func visibleName(raw string) string {
	if !utf8.ValidString(raw) {
		return ""
	}
	name := strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, raw))
	if r := []rune(name); len(r) > longestName {
		name = string(r[:longestName])
	}
	return name
}
