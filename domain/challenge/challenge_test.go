package challenge

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func pending(allowed int) Challenge {
	return Challenge{
		Status: Pending, Delivery: Queued, Allowed: allowed, Sends: 1, MaxSends: 3, Round: 1, State: []byte("sealed"),
		CreatedAt: noon, ExpiresAt: noon.Add(time.Minute),
	}
}

func TestStatusFollowsFromCountersAndTime(t *testing.T) {
	last := noon.Add(time.Minute - time.Nanosecond)
	for name, x := range map[string]struct {
		change func(*Challenge)
		at     time.Time
		status Status
		spend  error
	}{
		"fresh":                     {func(*Challenge) {}, noon, Pending, nil},
		"last moment":               {func(*Challenge) {}, last, Pending, nil},
		"expired":                   {func(*Challenge) {}, last.Add(1), Expired, ErrExpired},
		"one left":                  {func(c *Challenge) { c.Attempts = 1 }, noon, Pending, nil},
		"none left":                 {func(c *Challenge) { c.Attempts = 2 }, noon, Exhausted, ErrExhausted},
		"none left and expired":     {func(c *Challenge) { c.Attempts = 2 }, last.Add(1), Exhausted, ErrExhausted},
		"verified and expired":      {func(c *Challenge) { c.Status = Verified }, last.Add(1), Verified, ErrNotFound},
		"cancelled and none left":   {func(c *Challenge) { c.Status, c.Attempts = Cancelled, 2 }, noon, Cancelled, ErrNotFound},
		"decoys are like any other": {func(c *Challenge) { c.Decoy = true }, noon, Pending, nil},
	} {
		c := pending(2)
		x.change(&c)
		before := c.Attempts
		if got := c.At(x.at); got != x.status {
			t.Errorf("%s: status %s, want %s", name, got, x.status)
		}
		err := c.Spend(x.at)
		if !errors.Is(err, x.spend) {
			t.Errorf("%s: spend gave %v, want %v", name, err, x.spend)
		}
		if paid := c.Attempts - before; (paid == 1) != (err == nil) || paid > 1 {
			t.Errorf("%s: spend cost %d and gave %v", name, paid, err)
		}
	}
}

func TestAnExhaustedChallengeIsSettledByItsLastAttempt(t *testing.T) {
	c := pending(1)
	if err := errors.Join(c.Spend(noon), c.Settle(noon)); err != nil {
		t.Fatal(err)
	}
	if c.Status != Verified || c.State != nil {
		t.Errorf("after settling: status %s, state %q", c.Status, c.State)
	}
}

func TestOnlyALivingChallengeOfSomebodyIsSettled(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*Challenge)
		at     time.Time
		want   error
	}{
		"decoy":     {func(c *Challenge) { c.Decoy = true }, noon, ErrNotFound},
		"verified":  {func(c *Challenge) { c.Status = Verified }, noon, ErrNotFound},
		"cancelled": {func(c *Challenge) { c.Status = Cancelled }, noon, ErrNotFound},
		"expired":   {func(*Challenge) {}, noon.Add(time.Minute), ErrExpired},
	} {
		c := pending(1)
		x.change(&c)
		status := c.Status
		if err := c.Settle(x.at); !errors.Is(err, x.want) {
			t.Errorf("%s: got %v, want %v", name, err, x.want)
		}
		if c.Status != status || c.State == nil {
			t.Errorf("%s: a refused settlement changed the challenge", name)
		}
	}
}

func TestResendNeitherRefillsAttemptsNorExceedsSends(t *testing.T) {
	c := pending(5)
	c.Attempts = 2
	for n := 2; n <= 3; n++ {
		if err := c.Resend(noon, 30*time.Second); err != nil {
			t.Fatal(err)
		}
		if c.Sends != n || c.Round != n || c.Attempts != 2 || !c.ResendAt.Equal(noon.Add(30*time.Second)) {
			t.Errorf("after message %d: %d sends, round %d, %d attempts, resend at %v", n, c.Sends, c.Round, c.Attempts, c.ResendAt)
		}
	}
	if err := c.Resend(noon, 0); !errors.Is(err, ErrResend) || c.SendsLeft() != 0 || c.Sends != 3 {
		t.Errorf("one message too many: %v, %d sends", err, c.Sends)
	}
	silent := pending(5)
	silent.Delivery = NoDelivery
	if err := silent.Resend(noon, 0); !errors.Is(err, ErrResend) {
		t.Errorf("resend of a challenge that sends nothing: %v", err)
	}
}

func TestAMessageThatReachedNobodyIsTakenBack(t *testing.T) {
	first := pending(5)
	first.Channel, first.Delivery, first.Attempts, first.ResendAt = "sms", Sent, 2, noon
	again := func(c Challenge) Challenge {
		if err := c.Resend(noon, 30*time.Second); err != nil {
			t.Fatal(err)
		}
		c.Channel = "voice"
		return c
	}
	c := again(first)
	c.Attempts = 3 // meanwhile
	c.Unsend(first)
	if c.Channel != "sms" || c.Delivery != Sent || !c.ResendAt.Equal(noon) || c.Sends != 1 || c.Round != 1 || c.Attempts != 3 {
		t.Errorf("%+v, want it as before the message, and 3 attempts", c)
	}
	second := again(first)
	c = again(second)
	c.Unsend(first) // the second, after the third
	if c.Channel != "voice" || c.Delivery != Queued || c.ResendAt.Equal(noon) || c.Sends != 2 || c.Round != 3 {
		t.Errorf("%+v, want what was asked for since to stay", c)
	}
}

// TestNothingEverBreaksAChallenge calls methods in any order and checks what
// must hold after each.
func TestNothingEverBreaksAChallenge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := pending(rapid.IntRange(0, 4).Draw(rt, "allowed"))
		c.Decoy = rapid.Bool().Draw(rt, "decoy")
		now, settled, spent, ended := noon, 0, 0, false
		rt.Repeat(map[string]func(*rapid.T){
			"spend": func(*rapid.T) {
				if c.Spend(now) == nil {
					spent++
				}
			},
			"refund": func(*rapid.T) {
				if before := c.Attempts; before > 0 {
					c.Refund()
					spent -= before - c.Attempts
				} else {
					c.Refund()
				}
			},
			"settle": func(*rapid.T) {
				if c.Settle(now) == nil {
					settled++
				}
			},
			"cancel": func(*rapid.T) { _ = c.Cancel() },
			"resend": func(*rapid.T) { _ = c.Resend(now, time.Second) },
			"wait":   func(*rapid.T) { now = now.Add(10 * time.Second) },
			"": func(rt *rapid.T) {
				if c.Attempts < 0 || c.Attempts > c.Allowed || c.Attempts != spent || c.Left() != c.Allowed-c.Attempts {
					rt.Fatalf("%d attempts of %d, %d paid, %d left", c.Attempts, c.Allowed, spent, c.Left())
				}
				if settled > 1 || c.Decoy && settled > 0 || (settled == 1) != (c.Status == Verified) {
					rt.Fatalf("settled %d times, status %s", settled, c.Status)
				}
				if ended && c.Status == Pending {
					rt.Fatal("an ended challenge came back")
				}
				if ended = c.Status != Pending; ended && c.State != nil {
					rt.Fatal("an ended challenge keeps its state")
				}
				if c.Sends > c.MaxSends {
					rt.Fatalf("%d messages", c.Sends)
				}
			},
		})
	})
}
