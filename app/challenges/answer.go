package challenges

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
)

// AnswerInput is one response to a challenge.
type AnswerInput struct {
	Tenant   string
	Handle   string
	Code     *string          // as typed; nil if nothing was
	Data     json.RawMessage  // brought by a machine; nil if nothing was
	Link     string           // token of the link in the message; "" if none was
	Detail   []challenge.Fact // what the caller believes is approved; nil: does not say
	Client   string
	Address  string
	Key      *apikey.Key // the program that asks, if one does
	Trusted  string      // token of a browser that was remembered; "" if none
	Claim    string      // token of somebody who signed up by a form; "" if none
	Remember bool        // whether this browser is to be remembered
	Further  bool        // a second factor follows in any case
}

// Answer judges one response in three steps: pay for the attempt, ask the
// channel, settle. Paying first, and committing it, means that a thousand
// parallel guesses cost a thousand attempts.
func (s *Service) Answer(ctx context.Context, in AnswerInput) (Outcome, error) {
	switch {
	case in.Link != "":
		return s.answerLink(ctx, in)
	case in.Code == nil && in.Data == nil:
		return s.poll(ctx, in)
	}
	response, formats, err := response(in)
	if err != nil {
		s.Meter.Count(meter.AnswersRefused, meter.L("reason", challenge.ErrMalformed.Code))
		return Outcome{}, err
	}
	paid, windows, err := s.pay(ctx, in, formats)
	if err != nil {
		return Outcome{}, err
	}
	if outdated(paid) {
		return Outcome{}, challenge.ErrNotFound
	}
	if err := s.agrees(ctx, in, paid.Challenge); err != nil {
		return Outcome{}, err
	}
	via, err := s.Channels.Get(paid.Challenge.Channel)
	if err != nil {
		return Outcome{}, s.refund(ctx, paid, windows, err)
	}
	if err := s.locate(ctx, via, &paid, response); err != nil {
		return Outcome{}, s.refund(ctx, paid, windows, err)
	}
	verdict, err := s.ask(ctx, via, paid, response)
	if err != nil {
		return Outcome{}, s.refund(ctx, paid, windows, err)
	}
	s.count(paid.Challenge, verdict.Outcome)
	switch {
	case paid.Challenge.Decoy:
		return Outcome{}, s.wrong(ctx, paid)
	case verdict.Outcome == channel.Verified:
		out, err := s.settle(ctx, settling{in: in, via: via, paid: paid, verdict: verdict, windows: windows})
		if errors.Is(err, device.ErrUsed) { // somebody was faster with the same code
			err = s.wrong(ctx, paid)
		}
		return out, err
	case verdict.Outcome == channel.Pending:
		return s.wait(ctx, paid.Challenge, verdict)
	case verdict.Reason == channel.Denied:
		if err := s.denied(ctx, paid); err != nil {
			return Outcome{}, err
		}
		return Outcome{}, challenge.ErrWrong.WithLeft(0)
	}
	return Outcome{}, s.wrong(ctx, paid)
}

// denied ends a challenge to which the person has said no: it was not they who
// asked, so nobody may try again.
func (s *Service) denied(ctx context.Context, paid store.Charged) error {
	err := s.Cancel(ctx, paid.Challenge.Tenant, paid.Challenge.Handle)
	if errors.Is(err, challenge.ErrNotFound) {
		return nil // it has ended meanwhile
	}
	return err
}

// outdated reports whether the challenge lost its meaning since it began: its
// device was removed, or everything under way was made worthless.
func outdated(paid store.Charged) bool {
	c := paid.Challenge
	return c.Device != "" && paid.Device == nil || paid.User != nil && c.CreatedAt.Before(paid.User.ResetAt)
}

// agrees refuses an approval of something else than what was shown. Whoever
// tries has changed the transaction, so the challenge dies.
func (s *Service) agrees(ctx context.Context, in AnswerInput, c challenge.Challenge) error {
	if in.Detail == nil || bytes.Equal(challenge.DetailHash(in.Detail), challenge.DetailHash(c.Extra.Detail)) {
		return nil
	}
	if err := s.Cancel(ctx, c.Tenant, c.Handle); err != nil {
		return err
	}
	return ErrRequest.With(fault.Field{Pointer: "/detail", Code: "detail_changed", Detail: "This is not what was shown. Start again."})
}

// response cleans what was typed. What no challenge could have asked for is
// refused before anybody looks for the challenge.
func response(in AnswerInput) (channel.Response, []challenge.Format, error) {
	if in.Code == nil {
		return channel.Response{Data: in.Data}, nil, nil
	}
	code, ok := challenge.Clean(*in.Code)
	formats := challenge.Formats(code)
	if !ok || len(formats) == 0 || in.Data != nil {
		return channel.Response{}, nil, challenge.ErrMalformed
	}
	return channel.Response{Code: code}, formats, nil
}

