package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

func TestS001ImmediateCreationByEmail(t *testing.T) {
	both(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		asked := c.StartChallenge(ann)
		code := c.Code(ann)
		a := asked.Answer
		if a.Text("id") == "" || a.Number("expires_in") != 300 || a.Number("resend_after") != 30 {
			t.Errorf("%s, want an id, expires_in 300 and resend_after 30", a)
		}
		if d := a.Text("destination"); d == "" || d == ann || !strings.HasSuffix(d, "@example.com") {
			t.Errorf("the destination is shown as %q, want it masked", d)
		}
		if strings.Contains(string(a.Body), code) {
			t.Error("the answer holds the code")
		}
		unsent(t, c, ann, 1)
		who := c.Verify(asked.ID, code).Tokens()
		if !who.New {
			t.Error("new_user is not set")
		}
		me := c.As(who.Access).Get("/v1/me").Want(http.StatusOK)
		if me.Text("identifiers.0.kind") != "email" || me.Text("identifiers.0.value") != ann || me.Get("identifiers.0.verified") != true {
			t.Errorf("%s, want the e-mail address verified", me)
		}
		if again := c.Verify(asked.ID, code); !again.Is(http.StatusNotFound, "challenge_not_found") {
			t.Errorf("the code once more: %s", again)
		}
	})
}

func TestS002ImmediateCreationByPhoneInCanonicalForm(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		asked := c.Challenge(anns, map[string]string{"to": "+31 0612 345 678"})
		first := c.Verify(asked.ID, c.Code(anns)).Tokens()
		second := c.SignIn(anns)
		if !first.New || second.New || first.User != second.User || first.User == "" {
			t.Errorf("first %q (new %v), then %q (new %v), want one user", first.User, first.New, second.User, second.New)
		}
		me := c.As(second.Access).Get("/v1/me").Want(http.StatusOK)
		if me.Text("identifiers.0.value") != anns || me.Get("identifiers.1") != nil {
			t.Errorf("%s, want %s only", me, anns)
		}
	})
}

func TestS019ShapeOfACode(t *testing.T) {
	const many = 200
	both(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for i := range many {
			c.Post("/v1/challenges", map[string]string{"to": fmt.Sprintf("user%d@example.com", i)}).Want(http.StatusAccepted)
		}
		form := regexp.MustCompile(`^[0-9]{6}$`)
		seen := map[string]bool{}
		repeated, zero := 0, false
		for i := range many {
			code := c.AwaitMessages(fmt.Sprintf("user%d@example.com", i), 1)[0].Code
			if !form.MatchString(code) {
				t.Fatalf("%q is not six digits", code)
			}
			if seen[code] {
				repeated++
			}
			seen[code] = true
			zero = zero || code[0] == '0'
		}
		if repeated > 1 || !zero {
			t.Errorf("%d codes repeat, one begins with 0: %v", repeated, zero)
		}
	})
}

func TestS019ConfiguredLength(t *testing.T) {
	both(t, "challenge: { length: 8 }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		asked := c.StartChallenge(ann)
		code := c.Code(ann)
		if !regexp.MustCompile(`^[0-9]{8}$`).MatchString(code) || asked.Answer.Number("prompt.length") != 8 {
			t.Errorf("%q is not eight digits, or the prompt does not say so: %s", code, asked.Answer)
		}
		c.Verify(asked.ID, "123456").WantCode(http.StatusUnprocessableEntity, "malformed_code")
		c.Verify(asked.ID, code).Tokens()
	})
}

func TestS020ExpiryEdge(t *testing.T) {
	both(t, "challenge: { life: 300s }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		before := c.Now()
		asked := c.StartChallenge(ann)
		code := c.Code(ann)
		c.AdvanceTo(before.Add(299 * time.Second))
		c.Verify(asked.ID, code).Tokens()

		asked = c.StartChallenge(bob)
		after := c.Now()
		code = c.Code(bob)
		c.AdvanceTo(after.Add(301 * time.Second))
		c.Verify(asked.ID, code).WantCode(http.StatusGone, "challenge_expired")
		if got := c.Get("/v1/challenges/" + asked.ID).Want(http.StatusOK); got.Text("status") != "expired" {
			t.Errorf("%s, want status expired", got)
		}
	})
}

