package e2e_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// crowd is how many requests come at the same moment.
const crowd = 24

func TestS001OneUserComesOfManyChallenges(t *testing.T) {
	races(t, quick+"limits: { recipient: [], ip: [], ip_failures: [] }\n", func(t *testing.T, c *harness.Client) {
		type live struct{ id, code string }
		var all []live
		for i := range 3 { // as many as may be alive
			asked := c.At(i).StartChallenge(ann)
			all = append(all, live{asked.ID, c.Code(ann)})
		}
		answers := together(t, len(all), func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges/"+all[i].id+"/verify", answer(all[i].code))
		})
		users, fresh := map[string]bool{}, 0
		for _, a := range answers {
			who := a.Tokens()
			users[who.User] = true
			if who.New {
				fresh++
			}
		}
		if len(users) != 1 || fresh != 1 {
			t.Errorf("%d users, of whom %d are new, want one", len(users), fresh)
		}
	})
}

func TestS022ARightAnswerWinsOnce(t *testing.T) {
	races(t, quick, func(t *testing.T, c *harness.Client) {
		asked := c.StartChallenge(ann)
		code := c.Code(ann)
		all := together(t, crowd, func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges/"+asked.ID+"/verify", answer(code))
		})
		healthy(t, all)
		if n := len(signedIn(all)); n != 1 {
			t.Errorf("%d of %d signed in, want one: %v", n, crowd, tally(all))
		}
	})
}

func TestS023CooldownHoldsAtTheSameMoment(t *testing.T) {
	races(t, "", func(t *testing.T, c *harness.Client) {
		all := together(t, crowd, func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges", map[string]string{"to": ann})
		})
		healthy(t, all)
		if got := tally(all); got["202"] != 1 || got["cooldown"] != crowd-1 {
			t.Errorf("%v, want one accepted and all others to wait", got)
		}
		unsent(t, c, ann, 1)
	})
}

func TestS029ParallelGuessesArePaidFor(t *testing.T) {
	races(t, quick, func(t *testing.T, c *harness.Client) {
		asked := c.StartChallenge(ann)
		code := c.Code(ann)
		all := together(t, crowd, func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges/"+asked.ID+"/verify", answer(wrong(code)))
		})
		healthy(t, all)
		if got := tally(all); got["invalid_code"] != 5 || got["challenge_exhausted"] != crowd-5 {
			t.Errorf("%v, want five evaluated and all others refused", got)
		}
		left := map[int]bool{}
		for _, a := range all {
			if a.Code() == "invalid_code" {
				left[a.Number("attempts_left")] = true
			}
		}
		if len(left) != 5 {
			t.Errorf("attempts_left was %v, want each of 0 to 4 once", left)
		}
		c.Verify(asked.ID, code).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
	})
}

func TestS025ParallelGuessesLockOnce(t *testing.T) {
	races(t, "challenge: { resend_after: 0s, attempts: 10 }\nthrottle: { free: 3, factor: 1m }", func(t *testing.T, c *harness.Client) {
		var ids []string
		var code string
		for i := range 3 {
			ids = append(ids, c.At(i).StartChallenge(ann).ID)
			code = c.Code(ann)
		}
		all := together(t, crowd, func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges/"+ids[i%len(ids)]+"/verify", answer("00"+wrong(code)[2:]))
		})
		healthy(t, all)
		if got := tally(all); got["invalid_code"] > 4 || got["device_locked"] < crowd-4 {
			t.Errorf("%v, want four evaluated, whatever challenge they came by", got)
		}
		c.Verify(ids[2], code).WantCode(http.StatusTooManyRequests, "device_locked")
	})
}

func TestS050OneRecoveryCodeSignsInOnce(t *testing.T) {
	races(t, quick, func(t *testing.T, c *harness.Client) {
		who := c.Secure(ann)
		var ids []string
		for range 4 {
			pending, sheet := firstFactorAndSheet(t, c, ann)
			ids = append(ids, c.SecondFactor(pending, sheet).ID)
		}
		all := together(t, len(ids), func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges/"+ids[i]+"/verify", answer(who.Device.Recovery[0]))
		})
		healthy(t, all)
		if n := len(signedIn(all)); n != 1 {
			t.Errorf("%d signed in with one recovery code, want one: %v", n, tally(all))
		}
		if a := c.As(who.Access).Get("/v1/me/two-factor").Want(http.StatusOK); a.Number("recovery_codes_left") != 9 {
			t.Errorf("%s, want 9 left", a)
		}
	})
}

func TestS052OneAppCodeSignsInOnce(t *testing.T) {
	races(t, quick, func(t *testing.T, c *harness.Client) {
		who := c.Secure(ann)
		var ids []string
		for range 4 {
			ids = append(ids, c.SecondFactor(c.FirstFactor(ann), who.Device.ID).ID)
		}
		c.Advance(harness.Period)
		code := harness.TOTP(who.Device.Secret, c.Now())
		all := together(t, len(ids), func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges/"+ids[i]+"/verify", answer(code))
		})
		healthy(t, all)
		if n := len(signedIn(all)); n != 1 {
			t.Errorf("%d signed in with one code of an app, want one: %v", n, tally(all))
		}
	})
}

func TestS062APendingTokenIsSpentOnce(t *testing.T) {
	races(t, quick, func(t *testing.T, c *harness.Client) {
		who := c.Secure(ann)
		pending, sheet := firstFactorAndSheet(t, c, ann)
		app := c.SecondFactor(pending, who.Device.ID).ID
		paper := c.SecondFactor(pending, sheet).ID
		c.Advance(harness.Period)
		answers := []struct{ id, code string }{
			{app, harness.TOTP(who.Device.Secret, c.Now())}, {paper, who.Device.Recovery[0]},
		}
		all := together(t, len(answers), func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges/"+answers[i].id+"/verify", answer(answers[i].code))
		})
		healthy(t, all)
		if n := len(signedIn(all)); n != 1 {
			t.Errorf("one pending token gave %d sessions, want one: %v", n, tally(all))
		}
	})
}
