package e2e_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// operate runs a command of operators against the database of a server.
func operate(t *testing.T, s *harness.Server, args ...string) said {
	t.Helper()
	return run(t, nil, append(args, "--config", s.Config())...)
}

// apiKey makes an API key by the command line.
func apiKey(t *testing.T, s *harness.Server, scope string, more ...string) string {
	t.Helper()
	got := operate(t, s, append([]string{"apikey", "new", "--name", "shop", "--scope", scope}, more...)...)
	if got.code != 0 || !strings.HasPrefix(got.out, "csk_") {
		t.Fatalf("apikey new: exit code %d, %q, %s", got.code, got.out, got.err)
	}
	return strings.TrimSpace(got.out)
}

// receipt reads a JWS and checks it against the published keys.
func receipt(t *testing.T, c *harness.Client, jws string) map[string]any {
	t.Helper()
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		t.Fatalf("the receipt %q has %d parts, want 3", jws, len(parts))
	}
	var keys struct{ Keys []struct{ Kid, X string } }
	c.Get("/.well-known/jwks.json").Want(http.StatusOK).JSON(&keys)
	decode := func(text string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	var header struct{ Kid, Typ string }
	out := map[string]any{}
	if err := json.Unmarshal(decode(parts[0]), &header); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(decode(parts[1]), &out); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys.Keys {
		if k.Kid == header.Kid && ed25519.Verify(decode(k.X), []byte(parts[0]+"."+parts[1]), decode(parts[2])) {
			if a := c.As(jws).Get("/v1/me"); a.Status != http.StatusUnauthorized {
				t.Errorf("a receipt opens an account: %s", a)
			}
			return out
		}
	}
	t.Fatalf("no published key has signed the receipt of %q", header.Kid)
	return nil
}

func TestS064OnlyAdminKeysOpenWhatOperatorsDo(t *testing.T) {
	served(t, harness.Options{Policy: quick, Config: twoTenants}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := c.Secure(ann)
		admin, verify := apiKey(t, s, "admin"), apiKey(t, s, "verify")
		theirs, short := apiKey(t, s, "admin", "--tenant", "t2"), apiKey(t, s, "admin", "--expires", "1m")
		const path = "/v1/admin/api-keys"
		c.As("").Get(path).WantCode(http.StatusUnauthorized, "unauthenticated")
		c.As(verify).Get(path).WantCode(http.StatusForbidden, "forbidden")
		c.As(verify).Post(path, form{"name": "mine", "scopes": []string{"admin"}}).WantCode(http.StatusForbidden, "forbidden")
		for what, token := range map[string]string{
			"an access token of level 2": who.Access, "a refresh token": who.Refresh, "another tenant's key": theirs, "a key that is cut": admin[:len(admin)-1],
			"a changed key": admin[:len(admin)-2] + "AA", "only its beginning": "csk_",
		} {
			if a := c.As(token).Get(path); !a.Is(http.StatusUnauthorized, "invalid_token") {
				t.Errorf("%s: %s, want 401 invalid_token", what, a)
			}
		}
		list := c.As(admin).Get(path).Want(http.StatusOK)
		for _, secret := range []string{admin, verify, short, theirs} {
			if end := secret[len(secret)-30:]; strings.Contains(string(list.Body), end) || strings.Contains(dump(t, s.Options.Store), end) {
				t.Error("a key is shown again, or stands in the database")
			}
		}
		if n := strings.Count(string(list.Body), `"scopes"`); n != 3 {
			t.Errorf("%s, want the three keys of this tenant", list)
		}
		c.As(short).Get(path).Want(http.StatusOK)
		c.Advance(61 * time.Second)
		c.As(short).Get(path).WantCode(http.StatusUnauthorized, "invalid_token")

		made := c.As(admin).Post(path, form{"name": "second", "scopes": []string{"admin"}}).Want(http.StatusCreated)
		c.As(made.Text("key")).Get(path).Want(http.StatusOK)
		c.As(admin).Do(http.MethodDelete, path+"/"+made.Text("api_key.id"), nil).Want(http.StatusNoContent)
		c.As(made.Text("key")).Get(path).WantCode(http.StatusUnauthorized, "invalid_token")
		if a := c.As(admin).Get("/v1/me"); a.Status != http.StatusUnauthorized { // a program is nobody
			t.Errorf("a key at /v1/me: %s, want 401", a)
		}
	})
}

func TestS064RecoveryCodesOfAnOperatorLetSomebodyInOnce(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := c.Secure(ann)
		got := operate(t, s, "recovery-codes", ann, "--reason", "ticket 7", "--yes", "--json")
		var sheet struct {
			Codes []string `json:"codes"`
		}
		if err := json.Unmarshal([]byte(got.out), &sheet); err != nil || got.code != 0 || len(sheet.Codes) != 10 {
			t.Fatalf("recovery-codes: exit code %d, %q, %s", got.code, got.out, got.err)
		}
		use := func(code string) harness.Answer {
			t.Helper()
			pending, device := firstFactorAndSheet(t, c, ann)
			return c.Verify(c.SecondFactor(pending, device).ID, code)
		}
		use(who.Device.Recovery[0]).WantCode(http.StatusUnprocessableEntity, "invalid_code") // the old ones are dead
		use(sheet.Codes[0]).Tokens()
		use(sheet.Codes[0]).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		if got := operate(t, s, "recovery-codes", "nobody@example.com", "--reason", "ticket 8", "--yes"); got.code == 0 || got.out != "" {
			t.Errorf("for nobody: %+v, want it to fail", got)
		}
		c.AwaitNotices(ann, 3) // the person is told of what was done for them
	})
}

