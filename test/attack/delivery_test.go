package attack_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// byRecipient limits what one recipient gets, and nothing else: all tests come from
// one address. These are the numbers of the default policy.
const byRecipient = "limits: { recipient: [5/1h, 10/24h], ip: [], ip_failures: [], tenant: [] }\n"

// delivered counts the messages to an address, once everything before has gone out.
func delivered(c *harness.Client, to string) int {
	fence := fresh()
	for i := range 2 { // each server has a sender of its own
		c.At(i).As("").StartChallenge(fence)
		c.AwaitMessages(fence, 1)
		fence = fresh()
	}
	return len(c.Messages(to))
}

// held fails the test unless an answer says how long to wait; and waiting a little
// less is not enough.
func held(t *testing.T, c *harness.Client, most time.Duration, a harness.Answer, again func() harness.Answer) {
	t.Helper()
	if a.Status != http.StatusTooManyRequests {
		t.Fatalf("%s, want 429", a)
	}
	after := wait(t, a)
	if after > most {
		t.Errorf("%s: asks for %s, want at most %s", a, after, most)
	}
	if early := 5 * time.Second; after > 2*early {
		c.Advance(after - early) // what this takes is not known: five seconds are for a machine that is busy
		if b := again(); b.Status != http.StatusTooManyRequests {
			t.Errorf("%s before its time: %s", early, b)
		}
		after = early
	}
	c.Advance(after + time.Second)
}

func TestA079MessagesToOneAddressAreFew(t *testing.T) {
	apart(t, harness.Options{Policy: byRecipient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		n, sent := 0, 0
		gone := func(a harness.Answer) harness.Answer { // before the clock moves on, and with it the sender's lease
			t.Helper()
			a.Want(http.StatusAccepted)
			c.AwaitMessages(to, sent+1)
			return a
		}
		start := func() harness.Answer { n++; return c.At(n).Post("/v1/challenges", map[string]string{"to": to}) }
		id := gone(start()).Text("id")
		resend := func() harness.Answer { n++; return c.At(n).Post("/v1/challenges/"+id+"/resend", nil) }
		for sent = 1; sent < 3; sent++ {
			held(t, c, 30*time.Second, resend(), resend)
			gone(resend())
		}
		c.Advance(31 * time.Second)
		if a := resend(); a.Status < 400 || a.Status >= 500 {
			t.Errorf("a fourth message of one challenge: %s", a)
		}
		for ; sent < 5; sent++ {
			c.Advance(31 * time.Second)
			gone(start())
		}
		c.Advance(31 * time.Second)
		if got := delivered(c, to); got != 5 {
			t.Fatalf("%d messages within the hour, want 5", got)
		}
		held(t, c, time.Hour, start(), start)
		for ; sent < 10; sent++ {
			c.Advance(time.Hour) // whatever the window begins with, an hour is enough
			gone(start())
		}
		c.Advance(time.Hour)
		if a := start(); a.Status != http.StatusTooManyRequests || wait24(t, a) > 24*time.Hour {
			t.Errorf("the eleventh of a day: %s, want 429", a)
		}
		if got := delivered(c, to); got != 10 {
			t.Errorf("%d messages in a day, want 10", got)
		}
	})
}

// wait24 is the Retry-After of an answer, which may be as long as a day.
func wait24(t *testing.T, a harness.Answer) time.Duration {
	t.Helper()
	after := a.RetryAfter()
	if after < 1 || a.Number("retry_after") != after {
		t.Fatalf("%s with Retry-After %q, want it in header and body alike", a, a.Header.Get("Retry-After"))
	}
	return time.Duration(after) * time.Second
}