func TestS022ResendRepeatsANewChallengeIsAnother(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		one := c.StartChallenge(ann)
		c.AwaitMessages(ann, 1)
		again := c.Post("/v1/challenges/"+one.ID+"/resend", nil).Want(http.StatusAccepted)
		all := c.AwaitMessages(ann, 2)
		if all[0].Code != all[1].Code || all[0].Code == "" {
			t.Errorf("the resent message says %q, the first said %q", all[0].Code, all[1].Code)
		}
		if again.Number("sends_left") != one.Answer.Number("sends_left")-1 {
			t.Errorf("%s after %s, want one send less", again, one.Answer)
		}
		two := c.StartChallenge(ann)
		code1, code2 := all[0].Code, c.Code(ann)
		if code1 == code2 {
			t.Skip("two codes are equal, which happens once in a million times")
		}
		c.Verify(one.ID, code2).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(two.ID, code1).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		for _, own := range []struct{ id, code string }{{one.ID, code1}, {two.ID, code2}} {
			c.Verify(own.id, own.code).Tokens()
			c.Verify(own.id, own.code).WantCode(http.StatusNotFound, "challenge_not_found")
		}
	})
}

func TestS022AtMostThreeAreAlive(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		type live struct{ id, code string }
		var all []live
		for range 4 {
			asked := c.StartChallenge(ann)
			all = append(all, live{asked.ID, c.Code(ann)})
		}
		c.Verify(all[0].id, all[0].code).WantCode(http.StatusNotFound, "challenge_not_found")
		for _, l := range all[1:] {
			c.Verify(l.id, l.code).Tokens()
		}
	})
}

func TestS023Cooldown(t *testing.T) {
	both(t, "challenge: { resend_after: 60s }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		before := c.Now()
		asked := c.StartChallenge(ann)
		other := c.StartChallenge(bob)
		after := c.Now()
		code := c.Code(ann)
		c.Code(bob)

		c.AdvanceTo(before.Add(30 * time.Second))
		for _, spelling := range []string{ann, " ANN@Example.com "} {
			a := c.Post("/v1/challenges", map[string]string{"to": spelling}).WantCode(http.StatusTooManyRequests, "cooldown")
			if n := a.RetryAfter(); n < 25 || n > 31 || a.Number("retry_after") != n {
				t.Errorf("%s with Retry-After %d, want about 30 in both places", a, n)
			}
		}
		c.Post("/v1/challenges/"+asked.ID+"/resend", nil).WantCode(http.StatusTooManyRequests, "cooldown")
		unsent(t, c, ann, 1)
		c.Verify(asked.ID, code).Tokens()

		c.AdvanceTo(after.Add(61 * time.Second))
		c.Post("/v1/challenges/"+other.ID+"/resend", nil).Want(http.StatusAccepted)
		c.AwaitMessages(bob, 2)
		c.Advance(61 * time.Second)
		c.StartChallenge(bob)
		c.AwaitMessages(bob, 3)
	})
}

// Seconds are tens of seconds here, so that a slow machine is no failure.

