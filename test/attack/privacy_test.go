package attack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// closed makes no account of who answers a code, so unknown people get decoys.
const closed = "sign_up: { auto_create: false }\n"

// crowd is one address of each sort, all of the same length.
type crowd map[string]string

// gather makes people whom a stranger must not tell apart.
func gather(t *testing.T, s *harness.Server, c *harness.Client) crowd {
	t.Helper()
	all := crowd{"known": fresh(), "unknown": fresh(), "blocked": fresh(), "claimed": fresh(), "with two factors": fresh()}
	for _, who := range []string{"known", "blocked", "claimed", "with two factors"} {
		c.Post("/v1/users", map[string]string{"email": all[who], "password": knows}).Want(http.StatusCreated)
		switch who {
		case "known", "blocked":
			c.SignIn(all[who])
		case "with two factors":
			c.Secure(all[who])
		}
	}
	operate(t, s, "user", "block", all["blocked"], "--reason", "abuse", "--yes")
	return all
}

// form is an answer without what differs from one request to the next, but with
// how long that is.
func form(a harness.Answer) string {
	var out []string
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				walk(at+"/"+name, value)
			}
		case []any:
			for i, value := range v {
				walk(fmt.Sprint(at, "/", i), value)
			}
		case string:
			if strings.HasSuffix(at, "_at") {
				v = v[:min(len(v), 19)] // fractions of a second end in no zeros
			}
			switch at {
			case "/status", "/purpose", "/channel", "/code", "/title", "/detail", "/type", "/prompt/kind", "/prompt/alphabet", "/delivery":
				out = append(out, at+"="+v)
			default:
				out = append(out, fmt.Sprintf("%s of %d", at, len(v)))
			}
		case float64:
			if strings.HasSuffix(at, "_in") || strings.HasSuffix(at, "_after") {
				v = float64(int(v+2) / 5) // a moment more or less
			}
			out = append(out, fmt.Sprintf("%s=%v", at, v))
		default:
			out = append(out, fmt.Sprintf("%s=%v", at, v))
		}
	}
	var body any
	if len(a.Body) > 0 && json.Unmarshal(a.Body, &body) != nil {
		return "no JSON: " + string(a.Body)
	}
	walk("", body)
	for name, values := range a.Header {
		switch name {
		case "Date", "Content-Length", "Retry-After":
			out = append(out, name)
		case "Set-Cookie":
			named, attributes, _ := strings.Cut(values[0], ";")
			out = append(out, fmt.Sprintf("cookie of %d;%s x%d", len(named), attributes, len(values)))
		default:
			out = append(out, fmt.Sprintf("%s of %d", name, len(strings.Join(values, ","))))
		}
	}
	slices.Sort(out)
	return fmt.Sprint(a.Status, " ", strings.Join(out, "; "))
}

// alike fails the test unless everybody is answered in the same form.
func (all crowd) alike(t *testing.T, what string, ask func(who, to string) harness.Answer) map[string]harness.Answer {
	t.Helper()
	answers := map[string]harness.Answer{}
	for who, to := range all {
		answers[who] = ask(who, to)
	}
	for who, a := range answers {
		if got, want := form(a), form(answers["unknown"]); got != want {
			t.Errorf("%s: somebody %s is answered\n%s\nand somebody unknown\n%s", what, who, got, want)
		}
	}
	return answers
}

// sent waits until a message counts as sent.
func sent(t *testing.T, c *harness.Client, id string) harness.Answer {
	t.Helper()
	awaitDelivery(t, c, id, "sent", 10*time.Second)
	return c.Get("/v1/challenges/" + id)
}

