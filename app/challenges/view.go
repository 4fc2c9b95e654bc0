package challenges

import (
	"encoding/json"
	"time"

	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
)

// View is a challenge as whoever holds it may see it. It is the same for
// somebody who is there and for a decoy.
type View struct {
	Handle       string
	Purpose      challenge.Purpose
	Channel      string
	Status       challenge.Status
	Destination  string // masked
	Prompt       channel.Prompt
	Delivery     challenge.Delivery
	AttemptsLeft int
	SendsLeft    int
	ExpiresAt    time.Time
	ExpiresIn    time.Duration
	ResendAfter  time.Duration
	ChannelsLeft []string // by which a resend could go out instead
}

// Outcome is what a successful answer led to.
type Outcome struct {
	Status    Status
	Challenge *View            // Pending
	Tokens    *sessions.Tokens // SignedIn
	Account   *user.Account    // SignedIn
	NewUser   bool
	Pending   string // FactorRequired: the token to go on with
	ExpiresIn time.Duration
	Devices   []device.Device // FactorRequired: what may be asked; DeviceConfirmed: the one
	Recovery  []string        // DeviceConfirmed: shown once
	Trusted   string          // SignedIn: token of this browser, if it is remembered from now on
	TrustedIn time.Duration   // for how long

	Channel     string            // Proven, Approved
	Destination contact.Contact   // Proven
	Unmasked    bool              // Proven: whether the caller may see all of Destination
	Receipt     string            // Proven, Approved: signed
	Change      *user.Change      // IdentifierChanged, IdentifierPending
	Waiting     []string          // IdentifierPending: "new", "current"
	Missing     []contact.Kind    // IdentifierRequired
	Profile     map[string]string // IdentifierRequired: what is known already
}

// Status says what an outcome is.
type Status string

// The statuses.
const (
	SignedIn        Status = "signed_in"
	FactorRequired  Status = "factor_required"
	DeviceConfirmed Status = "device_confirmed"
	StillPending    Status = "pending"

	Proven             Status = "verified"
	IdentifierRequired Status = "identifier_required"
	IdentifierChanged  Status = "identifier_changed"
	IdentifierPending  Status = "identifier_pending"
	ResetAllowed       Status = "password_reset_allowed"
	Approved           Status = "approved"
)

func (s *Service) view(c challenge.Challenge) View {
	now := s.Clock.Now()
	v := View{
		Handle: c.Handle, Purpose: c.Purpose, Channel: c.Channel, Status: shownAs(c.At(now)), Destination: c.Shown,
		Prompt: promptOf(c), Delivery: c.Delivery, AttemptsLeft: c.Left(), SendsLeft: c.SendsLeft(),
		ExpiresAt: c.ExpiresAt, ExpiresIn: max(0, c.ExpiresAt.Sub(now)),
	}
	if v.SendsLeft > 0 {
		v.ResendAfter = max(0, c.ResendAt.Sub(now))
	}
	if v.SendsLeft > 0 && c.Device == "" {
		for _, in := range s.Channels.Route(c.Kind) {
			if in.ID != c.Channel && fits(in, c) {
				v.ChannelsLeft = append(v.ChannelsLeft, in.ID)
			}
		}
	}
	return v
}

// shownAs is a status in the words of the contract: an answer that came by
// another way is nobody's business but theirs who collect it.
func shownAs(s challenge.Status) challenge.Status {
	if s == challenge.Answered {
		return challenge.Pending
	}
	return s
}

// promptOf reads back what the person is asked to do, without what was shown once.
func promptOf(c challenge.Challenge) channel.Prompt {
	if c.Format.Typed() {
		return channel.EnterCode(shapeOf(c.Format))
	}
	var p channel.Prompt
	if json.Unmarshal(c.Prompt, &p) != nil {
		return channel.Wait()
	}
	return p
}

// keep splits a prompt into what is stored: a format if something is typed,
// else the prompt without what is shown once.
func keep(p channel.Prompt) (challenge.Format, []byte, error) {
	if p.Kind == channel.KindEnterCode {
		if p.Alphabet == channel.Digits {
			return challenge.Digits(p.Length), nil, nil
		}
		return challenge.Crockford(p.Length), nil, nil
	}
	p.Show = nil
	raw, err := json.Marshal(p)
	return "", raw, err
}