func (s *Service) pay(ctx context.Context, in AnswerInput, formats []challenge.Format) (store.Charged, []limit.Charge, error) {
	p := s.Tenants.Policy(in.Tenant)
	windows := charges("failures", in.Tenant, in.Address, p.Limits.AddressFailures)
	paid, err := s.Store.Charge(ctx, store.Charge{
		Tenant: in.Tenant, Handle: in.Handle, Formats: formats, Throttle: p.Throttle,
		Windows: windows, Live: p.Challenge.Live, Now: s.Clock.Now(),
	})
	if err != nil {
		s.countLimit(err)
	}
	return paid, windows, err
}

func (s *Service) ask(ctx context.Context, via channels.Instance, paid store.Charged, r channel.Response) (channel.Verdict, error) {
	c := paid.Challenge
	var account user.Account
	if paid.User != nil {
		account.User = *paid.User
	}
	q, err := s.asked(c, account, paid.Device)
	if err != nil {
		return channel.Verdict{}, err
	}
	var state channel.State
	if c.State != nil {
		if state, err = s.Sealer.Open(c.State, placeOfState(c)); err != nil {
			return channel.Verdict{}, fmt.Errorf("open the state of a challenge: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	if via.Costs && c.Decoy {
		return channel.Reject(channel.Mismatch), s.pace.pretend(ctx, via.ID, judged)
	}
	start := s.Clock.Now()
	v, err := via.Channel.Verify(ctx, q, state, r)
	if err != nil {
		err = s.trouble(via.ID, err)
	}
	if via.Costs {
		s.pace.learn(via.ID, judged, fate{s.Clock.Now().Sub(start), err})
	}
	return v, err
}

// refund gives everything back that was paid for an answer that nobody could
// judge. The answer that led here is what the caller hears of.
func (s *Service) refund(ctx context.Context, paid store.Charged, windows []limit.Charge, because error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Patience)
	defer cancel()
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		c, err := tx.Challenges().Get(ctx, paid.Challenge.Tenant, paid.Challenge.Handle)
		if err != nil {
			return err
		}
		c.Refund()
		if err := tx.Challenges().Save(ctx, c); err != nil {
			return err
		}
		return tx.Challenges().Refund(ctx, c.Counter, keys(windows), s.Clock.Now())
	})
	if err != nil {
		s.Log.Error("an attempt could not be given back", "error", err)
	}
	return because
}

// wrong is the answer to a wrong answer. If it locked the authenticator, that
// is a fact worth recording.
func (s *Service) wrong(ctx context.Context, paid store.Charged) error {
	c := paid.Challenge
	now := s.Clock.Now()
	if now.Before(paid.Counter.LockedUntil) {
		s.Meter.Count(meter.AuthenticatorLocked, meter.L("channel", c.Channel))
		e := event.Event{
			ID: s.IDs.New(), Tenant: c.Tenant, User: c.User, Type: event.DeviceLocked, At: now,
			Data: map[string]string{"channel": c.Channel, "device": c.Device, "until": paid.Counter.LockedUntil.Format(time.RFC3339)},
		}
		err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
			if err := s.tellLocked(ctx, tx, paid, now); err != nil {
				return err
			}
			return tx.Journal().Record(ctx, e)
		})
		if err != nil {
			s.Log.Error("a lock could not be recorded", "error", err)
		}
		s.Notices.Wake()
	}
	return challenge.ErrWrong.WithLeft(c.Left())
}

// wait keeps what a channel wants to remember while nothing has happened yet.
func (s *Service) wait(ctx context.Context, c challenge.Challenge, v channel.Verdict) (Outcome, error) {
	if v.State != nil {
		sealed, err := s.Sealer.Seal(v.State, placeOfState(c))
		if err != nil {
			return Outcome{}, err
		}
		err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
			now, err := tx.Challenges().Get(ctx, c.Tenant, c.Handle)
			if err != nil {
				return err
			}
			now.State = sealed
			return tx.Challenges().Save(ctx, now)
		})
		if err != nil {
			return Outcome{}, err
		}
	}
	view := s.view(c)
	return Outcome{Status: StillPending, Challenge: &view}, nil
}

func (s *Service) count(c challenge.Challenge, o channel.Outcome) {
	if c.Decoy {
		o = channel.Rejected
	}
	s.Meter.Count(meter.AnswersEvaluated, meter.L("purpose", string(c.Purpose)), meter.L("channel", c.Channel), meter.L("outcome", string(o)))
}

func keys(windows []limit.Charge) []string {
	out := make([]string, len(windows))
	for i, w := range windows {
		out[i] = w.Key
	}
	return out
}
