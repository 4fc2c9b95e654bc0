package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// checked runs a scenario on each database, with a provider that makes, sends and
// checks codes. They are so long that none stands in a database by chance.
func checked(t *testing.T, policy string, scenario func(t *testing.T, s *harness.Server, c *harness.Client, v *providers.Verify)) {
	t.Helper()
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		v := (&providers.Verify{
			Account: "AC" + strings.Repeat("0", 32), Token: "the-auth-token", Service: "VA" + strings.Repeat("0", 32), Digits: 10,
		}).Start()
		t.Cleanup(v.Close)
		config := fmt.Sprintf("channels: { sms: { use: twilio_verify, twilio_verify: { account: %s, token: %s, service: %s, api: %q, length: 10 } } }", v.Account, v.Token, v.Service, v.URL)
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, Policy: policy, Config: config})
		scenario(t, s, s.Client(t), v)
	})
}

// beginChecked asks for a code to ann's phone.
func beginChecked(c *harness.Client) harness.Answer {
	return c.Post("/v1/challenges", map[string]string{"to": anns}).Want(http.StatusAccepted)
}

func TestS118ACodeThatAProviderChecksIsLikeOurs(t *testing.T) {
	checked(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client, v *providers.Verify) {
		a := beginChecked(c)
		if a.Text("delivery") != "sent" || a.Text("prompt.kind") != "enter_code" || a.Number("prompt.length") != 10 || a.Number("attempts_left") != 5 || a.Number("sends_left") != 2 {
			t.Errorf("%s", a)
		}
		code := v.Read(anns)
		c.Verify(a.Text("id"), "0000000001").WantCode(http.StatusUnprocessableEntity, "invalid_code")
		if who := c.Verify(a.Text("id"), code).Tokens(); !who.New {
			t.Error("new_user is not set")
		}
		c.Verify(a.Text("id"), code).WantCode(http.StatusNotFound, "challenge_not_found")

		older := beginChecked(c)
		earlier := v.Read(anns)
		newer := beginChecked(c)
		c.Verify(newer.Text("id"), earlier).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(older.Text("id"), v.Read(anns)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		before := v.Reached()
		c.Post("/v1/challenges/"+newer.Text("id")+"/resend", nil).Want(http.StatusAccepted)
		if v.Reached() != before+1 {
			t.Errorf("sending again reached the person %d times", v.Reached()-before)
		}
		c.Verify(newer.Text("id"), v.Read(anns)).Tokens()

		log, stored := s.Log(), dump(t, s.Options.Store)
		if !strings.Contains(stored, anns) {
			t.Error("the dump does not even have ann's number: it is no dump")
		}
		for _, secret := range []string{code, earlier, v.Read(anns)} {
			if strings.Contains(log, secret) || strings.Contains(stored, secret) {
				t.Errorf("a code of the provider's is in the log (%t) or in the database (%t)", strings.Contains(log, secret), strings.Contains(stored, secret))
			}
		}
		for what, secret := range map[string]string{"number": anns[1:], "token": v.Token} {
			if strings.Contains(log, secret) {
				t.Errorf("the %s is in the log", what)
			}
		}
	})
}