func TestA037NobodyIsToldWhoIsKnown(t *testing.T) {
	apart(t, harness.Options{Policy: closed}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		all := gather(t, s, c)
		for i, purpose := range []string{"sign_in", "reset_password"} {
			c.Advance(31 * time.Second)
			asked := all.alike(t, purpose, func(_, to string) harness.Answer {
				return c.At(i).Post("/v1/challenges", map[string]string{"to": to, "purpose": purpose}).Want(http.StatusAccepted)
			})
			all.alike(t, "after the message", func(who, _ string) harness.Answer { return sent(t, c, asked[who].Text("id")) })
			all.alike(t, "a wrong code", func(who, _ string) harness.Answer { return c.Verify(asked[who].Text("id"), "000000") })
			all.alike(t, "nothing", func(who, _ string) harness.Answer {
				return c.Post("/v1/challenges/"+asked[who].Text("id")+"/verify", "{}")
			})
			all.alike(t, "a resend too soon", func(who, _ string) harness.Answer {
				return c.Post("/v1/challenges/"+asked[who].Text("id")+"/resend", "{}")
			})
			c.Advance(31 * time.Second)
			all.alike(t, "a resend", func(who, _ string) harness.Answer {
				return c.Post("/v1/challenges/"+asked[who].Text("id")+"/resend", "{}")
			})
			all.alike(t, "after the resend", func(who, _ string) harness.Answer { return sent(t, c, asked[who].Text("id")) })
			c.Advance(5 * time.Minute)
			all.alike(t, "a code too late", func(who, _ string) harness.Answer { return c.At(1).Verify(asked[who].Text("id"), "000000") })
			all.alike(t, "when it is over", func(who, _ string) harness.Answer { return c.Get("/v1/challenges/" + asked[who].Text("id")) })
		}
		all.alike(t, "another reset", func(_, to string) harness.Answer {
			return c.Post("/v1/password-resets", map[string]string{"identifier": to})
		})
		all.alike(t, "a sign-up", func(_, to string) harness.Answer {
			return c.Post("/v1/users", map[string]string{"email": to, "password": another, "first_name": "Ann"}).Want(http.StatusCreated)
		})
		all.alike(t, "a wrong password", func(_, to string) harness.Answer { return byPassword(c, to, "wrong horse 9!") })
	})
}

// Everything that counts is driven to its end for somebody known and somebody
// unknown, step by step.
func TestA040LimitsAreMetAtTheSamePoint(t *testing.T) {
	policy := closed + "limits: { recipient: ['4/1h'], ip: [], ip_failures: [], tenant: [] }\nthrottle: { free: 5, factor: 30s, disable_at: 9 }\n"
	apart(t, harness.Options{Policy: policy}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		all := gather(t, s, c)
		delete(all, "claimed")
		c.Advance(time.Hour + time.Second) // what making them cost is forgotten
		met := map[string]bool{}
		step := func(what string, ask func(who, to string) harness.Answer) map[string]harness.Answer {
			t.Helper()
			answers := all.alike(t, what, ask)
			for who, a := range answers {
				met[a.Code()] = true
				if d := a.RetryAfter() - answers["unknown"].RetryAfter(); d < -2 || d > 2 {
					t.Errorf("%s: somebody %s waits %d s, somebody unknown %d s", what, who, a.RetryAfter(), answers["unknown"].RetryAfter())
				}
			}
			return answers
		}
		ask := func(_, to string) harness.Answer { return c.Post("/v1/challenges", map[string]string{"to": to}) }
		var asked map[string]harness.Answer
		guess := func(who, _ string) harness.Answer { return c.At(1).Verify(asked[who].Text("id"), "000000") }
		for round := range 4 {
			asked = step("a challenge", ask)
			step("another one at once", ask)
			for range 3 - round/2 {
				step("a guess", guess)
			}
			c.Advance(31 * time.Second)
			if round > 0 {
				step("a guess after a wait", guess)
			}
			step("one more", guess)
			c.Advance(4 * time.Minute)
		}
		asked = step("too many challenges", ask)
		c.Advance(time.Hour)
		asked = step("after an hour", ask)
		for range 6 {
			step("a guess", guess)
			c.Advance(40 * time.Second)
		}
		for _, code := range []string{"cooldown", "rate_limited", "device_locked", "invalid_code"} {
			if !met[code] {
				t.Errorf("%s was not met, only %v", code, met)
			}
		}
	})
}