func TestS074AnOperatorUnlocksADevice(t *testing.T) {
	both(t, "challenge: { resend_after: 0s }\nthrottle: { free: 0, factor: 1h }", func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		app := c.EnrollTOTP(who.Access)
		c.Advance(harness.Period)
		asked := c.StepUp(who.Access, app.ID)
		code := harness.TOTP(app.Secret, c.Now())
		c.Verify(asked.ID, wrong(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		if a := c.Verify(asked.ID, code).WantCode(http.StatusTooManyRequests, "device_locked"); a.RetryAfter() < 3000 {
			t.Errorf("Retry-After is %d, want an hour", a.RetryAfter())
		}
		if got := operate(t, s, "user", "show", ann); got.code != 0 || !strings.Contains(got.out, "1") {
			t.Errorf("user show: %+v", got)
		}
		got := operate(t, s, "user", "unlock", ann, "--reason", "ticket 7")
		if got.code != 0 {
			t.Fatalf("user unlock: exit code %d, %s", got.code, got.err)
		}
		c.Verify(asked.ID, code).Tokens()
		found := false
		for _, data := range column(t, database(t, s.Options.Store), "SELECT data FROM events WHERE type = 'device.unlocked'") {
			found = found || strings.Contains(data, "cli") && strings.Contains(data, "ticket 7")
		}
		if !found {
			t.Error("no event says who unlocked it, and why")
		}
		if got := operate(t, s, "user", "unlock", "nobody@example.com", "--reason", "x"); got.code == 0 {
			t.Error("unlocking nobody succeeds")
		}
	})
}

// Programs that have people of their own.

func TestProgramsHaveAddressesVerified(t *testing.T) {
	served(t, harness.Options{Policy: quick, Config: twoTenants}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		shop, other := c.As(apiKey(t, s, "verify")), c.As(apiKey(t, s, "verify"))
		for who, code := range map[*harness.Client]string{c.As(""): "unauthenticated", c.As(c.SignIn(bob).Access): "unauthenticated"} {
			who.Post("/v1/challenges", form{"purpose": "verify", "to": ann}).WantCode(http.StatusUnauthorized, code)
		}
		at(shop, "t2").Post("/v1/challenges", form{"purpose": "verify", "to": ann}).WantCode(http.StatusUnauthorized, "invalid_token")
		for _, to := range []string{ann, anns} {
			start := func() harness.Challenge {
				t.Helper()
				return shop.Challenge(to, form{"purpose": "verify", "to": to, "metadata": map[string]string{"order": "7"}})
			}
			asked := start()
			done := shop.Verify(asked.ID, c.Code(to)).Want(http.StatusOK)
			if done.Text("status") != "verified" || done.Text("destination") != to || done.Get("access_token") != nil {
				t.Errorf("%s, want it verified with the whole address, and nobody signed in", done)
			}
			says := receipt(t, c, done.Text("receipt"))
			if says["destination"] != to || says["purpose"] != "verify" || says["tid"] != "default" || says["sub"] != nil {
				t.Errorf("the receipt says %v", says)
			}
			asked = start()
			if seen := c.As("").Verify(asked.ID, c.Code(to)).Want(http.StatusOK); seen.Text("destination") == to || seen.Text("receipt") == "" {
				t.Errorf("%s, want it masked for whoever holds the challenge", seen)
			}
			asked = start()
			if seen := other.Verify(asked.ID, c.Code(to)).Want(http.StatusOK); seen.Text("destination") == to {
				t.Errorf("%s, want it masked for another program", seen)
			}
		}
		if who := c.SignIn(ann); !who.New {
			t.Error("verifying an address has made an account")
		}
	})
}

func TestTransactionsAreApprovedForPeopleAndPrograms(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		facts := []map[string]string{{"label": "Amount", "value": "120.00 EUR"}, {"label": "Payee", "value": "Ann's Café"}}
		for name, by := range map[string]*harness.Client{"a person": c.As(who.Access), "a program": c.As(apiKey(t, s, "verify"))} {
			asked := by.Challenge(ann, form{"purpose": "approve", "to": ann, "detail": facts})
			m := c.Newest(ann)
			for _, f := range facts {
				if !strings.Contains(m.Text, f["label"]) || !strings.Contains(m.Text, f["value"]) {
					t.Errorf("%s: the message %q does not show %v", name, m.Text, f)
				}
			}
			if m.Link != "" {
				t.Errorf("%s: a link approves with one click", name)
			}
			done := c.As("").Verify(asked.ID, m.Code).Want(http.StatusOK)
			if done.Text("status") != "approved" || done.Get("access_token") != nil {
				t.Errorf("%s: %s, want it approved and nobody signed in", name, done)
			}
			says := receipt(t, c, done.Text("receipt"))
			if says["detail_sha256"] == nil || says["purpose"] != "approve" || (says["sub"] == who.User) != (name == "a person") {
				t.Errorf("%s: the receipt says %v", name, says)
			}
		}
		c.As("").Post("/v1/challenges", form{"purpose": "approve", "to": ann, "detail": facts}).WantCode(http.StatusUnauthorized, "unauthenticated")
	})
}