func TestA080AHundredAtOnceSendOne(t *testing.T) {
	apart(t, harness.Options{}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		v := fire(100, func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges", map[string]string{"to": to})
		})
		v.wantOnly(t, "status 202", 1, "cooldown")
		id := ""
		for _, a := range v.with("status 202") {
			id = a.Text("id")
		}
		if n := delivered(c, to); n != 1 {
			t.Fatalf("%d messages went out, want 1", n)
		}
		for sends := 2; sends <= 3; sends++ {
			c.Advance(31 * time.Second)
			fire(100, func(i int) (harness.Answer, error) {
				return c.At(i).Try(http.MethodPost, "/v1/challenges/"+id+"/resend", nil)
			}).wantOnly(t, "status 202", 1, "cooldown", "rate_limited")
			if n := delivered(c, to); n != sends {
				t.Fatalf("%d messages went out, want %d", n, sends)
			}
		}
	})
}

// overThere sends to Great Britain only.
const overThere = "channels: { sms: { use: twilio, countries: [GB], twilio: { account: AC00000000000000000000000000000000, token: hush, from: Example } } }\n"

func TestA082NothingIsSentWhereItCosts(t *testing.T) {
	apart(t, harness.Options{Policy: patient, Config: overThere, Log: "info"}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		ours := freshPhone()
		fine := form(c.StartChallenge(ours).Answer)
		c.AwaitMessages(ours, 1)
		for what, to := range map[string]string{
			"another country": "+31612345678", "premium, US": "+19002345678", "premium, GB": "+449012345678", "shared cost": "+448431234567", "company": "+445512345678",
			"personal": "+447012345678", "satellite": "+881612345678", "network": "+882101234567", "network 3": "+883510001234567", "premium, global": "+979123456789",
			"short": "112", "shorter": "+44112", "extension": "+447400123456;ext=1", "pause": "+447400123456,,,9", "letters": "+1900FLOWERS",
		} {
			for i := range 2 {
				a := c.At(i).Post("/v1/challenges", map[string]string{"to": to})
				switch {
				case a.Is(http.StatusUnprocessableEntity, "invalid_request"): // is no number that anybody could have
				case a.Status == http.StatusAccepted:
					if got := form(a); len(to) == len(ours) && got != fine {
						t.Errorf("%s can be told from what is served:\n%s\n%s", what, got, fine)
					}
				default:
					t.Errorf("%s: %s, want 202 or 422", what, a)
				}
			}
		}
		if n := delivered(c, ""); n != 3 { // one to a number, two that were asked for to know
			t.Errorf("%d messages went out, want 3", n)
		}
		if said := s.Log(); !strings.Contains(said, "nothing is sent to that country") || strings.Contains(said, "+31612345678") {
			t.Errorf("operators cannot find what was not sent, or find too much:\n%s", said)
		}
		who := c.SignIn(fresh()) // whoever has an account does not come farther
		c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "sms", "to": "+31612345678"}).Want(http.StatusCreated)
		if n := delivered(c, "+31612345678"); n != 0 {
			t.Errorf("%d messages went to the number that a device was to be, want none", n)
		}
	})
}

func TestA083OneNumberHoweverItIsWritten(t *testing.T) {
	spellings := []string{
		"+447400123456", "+44 7400 123456", "+44 (0)7400 123456", "0044 7400 123456", "07400 123456", "07400-123-456", "(07400) 123456", "+44.7400.123456",
		"\uff0b\uff14\uff14\uff17\uff14\uff10\uff10\uff11\uff12\uff13\uff14\uff15\uff16", "+\u0664\u0664\u0667\u0664\u0660\u0660\u0661\u0662\u0663\u0664\u0665\u0666",
		"  +447400123456\t",
	}
	policy := "challenge: { resend_after: 0s }\nidentity: { default_region: GB }\n"
	apart(t, harness.Options{Policy: policy + byRecipient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		const canonical = "+447400123456"
		who := ""
		for i, to := range spellings {
			asked := c.At(i).Post("/v1/challenges", map[string]string{"to": to})
			if i%5 == 0 && i > 0 { // one counter
				if asked.Status != http.StatusTooManyRequests {
					t.Fatalf("message %d of the hour, to %q: %s, want 429", 6, to, asked)
				}
				forget(c)
				c.Advance(2 * time.Hour)
				asked = c.At(i).Post("/v1/challenges", map[string]string{"to": to})
				if i == 10 {
					asked.Want(http.StatusTooManyRequests) // ten in a day
					return
				}
			}
			asked.Want(http.StatusAccepted)
			got := c.Verify(asked.Text("id"), newest(c.AwaitMessages(canonical, i%5+1)).Code).Tokens()
			if who == "" {
				who = got.User
			}
			if got.User != who {
				t.Errorf("%q signs %s in, want %s", to, got.User, who)
			}
		}
	})
}

