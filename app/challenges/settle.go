package challenges

import (
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
)

// settling is a right answer on its way to becoming a fact.
type settling struct {
	in       AnswerInput
	via      channels.Instance
	paid     store.Charged
	verdict  channel.Verdict
	windows  []limit.Charge
	answered bool          // the right answer came by another way
	link     *session.Link // an account elsewhere that is theirs, once they are in
	now      time.Time
}

func (s *Service) settle(ctx context.Context, w settling) (Outcome, error) {
	w.now = s.Clock.Now()
	out, err := s.settleFor(ctx, w)
	if err == nil {
		s.ranges.Answered(ctx, w.paid.Challenge)
	}
	return out, err
}

// settleFor does what follows from the challenge's purpose.
func (s *Service) settleFor(ctx context.Context, w settling) (Outcome, error) {
	switch w.paid.Challenge.Purpose {
	case challenge.SignIn:
		if w.paid.Challenge.SignIn != "" {
			return s.settleCompletion(ctx, w)
		}
		return s.settleSignIn(ctx, w)
	case challenge.Verify:
		return s.settleProof(ctx, w)
	case challenge.SecondFactor:
		return s.settleSecondFactor(ctx, w)
	case challenge.StepUp:
		return s.settleStepUp(ctx, w)
	case challenge.Enroll:
		return s.settleEnroll(ctx, w)
	case challenge.ChangeIdentifier:
		return s.settleChange(ctx, w)
	case challenge.ResetPassword:
		return s.settleReset(ctx, w)
	case challenge.Approve:
		return s.settleApproval(ctx, w)
	}
	return Outcome{}, challenge.ErrNotFound
}

// settlement is what every success has in common.
func (s *Service) settlement(w settling) (store.Settlement, error) {
	c := w.paid.Challenge
	out := store.Settlement{
		Tenant: c.Tenant, Handle: c.Handle, Answered: w.answered, Now: w.now, Counter: c.Counter, GiveBack: keys(w.windows),
	}
	if u := w.paid.User; u != nil {
		out.Person = person(*u)
	}
	if w.verdict.OnceKey != "" {
		out.Once = &store.Once{Key: subject("", c.Channel, w.verdict.OnceKey), ForgetAt: w.now.Add(24 * time.Hour)}
	}
	if d := w.paid.Device; d != nil {
		if d.Ref != "" && w.verdict.Ref != d.Ref {
			return out, challenge.ErrWrong.WithLeft(c.Left())
		}
		change := store.DeviceChange{ID: d.ID, Version: d.Version, Ref: w.verdict.Ref, UsedAt: w.now}
		if w.verdict.Credential != nil {
			sealed, err := s.Sealer.Seal(w.verdict.Credential, PlaceOfCredential(d.Tenant, d.ID))
			if err != nil {
				return out, err
			}
			change.Credential = sealed
		}
		out.Device = &change
	}
	return out, nil
}

// person is somebody who must still be as they were when they were looked up.
func person(u user.User) *store.Person { return &store.Person{ID: u.ID, ResetAt: u.ResetAt} }

// evidence is what the answer proves.
func (w settling) evidence() assurance.Evidence {
	c := w.paid.Challenge
	e := assurance.Evidence{
		Channel: w.via.ID, Authenticator: c.Counter, Factor: assurance.Factor(w.via.Factor), Max: assurance.AAL(w.via.MaxAAL),
		AMR: w.via.AMR, Device: w.paid.Device != nil && w.paid.Device.Status != device.Linked, Backup: w.via.Backup, At: w.now,
	}
	if e.Authenticator == "" {
		e.Authenticator = "ref:" + subject(c.Tenant, w.via.ID, w.verdict.Ref)
	}
	if w.verdict.AMR != nil {
		e.AMR = w.verdict.AMR
	}
	return e
}

func (s *Service) settleSignIn(ctx context.Context, w settling) (Outcome, error) {
	c := w.paid.Challenge
	st, err := s.settlement(w)
	if err != nil {
		return Outcome{}, err
	}
	if out, theirs, err := s.settleClaimant(ctx, w, st); theirs || err != nil {
		return out, err
	}
	if w.paid.User == nil {
		if w.via.Identify {
			return s.recognise(ctx, w, st)
		}
		return s.settleStranger(ctx, w, st)
	}
	if !w.paid.Verified && c.Destination != "" {
		return s.settleClaim(ctx, w, st)
	}
	if !w.paid.User.Active() {
		return Outcome{}, challenge.ErrNotFound
	}
	return s.welcomeBack(ctx, w, st)
}

