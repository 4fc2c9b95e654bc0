package challenges

import (
	"context"
	"errors"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
)

// Immediate is something that is asked and answered in one request: a password,
// an assertion that somebody else made. It is a challenge like any other, so it
// is paid for, throttled and counted like any other.
type Immediate struct {
	Tenant  string
	Account user.Account // zero if nobody is there: then it is judged all the same, and refused
	Via     channels.Instance
	Counter string // whose failures in a row count
	Client  string
	Address string
	Locale  string
	Trusted string // token of a browser that was remembered
	Further bool   // a second factor follows in any case: its answer is at hand

	// Only proves it, and starts no session: the outcome is empty.
	Only bool
	// Judge looks at the response, after it was paid for.
	Judge func(ctx context.Context) (channel.Verdict, error)
}

// CounterFor names the failures in a row of what is neither device nor address, without telling
// what it is.
func CounterFor(tenant, use, value string) string { return use + ":" + subject(tenant, use, value) }

// Immediately asks and answers in one go: pay, ask, settle.
func (s *Service) Immediately(ctx context.Context, in Immediate) (Outcome, error) {
	now := s.Clock.Now()
	p := s.Tenants.Policy(in.Tenant)
	a := aim{purpose: challenge.SignIn, via: in.Via, account: in.Account, decoy: in.Account.ID == "", counter: in.Counter}
	start := StartInput{Tenant: in.Tenant, Purpose: challenge.SignIn, Locale: in.Locale, Client: in.Client, Address: in.Address}
	c, err := s.compose(start, a, p, now)
	if err != nil {
		return Outcome{}, err
	}
	c.Format, c.Round = "", 1
	price := s.windows(start, c, p)
	if err := s.Store.Start(ctx, store.Start{Challenge: c, Windows: price, Now: now}); err != nil {
		s.countLimit(err)
		return Outcome{}, err
	}
	answer := AnswerInput{Tenant: in.Tenant, Handle: c.Handle, Client: in.Client, Address: in.Address, Trusted: in.Trusted, Further: in.Further}
	paid, windows, err := s.pay(ctx, answer, nil)
	if err != nil {
		return Outcome{}, err
	}
	verdict, err := in.Judge(ctx)
	if err != nil {
		return Outcome{}, s.refund(ctx, paid, append(price, windows...), err)
	}
	s.count(paid.Challenge, verdict.Outcome)
	if paid.Challenge.Decoy || verdict.Outcome != channel.Verified || outdated(paid) || paid.User == nil || !paid.User.Lasts(in.Account.ResetAt) {
		return Outcome{}, s.wrong(ctx, paid)
	}
	w := settling{in: answer, via: in.Via, paid: paid, verdict: verdict, windows: windows}
	if in.Only {
		w.now = s.Clock.Now()
		return Outcome{}, s.settled(ctx, w)
	}
	out, err := s.settle(ctx, w)
	if errors.Is(err, device.ErrUsed) {
		err = s.wrong(ctx, paid)
	}
	return out, err
}
