package attack_test

import (
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// roundsWanted is how many rounds TestThousandRounds plays on each store: 25, so
// that everyday runs stay short, or what COUNTERSIGN_TEST_ROUNDS says.
func roundsWanted(t *testing.T) int {
	t.Helper()
	text := os.Getenv("COUNTERSIGN_TEST_ROUNDS")
	if text == "" {
		return 25
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("COUNTERSIGN_TEST_ROUNDS is %q, want a number of rounds", text)
	}
	return n
}

// In each round 200 guesses arrive at once where 5 are allowed; in every other
// round the right code is among them.
func TestThousandRounds(t *testing.T) {
	everywhere(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		random := rand.New(rand.NewPCG(2026, 11))
		sum, began := map[string]int{}, time.Now()
		n := roundsWanted(t)
		for round := range n {
			for name, count := range playRound(t, c, round%2 == 1, random.IntN(200)) {
				sum[name] += count
			}
		}
		t.Logf("%d rounds in %s: %v", n, time.Since(began).Round(time.Millisecond), sum)
		if total := 200 * n; sum["invalid_code"]+sum["signed_in"]+sum["challenge_exhausted"]+sum["challenge_not_found"] != total {
			t.Fatalf("the results do not add up to %d: %v", total, sum)
		}
		if n >= 1000 && sum["signed_in"] == 0 { // chance lets it win in one of 80
			t.Error("the right code never won: the rounds have shown nothing")
		}
	})
}

func playRound(t *testing.T, c *harness.Client, withRight bool, at int) map[string]int {
	t.Helper()
	to := fresh()
	asked := c.StartChallenge(to)
	right := c.Code(to)
	v := fire(200, func(i int) (harness.Answer, error) {
		if withRight && i == at {
			return guess(c.At(i), asked.ID, right)
		}
		return guess(c.At(i), asked.ID, wrong(right, i))
	})
	got := v.tally()
	evaluated := got["invalid_code"] + got["signed_in"]
	switch {
	case got["signed_in"] > 1 || got["signed_in"] == 1 && !withRight:
		t.Fatalf("%d sign-ins in one round: %v", got["signed_in"], got)
	case got["signed_in"] == 0 && evaluated != 5, evaluated > 5:
		t.Fatalf("%d guesses were evaluated, want 5: %v", evaluated, got)
	case got["signed_in"] == 0 && got["challenge_exhausted"] != 195:
		t.Fatalf("got %v, want the other 195 to hear challenge_exhausted", got)
	case evaluated+got["challenge_exhausted"]+got["challenge_not_found"] != 200:
		t.Fatalf("got %v, which has something unexpected", got)
	}
	after, code := c.Verify(asked.ID, right), "challenge_exhausted"
	if got["signed_in"] == 1 {
		code = "challenge_not_found"
	}
	if after.Status == http.StatusOK || after.Code() != code {
		t.Fatalf("afterwards: %s, want %s", after, code)
	}
	return got
}
