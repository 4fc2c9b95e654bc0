package attack_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

func TestA001TwoHundredParallelGuessesBuyFiveAnswers(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for range rounds {
			to := fresh()
			asked := c.StartChallenge(to)
			right := c.Code(to)
			v := fire(200, func(i int) (harness.Answer, error) { return guess(c.At(i), asked.ID, wrong(right, i)) })
			v.want(t, map[string]int{"invalid_code": 5, "challenge_exhausted": 195})
			left := map[int]bool{}
			for _, a := range v.with("invalid_code") {
				left[a.Number("attempts_left")] = true
			}
			if got := slices.Sorted(maps.Keys(left)); !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
				t.Fatalf("the five answers said attempts_left %v, want each of 0 to 4 once", got)
			}
			c.At(1).Verify(asked.ID, right).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
			if !c.SignIn(to).New {
				t.Fatal("there was a user already: a guess has signed in")
			}
		}
	})
}

func TestA002TheRightCodeSentFiftyTimesAtOnceSignsInOnce(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for round := range rounds {
			to, before := fresh(), 0
			if round%2 == 1 {
				c.SignIn(to)
				before = 1
			}
			asked := c.StartChallenge(to)
			right := c.Code(to)
			v := fire(50, func(i int) (harness.Answer, error) { return guess(c.At(i), asked.ID, right) })
			v.wantOnly(t, "signed_in", 1, "challenge_not_found", "challenge_exhausted")
			tokens := v.with("signed_in")[0].Tokens()
			if n := sessionsOf(c, tokens.Access); n != before+1 {
				t.Fatalf("%d sessions after one sign-in, want %d", n, before+1)
			}
			if tokens.New != (before == 0) {
				t.Fatalf("new_user is %v", tokens.New)
			}
			c.Verify(asked.ID, right).WantCode(http.StatusNotFound, "challenge_not_found")
		}
	})
}

func TestA004ResendingRefillsNoAttempts(t *testing.T) {
	everywhere(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		asked := c.StartChallenge(to)
		right := c.Code(to)
		for i := range 4 {
			c.At(i).Verify(asked.ID, wrong(right, i)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		resend := "/v1/challenges/" + asked.ID + "/resend"
		wait(t, c.Post(resend, struct{}{}).WantCode(http.StatusTooManyRequests, "cooldown"))
		c.Advance(31 * time.Second)
		if left := c.Post(resend, struct{}{}).Want(http.StatusAccepted).Number("attempts_left"); left != 1 {
			t.Fatalf("attempts_left is %d after the second message, want 1", left)
		}
		for _, m := range c.AwaitMessages(to, 2) {
			if m.Code != right {
				t.Fatal("the second message has another code than the first")
			}
		}
		if left := c.Verify(asked.ID, wrong(right, 4)).WantCode(http.StatusUnprocessableEntity, "invalid_code").Number("attempts_left"); left != 0 {
			t.Fatalf("attempts_left is %d after the fifth wrong answer, want 0", left)
		}
		c.At(1).Verify(asked.ID, right).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
		c.Advance(31 * time.Second)
		c.Post(resend, struct{}{}).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
		if left := attemptsLeft(c, asked.ID); left != 0 {
			t.Fatalf("attempts_left is %d in the end, want 0", left)
		}
	})
}

func TestA007ResendingRepeatsTheCodeAndChallengesDoNotShareCodes(t *testing.T) {
	everywhere(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		one := c.StartChallenge(to)
		first := c.Code(to)
		c.Advance(31 * time.Second)
		c.At(1).Post("/v1/challenges/"+one.ID+"/resend", struct{}{}).Want(http.StatusAccepted)
		for _, m := range c.AwaitMessages(to, 2) {
			if m.Code != first {
				t.Fatal("resending made another code")
			}
		}
		c.Advance(31 * time.Second)
		two := c.StartChallenge(to)
		second := c.Code(to)
		if first == second {
			t.Fatal("two challenges have the same code: that may happen once in a million runs, not twice")
		}
		c.Verify(two.ID, first).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		if one, two := attemptsLeft(c, one.ID), attemptsLeft(c, two.ID); one != 5 || two != 4 {
			t.Fatalf("attempts_left %d and %d, want the crossed code charged to the second challenge only", one, two)
		}
		c.Verify(one.ID, second).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(one.ID, first).Tokens()
		c.At(1).Verify(two.ID, second).Tokens()
	})
}

func TestA007TheOldestOfFourLiveCodesDies(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		var ids, known []string
		for i := range 4 {
			ids = append(ids, c.At(i).StartChallenge(to).ID)
			known = append(known, c.Code(to))
		}
		c.Verify(ids[0], known[0]).WantCode(http.StatusNotFound, "challenge_not_found")
		for i := 1; i < 4; i++ {
			c.At(i).Verify(ids[i], known[i]).Tokens()
		}
	})
}

func TestA008AnExhaustedChallengeStaysExhausted(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, s *harness.Server, c *harness.Client) {
		to := fresh()
		asked := c.StartChallenge(to)
		right := c.Code(to)
		for i := range 5 {
			c.Verify(asked.ID, wrong(right, i)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		c.At(1).Verify(asked.ID, right).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
		s.Restart()
		c = s.Client(t)
		for i := range 2 {
			c.At(i).Verify(asked.ID, right).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
		}
		again := c.StartChallenge(to)
		code := c.Code(to)
		c.Verify(again.ID, wrong(code, 0)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		wait(t, c.At(1).Verify(again.ID, code).WantCode(http.StatusTooManyRequests, "device_locked"))
		s.Restart()
		c = s.Client(t)
		for i := range 2 {
			wait(t, c.At(i).Verify(again.ID, code).WantCode(http.StatusTooManyRequests, "device_locked"))
		}
		c.Advance(290 * time.Second)
		c.Verify(asked.ID, right).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
	})
}
