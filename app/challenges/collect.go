package challenges

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
)

// poll asks whether anything has happened meanwhile. That is no attempt. If the
// right answer came by another way, what follows from it is collected now.
func (s *Service) poll(ctx context.Context, in AnswerInput) (Outcome, error) {
	c, err := s.Store.Challenge(ctx, in.Tenant, in.Handle, s.Tenants.Policy(in.Tenant).Challenge.Live)
	if err != nil {
		return Outcome{}, err
	}
	if c.At(s.Clock.Now()) == challenge.Answered {
		return s.collect(ctx, in, c)
	}
	if err := c.Refusal(s.Clock.Now()); err != nil {
		return Outcome{}, err
	}
	view := s.view(c)
	return Outcome{Status: StillPending, Challenge: &view}, nil
}

// collect makes of an answered challenge what its purpose says.
func (s *Service) collect(ctx context.Context, in AnswerInput, c challenge.Challenge) (Outcome, error) {
	raw, err := s.Sealer.Open(c.State, placeOfState(c))
	if err != nil {
		return Outcome{}, fmt.Errorf("open the verdict of a challenge: %w", err)
	}
	var v channel.Verdict
	if err := json.Unmarshal(raw, &v); err != nil {
		return Outcome{}, fmt.Errorf("read the verdict of a challenge: %w", err)
	}
	return s.settleFree(ctx, in, c, v, true)
}

// settleFree settles what cost no attempt: an opened link, an answer that came
// by another way.
func (s *Service) settleFree(ctx context.Context, in AnswerInput, c challenge.Challenge, v channel.Verdict, answered bool) (Outcome, error) {
	via, err := s.Channels.Get(c.Channel)
	if err != nil {
		return Outcome{}, err
	}
	about, err := s.about(ctx, c)
	if err != nil {
		return Outcome{}, err
	}
	if outdated(about) {
		return Outcome{}, challenge.ErrNotFound
	}
	return s.settle(ctx, settling{in: in, via: via, paid: about, verdict: v, answered: answered})
}

// about is what a paid evaluation may look at, for one that is free.
func (s *Service) about(ctx context.Context, c challenge.Challenge) (store.Charged, error) {
	out := store.Charged{Challenge: c}
	if c.User == "" {
		return out, nil
	}
	account, err := s.Store.Account(ctx, c.Tenant, c.User)
	if errors.Is(err, user.ErrNotFound) {
		return out, challenge.ErrNotFound
	}
	if err != nil {
		return out, err
	}
	out.User = &account.User
	id, ok := account.Find(c.Kind)
	out.Verified = ok && id.Verified() && id.Contact == contact.Contact{Kind: c.Kind, Value: c.Destination}
	if c.Device == "" {
		return out, nil
	}
	d, err := s.deviceOf(ctx, c)
	if errors.Is(err, device.ErrNotFound) {
		return out, nil // it was removed meanwhile: see outdated
	}
	if d.User == c.User {
		out.Device = &d
	}
	return out, err
}

// deviceOf finds the device of a challenge, also one that waits for its proof.
func (s *Service) deviceOf(ctx context.Context, c challenge.Challenge) (d store.Device, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		d, err = tx.Devices().Get(ctx, c.Tenant, c.Device)
		return err
	})
	return d, err
}

// link finds the challenge of a link, and says what is the matter with it. A
// link that was tampered with leads nowhere, and nobody pays for it: its MAC
// has more bits than anybody can guess. It works where all tenants are reached,
// and at the tenant's own address, but not at another's.
func (s *Service) link(ctx context.Context, at, text string) (challenge.Challenge, error) {
	t, ok := readLink(text)
	if !ok || !s.Tenants.Has(t.tenant) || at != t.tenant && at != tenant.Default {
		return challenge.Challenge{}, challenge.ErrNotFound
	}
	c, err := s.Store.Challenge(ctx, t.tenant, t.handle, s.Tenants.Policy(t.tenant).Challenge.Live)
	if err != nil {
		return c, err
	}
	if !s.Links.matches(c, t.mac) {
		return challenge.Challenge{}, challenge.ErrNotFound
	}
	switch c.At(s.Clock.Now()) {
	case challenge.Pending:
		return c, nil
	case challenge.Verified, challenge.Answered:
		return c, challenge.ErrLinkUsed
	case challenge.Expired:
		return c, challenge.ErrLinkExpired
	case challenge.Exhausted:
		return c, challenge.ErrExhausted
	case challenge.Cancelled:
	}
	return c, challenge.ErrNotFound
}

// answerLink answers a challenge with the token of its link. The caller holds
// the handle too, so it is whoever asked.
func (s *Service) answerLink(ctx context.Context, in AnswerInput) (Outcome, error) {
	if in.Code != nil || in.Data != nil {
		return Outcome{}, challenge.ErrMalformed
	}
	c, err := s.link(ctx, in.Tenant, in.Link)
	if err != nil {
		return Outcome{}, err
	}
	if c.Handle != in.Handle || c.Tenant != in.Tenant {
		return Outcome{}, challenge.ErrNotFound
	}
	return s.settleFree(ctx, in, c, channel.Verdict{Outcome: channel.Verified}, false)
}

// Opened is what a browser sees that opens a link.
type Opened struct {
	Destination string // masked: who would be signed in
	ReturnTo    string // where to go afterwards; "" if nobody said
	Mine        bool   // whether this is the browser that asked
}

// OpenLink looks at a link. It changes nothing: mail scanners open links too.
func (s *Service) OpenLink(ctx context.Context, at, text, secret string) (Opened, error) {
	c, err := s.link(ctx, at, text)
	if err != nil {
		return Opened{}, err
	}
	return Opened{Destination: c.Shown, ReturnTo: c.Extra.ReturnTo, Mine: asked(c, secret)}, nil
}

// FollowLink answers the challenge of a link in the browser that asked, and says
// where that browser goes next. Whoever asked collects what follows.
func (s *Service) FollowLink(ctx context.Context, at, text, secret string) (Opened, error) {
	c, err := s.link(ctx, at, text)
	if err != nil {
		return Opened{}, err
	}
	if !asked(c, secret) {
		return Opened{}, challenge.ErrElsewhere
	}
	if err = s.keepAnswer(ctx, c, channel.Verdict{Outcome: channel.Verified}); errors.Is(err, challenge.ErrNotFound) {
		err = challenge.ErrLinkUsed // somebody was faster
	}
	return Opened{Destination: c.Shown, ReturnTo: c.Extra.ReturnTo, Mine: true}, err
}

// SettleLink answers the challenge of a link in the browser that asked, and
// gives that browser what follows.
func (s *Service) SettleLink(ctx context.Context, in AnswerInput, secret string) (Outcome, Opened, error) {
	c, err := s.link(ctx, in.Tenant, in.Link)
	if err != nil {
		return Outcome{}, Opened{}, err
	}
	if !asked(c, secret) {
		return Outcome{}, Opened{}, challenge.ErrElsewhere
	}
	in.Tenant = c.Tenant
	out, err := s.settleFree(ctx, in, c, channel.Verdict{Outcome: channel.Verified}, false)
	return out, Opened{Destination: c.Shown, ReturnTo: c.Extra.ReturnTo, Mine: true}, err
}

// asked reports whether the secret is that of the browser that asked.
func asked(c challenge.Challenge, secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	return secret != "" && subtle.ConstantTimeCompare(sum[:], c.Extra.Browser) == 1
}