func TestS118AttemptsAreLimitedWhoeverChecks(t *testing.T) {
	checked(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client, v *providers.Verify) {
		id := beginChecked(c).Text("id")
		for range 4 {
			c.Verify(id, "0000000001").WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		last := c.Verify(id, "0000000001")
		asked := v.Asked()
		after := c.Verify(id, v.Read(anns))
		if last.Status != http.StatusUnprocessableEntity || !after.Is(http.StatusUnprocessableEntity, "challenge_exhausted") {
			t.Errorf("the fifth: %s; the right one after it: %s", last, after)
		}
		if v.Asked() != asked {
			t.Error("the provider was asked although no attempt was left")
		}
		id = beginChecked(c).Text("id")
		v.Expire()
		c.Verify(id, v.Read(anns)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
	})
}

func TestS118AProviderThatIsDownCostsNobodyAnything(t *testing.T) {
	checked(t, "throttle: { free: 20 }\n", func(t *testing.T, _ *harness.Server, c *harness.Client, v *providers.Verify) {
		v.Say(http.StatusServiceUnavailable, `{"code":20503,"status":503}`)
		c.Post("/v1/challenges", map[string]string{"to": anns}).WantCode(http.StatusServiceUnavailable, "delivery_unavailable")
		v.Say(http.StatusTooManyRequests, `{"code":60203,"status":429}`)
		if a := c.Post("/v1/challenges", map[string]string{"to": anns}); !a.Is(http.StatusServiceUnavailable, "delivery_unavailable") || a.RetryAfter() != 600 {
			t.Errorf("throttled: %s, Retry-After %d", a, a.RetryAfter())
		}
		v.Say(0, "")
		id := beginChecked(c).Text("id") // although the pause between two messages is half a minute
		v.Say(http.StatusServiceUnavailable, `{"code":20503,"status":503}`)
		for range 7 {
			c.Verify(id, "0000000001").WantCode(http.StatusServiceUnavailable, "delivery_unavailable")
		}
		v.Say(0, "")
		c.Verify(id, v.Read(anns)).Tokens()
		c.Post("/v1/challenges", map[string]string{"to": anns}).WantCode(http.StatusTooManyRequests, "cooldown")
	})
}

func TestS118NobodyIsReachedWhoIsNotThere(t *testing.T) {
	checked(t, quick+"sign_up: { auto_create: false }\n", func(t *testing.T, _ *harness.Server, c *harness.Client, v *providers.Verify) {
		a := beginChecked(c)
		c.Post("/v1/challenges/"+a.Text("id")+"/resend", nil).Want(http.StatusAccepted)
		c.Verify(a.Text("id"), "0000000001").WantCode(http.StatusUnprocessableEntity, "invalid_code")
		if v.Asked() != 0 || v.Reached() != 0 {
			t.Errorf("the provider was asked %d times about somebody who is not there", v.Asked())
		}
		if a.Text("delivery") != "sent" || a.Number("prompt.length") != 10 || a.Number("sends_left") != 2 {
			t.Errorf("a stranger can be told from somebody we know: %s", a)
		}
	})
}

func TestS118APhoneBecomesASecondFactor(t *testing.T) {
	checked(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client, v *providers.Verify) {
		const other = "+31687654321"
		who := c.Verify(beginChecked(c).Text("id"), v.Read(anns)).Tokens()
		added := c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "sms", "to": other}).Want(http.StatusCreated)
		beginChecked(c)
		c.Verify(added.Text("challenge.id"), v.Read(anns)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(added.Text("challenge.id"), v.Read(other)).Want(http.StatusOK)
		c.RequireTwoFactor(who.Access)
		pending := c.Verify(beginChecked(c).Text("id"), v.Read(anns)).Want(http.StatusOK).Text("pending_token")
		second := c.SecondFactor(pending, added.Text("device.id"))
		c.Verify(second.ID, v.Read(anns)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(second.ID, v.Read(other)).Tokens()
	})
}

func TestA081AProviderIsNotAskedAboutARangeThatDoesNotAnswer(t *testing.T) {
	policy := quick + "limits: { recipient: [], ip: [], ip_failures: [], prefix_conversion: { sends: 3, within: 24h, below_percent: 50, block: 1h } }\n"
	checked(t, policy, func(t *testing.T, _ *harness.Server, c *harness.Client, v *providers.Verify) {
		again := func(a harness.Answer) {
			c.Post("/v1/challenges/"+a.Text("id")+"/resend", nil).Want(http.StatusAccepted)
		}
		again(beginChecked(c))
		last := beginChecked(c)
		code := v.Read(anns)
		reached, asked := v.Reached(), v.Asked()
		again(last)
		silent := beginChecked(c)
		again(silent)
		c.Verify(silent.Text("id"), "0000000001").WantCode(http.StatusUnprocessableEntity, "invalid_code")
		if reached != 3 || v.Reached() != reached || v.Asked() != asked {
			t.Errorf("the provider reached people %d times and then %d, and was asked %d times more", reached, v.Reached(), v.Asked()-asked)
		}
		if silent.Text("delivery") != "sent" || silent.Number("prompt.length") != 10 || silent.Number("sends_left") != 2 || silent.Number("attempts_left") != 5 {
			t.Errorf("what is not sent can be told from what is: %s", silent)
		}
		c.Verify(last.Text("id"), code).Tokens() // what was sent before still works
	})
}
