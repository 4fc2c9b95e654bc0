package challenges

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
)

// opened is a challenge that has begun, with what is shown once.
type opened struct {
	View

	show       []string
	credential []byte // binds the device at once
}

// open asks the channel to begin, outside any transaction, and then stores the
// challenge, what the channel wants to remember, what is to be sent, and the
// price, all in one.
func (s *Service) open(ctx context.Context, in StartInput, a aim) (opened, error) {
	now := s.Clock.Now()
	p := s.Tenants.Policy(in.Tenant)
	c, err := s.compose(in, a, p, now)
	if err != nil {
		return opened{}, err
	}
	if a.via.Costs {
		return s.openPaid(ctx, in, a, c)
	}
	o, err := s.begin(ctx, &c, a)
	if err != nil {
		return opened{}, err
	}
	if o.Credential != nil {
		return opened{View: s.view(c), show: o.Prompt.Show, credential: o.Credential}, nil
	}
	start := store.Start{Challenge: c, Windows: s.windows(in, c, p), Now: now}
	if o.Deliver {
		start.Message = s.message(c, now)
	}
	if err := s.commit(ctx, start); err != nil {
		s.countLimit(err)
		return opened{}, err
	}
	s.Meter.Count(meter.ChallengesStarted, meter.L("purpose", string(c.Purpose)), meter.L("channel", c.Channel))
	v := s.view(c)
	v.Prompt.Show = o.Prompt.Show
	return opened{View: v, show: o.Prompt.Show}, nil
}

// commit stores what begins. A message that this process can send at once is
// committed as taken, so nobody has to look for it.
func (s *Service) commit(ctx context.Context, start store.Start) error {
	mine := start.Message != nil && s.Courier.Reserve(start.Message, start.Now)
	if err := s.Store.Start(ctx, start); err != nil {
		if mine {
			s.Courier.Release()
		}
		return err
	}
	switch {
	case mine:
		s.Courier.Take(store.Parcel{Message: *start.Message, Challenge: start.Challenge})
	case start.Message != nil:
		s.Courier.Wake()
	}
	return nil
}

func (s *Service) compose(in StartInput, a aim, p policy.Policy, now time.Time) (challenge.Challenge, error) {
	random := make([]byte, 32)
	if _, err := io.ReadFull(s.Random, random); err != nil {
		return challenge.Challenge{}, fmt.Errorf("draw a handle: %w", err)
	}
	c := challenge.Challenge{
		Handle: base64.RawURLEncoding.EncodeToString(random[:16]), Nonce: random[16:], KeyID: s.Codes.key(),
		Tenant: in.Tenant, Purpose: a.purpose, Channel: a.via.ID, Status: challenge.Pending,
		Delivery: challenge.NoDelivery, Decoy: a.decoy, User: a.account.ID,
		Kind: a.to.Kind, Destination: a.to.Value, Shown: a.shown, Counter: counterOf(in.Tenant, a),
		Format: p.Challenge.Format, Extra: a.extra,
		Locale: firstOf(in.Locale, a.account.Locale, in.Prefers), Client: in.Client,
		Allowed: p.Challenge.Attempts, CreatedAt: now, ExpiresAt: now.Add(p.Challenge.Life),
	}
	if a.device != nil {
		c.Device = a.device.ID
	}
	if in.Pending != nil {
		c.SignIn = in.Pending.ID
	}
	if in.Caller != nil && (a.purpose == challenge.StepUp || a.purpose == challenge.ChangeIdentifier) {
		c.Session = in.Caller.Session.ID
	}
	return c, nil
}

