package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

func TestS035NoCodesForStrangers(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		o := harness.Options{Store: store, Policy: quick, Keys: harness.NewKeys(t), Public: "http://login.localhost"}
		before := harness.Start(t, o)
		c := before.Client(t)
		who := c.SignIn(ann)
		setPassword(c, who.Access, knows)
		before.Stop()

		o.Policy = "challenge: { resend_after: 0s, anonymous: false }\n"
		c = harness.Start(t, o).Client(t)
		for _, to := range []string{ann, eve, anns} {
			c.Post("/v1/challenges", map[string]string{"to": to}).WantCode(http.StatusUnauthorized, "unauthorized_otp_request")
		}
		for _, password := range []string{another, ""} {
			if a := c.Post("/v1/challenges", map[string]string{"to": ann, "password": password}); a.Status != http.StatusUnauthorized {
				t.Errorf("with the password %q: %s, want 401", password, a)
			}
		}
		c.Post("/v1/challenges", map[string]string{"to": eve, "password": knows}).WantCode(http.StatusUnauthorized, "invalid_credentials")
		if n := len(c.Messages("")); n != 0 {
			t.Errorf("%d messages went out to strangers", n)
		}
		asked := c.Challenge(ann, map[string]string{"to": ann, "password": knows})
		c.Verify(asked.ID, c.Code(ann)).Tokens()
		asked = c.As(who.Access).Challenge(ann, map[string]string{"to": ann})
		c.Verify(asked.ID, c.Code(ann)).Tokens()
	})
}

// Addresses and codes that look as if somebody had configured them for tests.
func TestS065NoUniversalCodes(t *testing.T) {
	production(t, allPurposes, func(t *testing.T, _ *harness.Server, c *harness.Client, mails *sink) {
		for i, to := range []string{"test@example.com", "admin@example.com", "demo@example.com", "ann@example.com"} {
			asked := c.Post("/v1/challenges", map[string]string{"to": to}).Want(http.StatusAccepted)
			right := mails.code(to, 1, sixDigits)
			path := "/v1/challenges/" + asked.Text("id") + "/verify"
			for _, code := range []string{"000000", "123456", "111111", "654321", "999999"} {
				if code != right {
					c.Verify(asked.Text("id"), code).WantCode(http.StatusUnprocessableEntity, "invalid_code")
				}
			}
			for _, body := range []string{`{}`, `{"code":""}`, `{"code":null}`, `{"link_token":""}`, `{"data":{}}`} {
				if a := c.Post(path, body); a.Text("status") == "signed_in" || a.Get("access_token") != nil {
					t.Errorf("%s without a code: %s", to, a)
				}
			}
			if i == 0 {
				c.Verify(asked.Text("id"), right).Tokens()
			}
		}
		who := c.Post("/v1/challenges", map[string]string{"to": bob}).Want(http.StatusAccepted)
		access := c.Verify(who.Text("id"), mails.code(bob, 1, sixDigits)).Tokens().Access
		app := c.As(access).Post("/v1/me/devices", map[string]string{"channel": "totp"}).Want(http.StatusCreated)
		reset := c.Post("/v1/password-resets", map[string]string{"identifier": bob}).Want(http.StatusAccepted)
		verify := c.Post("/v1/challenges", map[string]string{"purpose": "verify", "to": eve}).Want(http.StatusAccepted)
		for _, id := range []string{app.Text("challenge.id"), reset.Text("id"), verify.Text("id")} {
			for _, code := range []string{"000000", "123456"} { // right by chance once in a million
				c.Verify(id, code).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			}
		}
		for _, body := range []string{`{"identifier":"test@example.com","password":"test"}`, `{"identifier":"admin","password":"admin"}`} {
			c.Post("/v1/sign-in/password", body).WantCode(http.StatusUnauthorized, "invalid_credentials")
		}
	})
}

// There is no way to say in production what codes are.
func TestS065ProductionStartsWithoutTestCodesOnly(t *testing.T) {
	t.Parallel()
	config, _ := deployment(t, "policy: { challenge: { fixed_code: \"000000\" } }\n")
	if got := run(t, nil, "serve", "--config", config); got.code != 3 || !strings.Contains(got.err, "fixed_code") {
		t.Errorf("a fixed code: exit code %d: %s", got.code, got.err)
	}
	config, _ = deployment(t, "")
	for _, name := range []string{"COUNTERSIGN_TEST_CODE", "COUNTERSIGN_DEV", "COUNTERSIGN_POLICY_CHALLENGE_CODE"} {
		got := run(t, []string{name + "=000000"}, "config", "validate", "--config", config)
		if strings.HasPrefix(name, "COUNTERSIGN_TEST_") { // belongs to our own tests and is not looked at
			if got.code != 0 {
				t.Errorf("%s: exit code %d: %s", name, got.code, got.err)
			}
			continue
		}
		if got.code != 3 || !strings.Contains(got.err, name) {
			t.Errorf("%s: exit code %d: %s", name, got.code, got.err)
		}
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, channel := range []string{"dev_email", "dev_sms"} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		changed := strings.Replace(string(text), "channels:\n", "channels:\n  x: { use: "+channel+" }\n", 1)
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		complains(t, run(t, nil, "serve", "--config", file), 3, 1, channel)
	}
}
