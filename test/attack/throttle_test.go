package attack_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// The design's throttle: the wait after failure n > 5 is 30 s · 2^(n-6), at most
// an hour; so six answers are evaluated before the first wait, and fifty ever.
func TestA005NewChallengesAreNoWayAroundTheWaits(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		evaluated := 0
		for n := range 30 {
			asked := c.StartChallenge(to)
			right := c.Code(to)
			for i := range 5 {
				a := c.At(n+i).Verify(asked.ID, wrong(right, i))
				if a.Is(http.StatusUnprocessableEntity, "invalid_code") {
					evaluated++
					continue
				}
				wait(t, a.WantCode(http.StatusTooManyRequests, "device_locked"))
			}
		}
		if evaluated != 6 {
			t.Fatalf("%d answers were evaluated before the first wait, want 6", evaluated)
		}
		untilDisabled(t, c, to, evaluated)
		disabledForGood(t, c, to)
	})
}

// untilDisabled goes on guessing whenever that is possible.
func untilDisabled(t *testing.T, c *harness.Client, to string, evaluated int) {
	t.Helper()
	const slack = 10 * time.Second // that may have passed while we asked
	for due := 30 * time.Second; evaluated < 50; due = min(2*due, time.Hour) {
		asked := c.StartChallenge(to)
		right := c.Code(to)
		after := wait(t, c.Verify(asked.ID, right).WantCode(http.StatusTooManyRequests, "device_locked"))
		if after > due || after < due-slack {
			t.Fatalf("Retry-After is %s after %d wrong answers, want %s", after, evaluated, due)
		}
		if due <= 4*time.Minute {
			c.Advance(after - 5*time.Second)
			c.At(1).Verify(asked.ID, right).WantCode(http.StatusTooManyRequests, "device_locked")
			c.Advance(5 * time.Second)
		} else {
			c.Advance(after)
			asked = c.StartChallenge(to)
			right = c.Code(to)
		}
		c.At(evaluated).Verify(asked.ID, wrong(right, 0)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		evaluated++
	}
}

func disabledForGood(t *testing.T, c *harness.Client, to string) {
	t.Helper()
	for i, later := range []time.Duration{0, time.Hour + time.Second, 24 * time.Hour, 90 * 24 * time.Hour} {
		c.Advance(later)
		asked := c.StartChallenge(to)
		right := c.Code(to)
		for _, code := range []string{right, wrong(right, 1)} {
			if after := wait(t, c.At(i).Verify(asked.ID, code).WantCode(http.StatusTooManyRequests, "device_locked")); after != time.Hour {
				t.Fatalf("Retry-After is %s when switched off, want 1h", after)
			}
		}
		if left := attemptsLeft(c, asked.ID); left != 5 {
			t.Fatalf("attempts_left is %d, want what was refused to be free", left)
		}
	}
}

// swiss reads phone numbers without a country as Swiss ones.
const swiss = atOnce + "\nidentity: { default_region: CH }"

func TestA010SuccessElsewhereForgivesNothing(t *testing.T) {
	everywhere(t, swiss, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		const to = "+41781234501"
		tokens := c.SignIn(to)
		device := c.EnrollTOTP(tokens.Access)
		c.Advance(31 * time.Second)
		one := c.StartChallenge(to)
		right := c.Code(to)
		for i := range 4 {
			c.At(i).Verify(one.ID, wrong(right, i)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		step := c.StepUp(tokens.Access, device.ID)
		c.At(1).Verify(step.ID, harness.TOTP(device.Secret, c.Now())).Tokens()
		two := c.StartChallenge(to)
		right = c.Code(to)
		for i := range 2 {
			c.At(i).Verify(two.ID, wrong(right, i)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		if after := wait(t, c.Verify(two.ID, right).WantCode(http.StatusTooManyRequests, "device_locked")); after > 30*time.Second {
			t.Fatalf("the first wait is %s, want 30s", after)
		}
	})
}

func TestA010SuccessDoesNotClearTheFailuresOfAClientAddress(t *testing.T) {
	policy := swiss + "\nlimits: { recipient: [], ip: [], ip_failures: ['8/10m'], tenant: [] }"
	everywhere(t, policy, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		tokens := c.SignIn("+41781234502")
		for n, to := range []string{fresh(), "+41781234503"} {
			asked := c.StartChallenge(to)
			right := c.Code(to)
			for i := range 4 {
				c.At(i).Verify(asked.ID, wrong(right, i)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			}
			if n == 0 {
				c.Verify(asked.ID, right).Tokens()
			}
		}
		for i := range 2 {
			other := c.StartChallenge(fresh())
			wait(t, c.At(i).Verify(other.ID, "123456").WantCode(http.StatusTooManyRequests, "rate_limited"))
			if left := attemptsLeft(c, other.ID); left != 5 {
				t.Fatalf("attempts_left is %d, want what was refused to be free", left)
			}
		}
		c.As(tokens.Access).Get("/v1/me").Want(http.StatusOK)
		c.Advance(10 * time.Minute)
		c.As("").SignIn(fresh())
	})
}

func TestA011SpellingsOfAnAddressShareOneCounter(t *testing.T) {
	everywhere(t, swiss, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for name, spellings := range map[string][]string{
			"known mail":    {"A.Known@Ex-Mail.org", "a.known@ex-mail.ORG", " A.KNOWN@EX-MAIL.ORG ", "a.known@ex-mail.org", "a.Known@ex-mail.Org", "A.known@ex-MAIL.org"},
			"unknown mail":  {"A.Stranger@Ex-Mail.org", "a.stranger@ex-mail.ORG", " A.STRANGER@EX-MAIL.ORG ", "a.stranger@ex-mail.org", "a.Stranger@ex-mail.Org", "A.stranger@ex-MAIL.org"},
			"known domain":  {"known@bücher.example", "KNOWN@BÜCHER.example", "known@xn--bcher-kva.example", "Known@XN--BCHER-KVA.example", "known@Bücher.Example", "known@bücher.EXAMPLE"},
			"known phone":   {"+41781234567", "0041781234567", "078 123 45 67", "+41 78 123 45 67", "(078) 123-45-67", "0781234567"},
			"unknown phone": {"+41781234568", "0041781234568", "078 123 45 68", "+41 78 123 45 68", "(078) 123-45-68", "0781234568"},
		} {
			if strings.HasPrefix(name, "known") {
				id, code := ask(t, c, spellings[0])
				c.Verify(id, code).Tokens()
			}
			guessBySpellings(t, c, spellings)
		}
	})
}

// ask starts a challenge to an address in any spelling, and reads the code from
// the only message there is then.
func ask(t *testing.T, c *harness.Client, to string) (id, code string) {
	t.Helper()
	forget(c)
	id = c.Post("/v1/challenges", map[string]string{"to": to}).Want(http.StatusAccepted).Text("id")
	return id, c.AwaitMessages("", 1)[0].Code
}

func guessBySpellings(t *testing.T, c *harness.Client, spellings []string) {
	t.Helper()
	evaluated, locked := 0, 0
	for n, to := range spellings {
		id, right := ask(t, c, to)
		for i := range 2 {
			a := c.At(n+i).Verify(id, wrong(right, i))
			if a.Is(http.StatusUnprocessableEntity, "invalid_code") && locked == 0 {
				evaluated++
				continue
			}
			wait(t, a.WantCode(http.StatusTooManyRequests, "device_locked"))
			locked++
		}
	}
	if evaluated != 6 || locked != 6 {
		t.Fatalf("%d evaluated and %d refused of 12 wrong answers to %d spellings, want 6 and 6", evaluated, locked, len(spellings))
	}
}