// begin asks the channel and writes its answer into the challenge.
func (s *Service) begin(ctx context.Context, c *challenge.Challenge, a aim) (channel.Opening, error) {
	c.Round++
	asked, err := s.asked(*c, a.account, a.device)
	if err != nil {
		return channel.Opening{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	o, err := a.via.Channel.Begin(ctx, asked)
	if err != nil {
		return channel.Opening{}, s.trouble(c.Channel, err)
	}
	if c.Format, c.Prompt, err = keep(o.Prompt); err != nil {
		return channel.Opening{}, err
	}
	if o.State != nil {
		if c.State, err = s.Sealer.Seal(o.State, placeOfState(*c)); err != nil {
			return channel.Opening{}, err
		}
	}
	if o.Deliver {
		p := s.Tenants.Policy(c.Tenant).Challenge
		c.Delivery, c.Sends, c.MaxSends = challenge.Queued, 1, p.Sends
		c.ResendAt = c.CreatedAt.Add(p.ResendAfter)
	}
	return o, nil
}

// asked is what a channel may know about a challenge.
func (s *Service) asked(c challenge.Challenge, account user.Account, d *store.Device) (channel.Challenge, error) {
	q := channel.Challenge{
		Handle: c.Handle, Round: c.Round, Purpose: channel.Authenticate, Subject: account.ID, Label: label(account),
		Address: c.Destination, Locale: c.Locale, ExpiresAt: c.ExpiresAt, Seed: seed(c), Detail: inWords(c.Extra.Detail),
		Callback: s.callback(c.Channel),
	}
	if c.Purpose == challenge.Enroll {
		q.Purpose = channel.Enroll
		return q, nil
	}
	if d == nil || d.Credential == nil {
		return q, nil
	}
	credential, err := s.Sealer.Open(d.Credential, PlaceOfCredential(d.Tenant, d.ID))
	if err != nil {
		return q, fmt.Errorf("open the credential of device %s: %w", d.ID, err)
	}
	q.Credential = credential
	return q, nil
}

// inWords is what is approved, one fact a line.
func inWords(facts []challenge.Fact) string {
	lines := make([]string, len(facts))
	for i, f := range facts {
		lines[i] = f.Label + ": " + f.Value
	}
	return strings.Join(lines, "\n")
}

// label is what an authenticator app shows. What is only claimed is not shown:
// who else has proven it would be told by its absence.
func label(a user.Account) string {
	for _, k := range []contact.Kind{contact.Email, contact.Username, contact.Phone} {
		if id, ok := a.Find(k); ok && (id.Verified() || k == contact.Username) {
			return id.Value
		}
	}
	return a.ID
}

func (s *Service) message(c challenge.Challenge, now time.Time) *store.Message {
	return &store.Message{
		ID: s.IDs.New(), Tenant: c.Tenant, Handle: c.Handle, Channel: c.Channel, Number: c.Sends,
		NextAt: now, Deadline: c.ExpiresAt,
	}
}

// windows is the price of a challenge. Only what sends costs its recipient.
func (s *Service) windows(in StartInput, c challenge.Challenge, p policy.Policy) []limit.Charge {
	var out []limit.Charge
	if c.Delivery != challenge.NoDelivery {
		out = s.recipient(c, p)
	}
	if a := in.Caller == nil && in.Key == nil && in.Pending == nil; a || c.Purpose == challenge.ChangeIdentifier {
		return append(out, s.Price(c.Tenant, in.Address)...) // an account is no licence to write to everybody
	}
	return append(out, charges("tenant", c.Tenant, "", p.Limits.Tenant)...)
}

// Price is what one request costs that anybody may make: the client's network
// address, and the tenant.
func (s *Service) Price(tenant, address string) []limit.Charge {
	p := s.Tenants.Policy(tenant).Limits
	return append(charges("address", tenant, address, p.Address), charges("tenant", tenant, "", p.Tenant)...)
}

// recipient is the price of one message to a destination, or to a device that has
// none: nobody is asked by it again and again until they give in.
func (s *Service) recipient(c challenge.Challenge, p policy.Policy) []limit.Charge {
	var out []limit.Charge
	if p.Challenge.ResendAfter > 0 {
		out = append(out, limit.Charge{Key: CooldownKey(c), Rule: limit.Rule{Max: 1, Window: p.Challenge.ResendAfter}, Cooldown: true})
	}
	return append(out, charges("recipient", c.Tenant, reached(c), p.Limits.Recipient)...)
}

// CooldownKey names the window between two messages to one destination.
func CooldownKey(c challenge.Challenge) string {
	return "cooldown:" + subject(c.Tenant, "cooldown", reached(c))
}

// reached is who gets the messages of a challenge.
func reached(c challenge.Challenge) string {
	if c.Destination == "" && c.Device != "" {
		return "device " + c.Device
	}
	return string(c.Kind) + c.Destination
}

func charges(name, tenant, who string, rules []limit.Rule) []limit.Charge {
	out := make([]limit.Charge, len(rules))
	for i, r := range rules {
		out[i] = limit.Charge{Rule: r, Key: name + r.Window.String() + ":" + subject(tenant, name, who)}
	}
	return out
}

// counterOf says whose failures in a row an answer counts towards: those of the
// device, or of the address whoever it belongs to. So no spelling of the
// address, and no new challenge, is a way around.
func counterOf(tenant string, a aim) string {
	switch {
	case a.counter != "":
		return a.counter
	case a.device == nil && a.to.IsZero():
		return "" // nobody is named, so nobody can be guessed at
	}
	if a.device != nil && a.to.IsZero() {
		return "device:" + a.device.ID
	}
	return "address:" + subject(tenant, "counter", string(a.to.Kind)+a.to.Value)
}

func (s *Service) counterOfDevice(d store.Device) string {
	a, err := s.aimDevice(challenge.SecondFactor, user.Account{}, d)
	if err != nil {
		return "" // its channel is no longer configured
	}
	return counterOf(d.Tenant, a)
}

// subject names something without telling what it is, the same on every replica
// and under every key.
func subject(tenant, use, value string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{tenant, use, value}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// trouble says what a channel's failure means to whoever asked.
func (s *Service) trouble(instance string, err error) error {
	s.Log.Error("the channel could not answer", "channel", instance, "error", err)
	if busy, ok := errors.AsType[*channel.ThrottledError](err); ok {
		return ErrUnavailable.Retry(max(busy.After, time.Second)).Because(err)
	}
	return ErrUnavailable.Retry(5 * time.Second).Because(err)
}

func (s *Service) countLimit(err error) {
	if f, ok := fault.Of(err); ok && f.Kind == fault.Throttled {
		s.Meter.Count(meter.LimitsHit, meter.L("reason", f.Code))
	}
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