func TestS025ThrottleAfterOneFailure(t *testing.T) {
	both(t, "challenge: { resend_after: 0s }\nthrottle: { free: 0, factor: 10s }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		asked := c.StartChallenge(ann)
		code := c.Code(ann)
		c.Verify(asked.ID, wrong(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		locked(t, c.Verify(asked.ID, code), 10)
		c.Advance(11 * time.Second)
		c.Verify(asked.ID, code).Tokens()

		asked = c.StartChallenge(ann)
		code = c.Code(ann)
		c.Verify(asked.ID, wrong(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		locked(t, c.Verify(asked.ID, code), 10) // not 20: success has cleared the counter
	})
}

func TestS026ThrottleGrowth(t *testing.T) {
	both(t, "challenge: { attempts: 10 }\nthrottle: { free: 0, factor: 10s }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		asked := c.StartChallenge(ann)
		code := c.Code(ann)
		c.Verify(asked.ID, wrong(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Advance(11 * time.Second)
		c.Verify(asked.ID, wrong(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		locked(t, c.Verify(asked.ID, code), 20)
		c.Advance(21 * time.Second)
		c.Verify(asked.ID, code).Tokens()
	})
}

// locked wants an answer that says how long to wait, give or take what the
// requests took.
func locked(t *testing.T, a harness.Answer, seconds int) {
	t.Helper()
	a.WantCode(http.StatusTooManyRequests, "device_locked")
	if n := a.RetryAfter(); n > seconds || n < seconds-8 || a.Number("retry_after") != n {
		t.Fatalf("%s with Retry-After %d, want %d in both places", a, n, seconds)
	}
}

func TestS028FactorZeroMeansNoWaiting(t *testing.T) {
	both(t, "challenge: { resend_after: 0s, attempts: 10 }\nthrottle: { free: 0, factor: 0s }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		asked := c.StartChallenge(ann)
		code := c.Code(ann)
		for left := 9; left >= 0; left-- {
			a := c.Verify(asked.ID, wrong(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			if a.Number("attempts_left") != left {
				t.Fatalf("%s, want attempts_left %d", a, left)
			}
		}
		c.Verify(asked.ID, code).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
		c.SignIn(ann)
	})
}

func TestS028WaitsAreCapped(t *testing.T) {
	policy := "challenge: { resend_after: 0s, attempts: 10 }\nthrottle: { free: 0, factor: 1s, cap: 15m }"
	both(t, policy, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		longest := 0
		for i := range 30 {
			asked := c.StartChallenge(ann)
			code := c.Code(ann)
			c.Verify(asked.ID, wrong(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			if i < 4 { // shorter waits may be over by now
				c.Advance(10 * time.Second)
				continue
			}
			a := c.Verify(asked.ID, code).WantCode(http.StatusTooManyRequests, "device_locked")
			longest = max(longest, a.RetryAfter())
			c.Advance(time.Duration(a.RetryAfter()) * time.Second)
		}
		if longest > 900 || longest < 890 {
			t.Errorf("the longest wait is %d s, want 900", longest)
		}
		c.SignIn(ann)
	})
}

func TestS029AttemptsLimitPerChallenge(t *testing.T) {
	policy := "challenge: { resend_after: 0s, attempts: 3 }\nthrottle: { free: 3, factor: 30s }"
	both(t, policy, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		exhaust := func(to string) {
			t.Helper()
			asked := c.StartChallenge(to)
			code := c.Code(to)
			for left := 2; left >= 0; left-- {
				if a := c.Verify(asked.ID, wrong(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code"); a.Number("attempts_left") != left {
					t.Errorf("%s, want attempts_left %d", a, left)
				}
			}
			c.Verify(asked.ID, code).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
			c.Post("/v1/challenges/"+asked.ID+"/resend", nil).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
		}
		exhaust(ann)
		c.SignIn(ann) // a new challenge works

		exhaust(bob)
		asked := c.StartChallenge(bob)
		code := c.Code(bob)
		c.Verify(asked.ID, wrong(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		locked(t, c.Verify(asked.ID, code), 30) // the fourth failure in a row, though the first of this challenge
	})
}

func TestS031CodeAloneIsWorthless(t *testing.T) {
	both(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		anns, bobs := c.StartChallenge(ann), c.StartChallenge(bob)
		code, other := c.Code(ann), c.Code(bob)
		if code == other {
			t.Skip("two codes are equal, which happens once in a million times")
		}
		for _, path := range []string{"/v1/challenges/verify", "/v1/challenges//verify", "/v1/challenges/" + url.PathEscape(ann) + "/verify"} {
			a := c.Post(path, answer(code))
			if a.Status < 400 || a.Status >= 500 || a.Code() == "" {
				t.Errorf("%s, want a refusal", a)
			}
		}
		c.Post("/v1/challenges", map[string]string{"to": bob, "code": code}).WantCode(http.StatusBadRequest, "unknown_field")
		c.Post("/v1/challenges/"+bobs.ID+"/verify", map[string]string{"code": code, "to": ann}).WantCode(http.StatusBadRequest, "unknown_field")
		c.Verify(bobs.ID, code).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(anns.ID, other).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(anns.ID, code).Tokens()
		c.Verify(bobs.ID, other).Tokens()
	})
}

func TestS041OneDestinationPerRequest(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		c.Post("/v1/challenges", map[string]string{"to": ann, "device_id": "0190a1b2-0000-7000-8000-000000000000"}).WantCode(http.StatusBadRequest, "ambiguous_destination")
		c.As(who.Access).Post("/v1/challenges", map[string]string{"purpose": "step_up", "to": ann, "device_id": "0190a1b2-0000-7000-8000-000000000000"}).
			WantCode(http.StatusBadRequest, "ambiguous_destination")
		c.As(who.Access).Post("/v1/challenges", map[string]string{"purpose": "step_up"}).WantCode(http.StatusBadRequest, "ambiguous_destination")
		c.Post("/v1/challenges", `{"to":"ann@example.com","to":"+31612345678"}`).WantCode(http.StatusBadRequest, "malformed_request")
		c.Post("/v1/challenges", `{"to":["ann@example.com","+31612345678"]}`).WantCode(http.StatusBadRequest, "malformed_request")
		c.Post("/v1/challenges", `{"email":"ann@example.com","phone":"+31612345678"}`).WantCode(http.StatusBadRequest, "unknown_field")
		unsent(t, c, ann, 1)
		if n := len(c.Messages(anns)); n != 0 {
			t.Errorf("%d messages to the phone, want none", n)
		}
	})
}