// welcomeBack signs somebody known in, or lets them wait for a second factor, or
// for what they lack if they never were in.
func (s *Service) welcomeBack(ctx context.Context, w settling, st store.Settlement) (Outcome, error) {
	u := *w.paid.User
	mine, due, err := s.secondFactorDue(ctx, u, w)
	if err != nil {
		return Outcome{}, err
	}
	if w.in.Further || due && !s.Sessions.Trusts(u, w.in.Trusted, w.now) {
		return s.waitForSecond(ctx, w, st, u, mine)
	}
	switch missing, d, err := s.lacking(ctx, w, u); {
	case err != nil:
		return Outcome{}, err
	case len(missing) > 0:
		return s.waitForRest(ctx, w, st, missing, d, []assurance.Evidence{w.evidence()})
	}
	s.join(w, &st, u, w.link)
	return s.startSession(ctx, w, st, user.Account{User: u}, []assurance.Evidence{w.evidence()})
}

// secondFactorDue reports whether a second factor must follow, and by which
// devices: not by the one that was just used, and not if that one asked for two
// factors itself. It reads them only where the answer may depend on them, or where
// one was asked for. Whoever came by their only device, and could have come by
// something else, is asked for what stands in for it: a phone that is both factors
// would be the only one.
func (s *Service) secondFactorDue(ctx context.Context, u user.User, w settling) ([]device.Device, bool, error) {
	p := s.Tenants.Policy(u.Tenant)
	if assurance.Assess([]assurance.Evidence{w.evidence()}).AAL >= assurance.AAL2 || !w.in.Further && !p.AsksForSecond(u, 1) {
		return nil, false, nil
	}
	mine, err := s.devices(ctx, u.Tenant, u.ID)
	if err != nil {
		return nil, false, err
	}
	all, used := seconds(mine), w.paid.Challenge.Counter
	mine = slices.DeleteFunc(mine, func(d device.Device) bool {
		return s.counterOfDevice(d) == used || w.paid.Device != nil && d.ID == w.paid.Device.ID
	})
	if n := seconds(mine); n > 0 || !p.AsksForSecond(u, all) {
		return mine, p.AsksForSecond(u, n), nil
	}
	account, err := s.Store.Account(ctx, u.Tenant, u.ID)
	other := func(i user.Identifier) bool { return i.Verified() && CounterOf(u.Tenant, i.Contact) != used }
	return mine, slices.ContainsFunc(account.Identifiers, other), err
}

// seconds counts the devices that give a second factor.
func seconds(all []device.Device) (n int) {
	for _, d := range all {
		if d.SecondFactor() {
			n++
		}
	}
	return n
}

func (s *Service) waitForSecond(ctx context.Context, w settling, st store.Settlement, u user.User, mine []device.Device) (Outcome, error) {
	waiting := s.Sessions.Wait(u, []assurance.Evidence{w.evidence()}, w.in.Client, w.now)
	if w.link != nil {
		waiting.Draft = &session.Draft{Link: w.link}
	}
	st.SignIn, st.Person = &waiting, person(u)
	if err := s.Store.Settle(ctx, st); err != nil {
		return Outcome{}, err
	}
	return Outcome{
		Status: FactorRequired, Pending: s.Sessions.PendingToken(u.Tenant, waiting.ID),
		ExpiresIn: waiting.ExpiresAt.Sub(w.now), Devices: mine,
	}, nil
}

func (s *Service) startSession(ctx context.Context, w settling, st store.Settlement, account user.Account, all []assurance.Evidence) (Outcome, error) {
	one := s.Sessions.Begin(account.User, all, w.in.Client, w.now)
	level := assurance.Assess(all)
	st.Session, st.Person = &one, person(account.User)
	if st.NewUser != nil && st.NewUser.ID == account.ID {
		st.Person = nil // nobody has heard of them yet
	}
	st.Events = append(st.Events, s.event(w, account.ID, event.SessionStarted, "session", one.ID, "acr", level.AAL.ACR(), "channel", w.via.ID, "client", one.Client))
	if err := s.Store.Settle(ctx, st); err != nil {
		return Outcome{}, err
	}
	s.wake(st)
	s.Meter.Count(meter.SessionsStarted, meter.L("acr", level.AAL.ACR()))
	return s.signedIn(one, account)
}

func (s *Service) signedIn(one session.Session, account user.Account) (Outcome, error) {
	tokens, err := s.Sessions.Issue(one)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Status: SignedIn, Tokens: &tokens, Account: &account}, nil
}

// event makes a fact of the settling transaction; data comes in pairs.
func (s *Service) event(w settling, user string, t event.Type, data ...string) event.Event {
	e := event.Event{ID: s.IDs.New(), Tenant: w.paid.Challenge.Tenant, User: user, Type: t, At: w.now, Data: map[string]string{}}
	for i := 0; i+1 < len(data); i += 2 {
		if data[i+1] != "" {
			e.Data[data[i]] = data[i+1]
		}
	}
	return e
}
