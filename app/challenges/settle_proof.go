package challenges

import (
	"context"
	"maps"
	"time"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/token"
)

// settleProof is the end of a challenge that only proves an address. Whoever
// asked gets a receipt that others can check.
func (s *Service) settleProof(ctx context.Context, w settling) (Outcome, error) {
	c := w.paid.Challenge
	st, err := s.settlement(w)
	if err != nil {
		return Outcome{}, err
	}
	st.Events = append(st.Events, s.witness(w, "", event.AddressVerified, "kind", string(c.Kind), "channel", c.Channel))
	receipt, err := s.receipt(w, token.Receipt{Destination: c.Destination})
	if err != nil {
		return Outcome{}, err
	}
	if err := s.Store.Settle(ctx, st); err != nil {
		return Outcome{}, err
	}
	out := Outcome{Status: Proven, Channel: c.Channel, Receipt: receipt, Destination: contact.Contact{Kind: c.Kind, Value: c.Destination}}
	out.Unmasked = w.in.Key != nil && w.in.Key.ID == c.Extra.Key
	return out, nil
}

// settleApproval is the end of a challenge that agrees to a transaction.
func (s *Service) settleApproval(ctx context.Context, w settling) (Outcome, error) {
	c := w.paid.Challenge
	st, err := s.settlement(w)
	if err != nil {
		return Outcome{}, err
	}
	who := ""
	if w.paid.User != nil {
		if who = w.paid.User.ID; !w.paid.User.Active() {
			return Outcome{}, challenge.ErrNotFound
		}
	}
	st.Events = append(st.Events, s.witness(w, who, event.Approved, "channel", c.Channel))
	level := assurance.Assess([]assurance.Evidence{w.evidence()})
	receipt, err := s.receipt(w, token.Receipt{
		Subject: who, DetailHash: challenge.DetailHash(c.Extra.Detail), AMR: level.AMR, ACR: level.AAL.ACR(),
	})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Status: Approved, Channel: c.Channel, Receipt: receipt}, s.Store.Settle(ctx, st)
}

// receipt signs what was proven.
func (s *Service) receipt(w settling, r token.Receipt) (string, error) {
	c := w.paid.Challenge
	r.Audience, r.Tenant, r.ID = c.Extra.Key, c.Tenant, s.IDs.New()
	r.Purpose, r.Channel, r.IssuedAt = string(c.Purpose), c.Channel, w.now
	return s.Signer.Receipt(r)
}

// witness is a fact that also carries what the caller handed along.
func (s *Service) witness(w settling, user string, t event.Type, data ...string) event.Event {
	e := s.event(w, user, t, data...)
	own := map[string]string{}
	for k, v := range w.paid.Challenge.Extra.Metadata {
		own["metadata."+k] = v
	}
	maps.Copy(own, e.Data) // what we say stands
	e.Data = own
	return e
}

// settleReset lets whoever proved an address of an account choose a new password
// for it. It signs nobody in: that asks for everything that it always asks for.
func (s *Service) settleReset(ctx context.Context, w settling) (Outcome, error) {
	c := w.paid.Challenge
	if w.paid.User == nil || !w.paid.User.Active() || !w.paid.Verified {
		return Outcome{}, challenge.ErrNotFound
	}
	st, err := s.settlement(w)
	if err != nil {
		return Outcome{}, err
	}
	waiting := s.Sessions.Wait(*w.paid.User, []assurance.Evidence{w.evidence()}, w.in.Client, w.now)
	waiting.Step = session.Reset
	st.SignIn = &waiting
	if err := s.Store.Settle(ctx, st); err != nil {
		return Outcome{}, err
	}
	return Outcome{
		Status: ResetAllowed, Pending: s.Sessions.PendingToken(c.Tenant, waiting.ID), ExpiresIn: waiting.ExpiresAt.Sub(w.now),
	}, nil
}

// settled is a settlement that only ends its challenge, and clears its counter.
func (s *Service) settled(ctx context.Context, w settling) error {
	st, err := s.settlement(w)
	if err != nil {
		return err
	}
	return s.Store.Settle(ctx, st)
}

// expires is how long a waiting sign-in is good for from now.
func expires(waiting session.SignIn, now time.Time) time.Duration {
	return max(0, waiting.ExpiresAt.Sub(now))
}