func TestA041AChannelThatReachesNobodyTellsNothing(t *testing.T) {
	apart(t, harness.Options{Policy: closed + "challenge: { resend_after: 0s }\n"}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		all := crowd{"known": "annabel", "unknown": "barbara"}
		to := fresh()
		who := c.Post("/v1/users", map[string]string{"username": all["known"], "email": to, "password": knows}).Want(http.StatusCreated).Text("user.id")
		if in := c.SignIn(to); in.User != who {
			t.Fatalf("the address signs %s in, want %s", in.User, who)
		}
		before := len(c.Messages(""))
		for _, channel := range []string{"sms", "voice", "totp", "recovery", "google", "nothing", "push"} {
			for i, purpose := range []string{"sign_in", "reset_password"} {
				all.alike(t, purpose+" by "+channel, func(_, to string) harness.Answer {
					return c.At(i).Post("/v1/challenges", map[string]string{"to": to, "channel": channel, "purpose": purpose})
				})
			}
		}
		mails := crowd{"known": to, "unknown": fresh()}
		for _, channel := range []string{"sms", "voice", "totp", "recovery"} {
			mails.alike(t, "an address by "+channel, func(_, to string) harness.Answer {
				return c.Post("/v1/challenges", map[string]string{"to": to, "channel": channel})
			})
		}
		asked := all.alike(t, "by sms", func(_, to string) harness.Answer {
			return c.Post("/v1/challenges", map[string]string{"to": to, "channel": "sms"}).Want(http.StatusAccepted)
		})
		all.alike(t, "after the message", func(who, _ string) harness.Answer { return sent(t, c, asked[who].Text("id")) })
		if n := len(c.Messages("")); n != before {
			t.Errorf("%d messages went out by a channel that reaches nobody", n-before)
		}
	})
}

func TestA043NoAnswerTellsWhoIsKnownBeforeARightCode(t *testing.T) {
	apart(t, harness.Options{Policy: closed + patient}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		all := gather(t, s, c)
		asked := all.alike(t, "a challenge", func(_, to string) harness.Answer { return c.Post("/v1/challenges", map[string]string{"to": to}) })
		for _, body := range []string{
			`{"code":"000000"}`, `{"code":"123456","trusted_browser":"cst_x"}`, `{"code":"12345"}`, `{"code":""}`, `{"data":{}}`, `{"data":{"code":"123456"}}`, `{"link_token":"x"}`,
			`{"link_token":"` + strings.Repeat("A", 64) + `"}`, `{"code":"000000","remember_browser":true}`, `{}`, `{"code":"ABCDEFGH"}`, `{"code":"000001","detail":[]}`,
		} {
			all.alike(t, body, func(who, _ string) harness.Answer {
				return c.At(1).Post("/v1/challenges/"+asked[who].Text("id")+"/verify", body)
			})
		}
		for _, body := range []map[string]string{{"password": "wrong horse 9!"}, {"password": ""}, {"password": knows + "x", "code": "123456", "device_id": "0190a1b2-0000-7000-8000-000000000000"}} {
			all.alike(t, fmt.Sprint("password ", body), func(_, to string) harness.Answer {
				whole := map[string]string{"identifier": to}
				maps.Copy(whole, body)
				return c.Post("/v1/sign-in/password", whole)
			})
		}
		me := c.As(c.SignIn(all["known"]).Access)
		strangers := crowd{"known": all["with two factors"], "unknown": fresh(), "blocked": all["blocked"]}
		for _, r := range []struct {
			path string
			body map[string]string
		}{
			{"/v1/me/identifiers", map[string]string{"kind": "email", "value": ""}}, {"/v1/me/devices", map[string]string{"channel": "email", "to": ""}},
			{"/v1/invitations", map[string]string{"email": ""}},
		} {
			strangers.alike(t, r.path+" by somebody signed in", func(_, to string) harness.Answer {
				whole := map[string]string{}
				for name, value := range r.body {
					if whole[name] = value; value == "" {
						whole[name] = to
					}
				}
				return me.Post(r.path, whole)
			})
		}
		all.alike(t, "giving up", func(who, _ string) harness.Answer {
			return c.Do(http.MethodDelete, "/v1/challenges/"+asked[who].Text("id"), nil)
		})
	})
}