func TestA083ANumberWithMoreBehindItIsNone(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for _, more := range []string{";ext=1", ",,,9", " x9", "#9", " ext. 9", "p9", "w9", ";phone-context=+1", "@evil.example;x", "/9", "\n9"} {
			if a := c.Post("/v1/challenges", map[string]string{"to": "+447400123456" + more, "channel": "sms"}); !a.Is(http.StatusUnprocessableEntity, "invalid_request") {
				t.Errorf("%q: %s, want 422", more, a)
			}
		}
		if n := delivered(c, "+447400123456"); n != 0 {
			t.Errorf("%d messages went out", n)
		}
	})
}

func TestA089OneClientIsOneWhateverItSays(t *testing.T) {
	limited := "limits: { recipient: [], ip: [10/10m], ip_failures: [], tenant: [] }\n"
	ask := func(c *harness.Client, headers ...string) harness.Answer {
		return c.Post("/v1/challenges", map[string]string{"to": fresh()}, headers...)
	}
	served := func(c *harness.Client, n int, header func(i int) string) (ok int) {
		for i := range n {
			if ask(c.At(i), header(i)).Status == http.StatusAccepted {
				ok++
			}
		}
		return ok
	}
	apart(t, harness.Options{Policy: limited}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		names := []string{"X-Forwarded-For: 198.51.100.%d", "X-Real-IP: 198.51.100.%d", "Forwarded: for=198.51.100.%d", "True-Client-IP: 198.51.100.%d", "CF-Connecting-IP: 198.51.100.%d", "X-Forwarded-For: 198.51.100.%d, 127.0.0.1"}
		if n := served(c, 60, func(i int) string { return fmt.Sprintf(names[i%len(names)], i) }); n != 10 {
			t.Errorf("%d of 60 were served whoever they said they were, want 10", n)
		}
	})
	t.Run("a proxy", func(t *testing.T) {
		apart(t, harness.Options{Policy: limited, Config: "trusted_proxies: [127.0.0.0/8]\n"}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
			for what, header := range map[string]func(i int) string{
				"with a list of its own": func(i int) string { return fmt.Sprintf("X-Forwarded-For: 203.0.113.%d, 10.0.0.%d, 198.51.100.1", i, i) },
				"with another name":      func(i int) string { return "X-Forwarded-For: 198.51.100.2" + strings.Repeat(" ", i%2) },
				"of one household":       func(i int) string { return fmt.Sprintf("X-Forwarded-For: 2001:db8:1:1:%x::%x", i*77, i) },
				"as IPv4 in IPv6": func(i int) string {
					return []string{"X-Forwarded-For: ::ffff:198.51.100.3", "X-Forwarded-For: 198.51.100.3"}[i%2]
				},
			} {
				if n := served(c, 40, header); n != 10 {
					t.Errorf("%s: %d of 40 were served, want 10", what, n)
				}
			}
			if n := served(c, 12, func(i int) string { return fmt.Sprintf("X-Forwarded-For: 198.51.100.%d", 100+i) }); n != 12 {
				t.Errorf("%d of 12 clients were served, want all", n)
			}
			if n := served(c, 12, func(i int) string { return fmt.Sprintf("X-Forwarded-For: 2001:db8:2:%x::1", i) }); n != 12 {
				t.Errorf("%d of 12 households were served, want all", n)
			}
		})
	})
}
