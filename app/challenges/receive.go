package challenges

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
)

// CallbackPath is where third parties bring responses: CallbackPath, then the
// channel.
const CallbackPath = "/callback/"

// ReceiptsPath is where carriers report what became of messages: ReceiptsPath,
// then the channel.
const ReceiptsPath = "/receipts/"

// ErrForged means that a message does not come from whom it says.
var ErrForged = fault.New(fault.Forbidden, "forbidden", "This message does not come from whom it says it does.")

// callback is the address at which third parties bring responses to a channel.
func (s *Service) callback(instance string) string {
	if s.Links.Base == "" {
		return ""
	}
	return s.Links.Base + CallbackPath + instance
}

// Inbound is a request of a third party: a provider's message, or a browser that
// a provider has sent back.
type Inbound struct {
	Channel string
	Request channel.Inbound
	Browser bool   // a browser brings it
	Secret  string // that the browser keeps
	Client  string
	Address string
}

// Received is what became of it.
type Received struct {
	Tenant   string
	Handle   string
	ReturnTo string // where a browser goes next; "" if nobody said
}

// Receive takes the response to a challenge that a third party brings. A browser
// must be the one that asked. Whoever asked collects what follows.
func (s *Service) Receive(ctx context.Context, in Inbound) (Received, error) {
	via, err := s.Channels.Get(in.Channel)
	if err != nil {
		return Received{}, err
	}
	receiver, ok := channel.As[channel.Callback](via.Channel)
	if !ok {
		return Received{}, channels.ErrNotConfigured
	}
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	handle, response, err := receiver.Receive(ctx, in.Request)
	switch {
	case errors.Is(err, channel.ErrForged):
		return Received{}, ErrForged
	case errors.Is(err, channel.ErrIrrelevant) && !in.Browser:
		return Received{}, nil
	case errors.Is(err, channel.ErrIrrelevant):
		return Received{}, challenge.ErrNotFound
	case err != nil:
		return Received{}, s.trouble(via.ID, err)
	}
	c, err := s.anyones(ctx, handle)
	if err != nil {
		return Received{}, err
	}
	if c.Channel != via.ID {
		return Received{}, challenge.ErrNotFound
	}
	if in.Browser && !asked(c, in.Secret) {
		return Received{}, challenge.ErrElsewhere
	}
	done := Received{Tenant: c.Tenant, Handle: c.Handle, ReturnTo: c.Extra.ReturnTo}
	return done, s.receive(ctx, in, via, c, response)
}

// anyones finds a challenge whatever its tenant: third parties name none.
func (s *Service) anyones(ctx context.Context, handle string) (challenge.Challenge, error) {
	for _, tenant := range s.Tenants.Slugs() {
		c, err := s.Store.Challenge(ctx, tenant, handle, s.Tenants.Policy(tenant).Challenge.Live)
		if !errors.Is(err, challenge.ErrNotFound) {
			return c, err
		}
	}
	return challenge.Challenge{}, challenge.ErrNotFound
}

func (s *Service) receive(ctx context.Context, in Inbound, via channels.Instance, c challenge.Challenge, r channel.Response) error {
	answer := AnswerInput{Tenant: c.Tenant, Handle: c.Handle, Client: in.Client, Address: in.Address}
	formats := []challenge.Format{c.Format}
	if c.Format == "" {
		formats = nil
	}
	paid, windows, err := s.pay(ctx, answer, formats)
	if err != nil {
		return err
	}
	if outdated(paid) {
		return challenge.ErrNotFound
	}
	verdict, err := s.ask(ctx, via, paid, r)
	if err != nil {
		return s.refund(ctx, paid, windows, err)
	}
	s.count(paid.Challenge, verdict.Outcome)
	switch {
	case paid.Challenge.Decoy:
		return s.wrong(ctx, paid)
	case verdict.Outcome == channel.Verified:
		return s.keepAnswer(ctx, paid.Challenge, verdict)
	case verdict.Outcome == channel.Pending:
		_, err := s.wait(ctx, paid.Challenge, verdict)
		return errors.Join(err, s.refund(ctx, paid, windows, nil))
	}
	if verdict.Reason == channel.Denied && !via.Identify {
		return s.denied(ctx, paid) // whoever said so was heard
	}
	err = s.wrong(ctx, paid)
	if via.Identify {
		return unasserted(verdict)
	}
	return err
}

// keepAnswer notes a right answer for whoever asked.
func (s *Service) keepAnswer(ctx context.Context, c challenge.Challenge, v channel.Verdict) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	sealed, err := s.Sealer.Seal(raw, placeOfState(c))
	if err != nil {
		return err
	}
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		now, err := tx.Challenges().Get(ctx, c.Tenant, c.Handle)
		if err != nil {
			return err
		}
		if err := now.Answer(s.Clock.Now(), sealed); err != nil {
			return err
		}
		return tx.Challenges().Save(ctx, now)
	})
}
