package attack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

const (
	span   = 10 * time.Minute
	counts = atOnce + `
limits: { recipient: [], ip: [], ip_failures: [], tenant: [], prefix_conversion: { sends: 20, within: 10m, below_percent: 10, block: 1h } }`
)

// nextSpan moves the clocks to where the counts begin anew, so that no test has
// two halves.
func nextSpan(c *harness.Client) {
	now := c.Now()
	c.Advance(now.Truncate(span).Add(span + time.Second).Sub(now))
}

// looksSent waits until a challenge's message is said to have gone out.
func looksSent(t *testing.T, c *harness.Client, id string) harness.Answer {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		a := c.Get("/v1/challenges/" + id).Want(http.StatusOK)
		if a.Text("delivery") == "sent" {
			return a
		}
		if time.Now().After(deadline) {
			t.Fatalf("the delivery is %q, want it to look sent: %s", a.Text("delivery"), a)
		}
	}
}

// shape is the status of an answer, and what it names.
func shape(t *testing.T, a harness.Answer) string {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(a.Status, slices.Sorted(maps.Keys(body)))
}

// Somebody who earns on text messages to a range of numbers asks for codes there
// and gives none back.
func TestA081TextMessagesNobodyAnswersEnd(t *testing.T) {
	everywhere(t, counts, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		nextSpan(c)
		number := func(where string, i int) string { return fmt.Sprintf("+4474003%s%04d", where, i) }
		volley := fire(40, func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges", map[string]string{"to": number("1", i)})
		})
		went := 0
		var looks string
		for i, a := range volley.answers {
			if volley.errors[i] != nil || a.Status != http.StatusAccepted {
				t.Fatalf("%s, %v, want it answered like any other", a, volley.errors[i])
			}
			later := looksSent(t, c, a.Text("id"))
			if now := shape(t, a) + shape(t, later); i == 0 {
				looks = now
			} else if now != looks {
				t.Errorf("challenge %d looks like %s, the first like %s", i, now, looks)
			}
			went += len(c.Messages(number("1", i)))
		}
		if went != 20 {
			t.Errorf("%d messages went out, want 20", went)
		}
		stopped := c.StartChallenge(number("1", 99))
		looksSent(t, c, stopped.ID)
		c.Verify(stopped.ID, "000000").WantCode(http.StatusUnprocessableEntity, "invalid_code")

		// Others have not noticed: mail, and a range that answers one in ten.
		c.SignIn(fresh())
		for i := range 30 {
			to := number("2", i)
			asked := c.StartChallenge(to)
			code := c.AwaitMessages(to, 1)[0].Code
			if i%10 == 0 {
				c.Verify(asked.ID, code).Tokens()
			}
		}
		c.Advance(time.Hour)
		c.SignIn(number("1", 100))
	})
}
