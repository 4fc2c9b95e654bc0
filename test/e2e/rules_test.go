package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// lists block and allow. Clients come through a proxy, so that they have
// addresses of their own.
const (
	lists = quick + `rules:
  block: { email: ['@mailinator\.'], phone_prefix: ["+1900", "+4474009"], username: ['admin'], ip: [203.0.113.0/24] }
  allow: { email: ['^good@mailinator\.com$'], ip: [203.0.113.7] }
  honeypot_field: website
`
	proxied = `trusted_proxies: [127.0.0.1/32]`
)

// from is the client at an address of its own.
func from(c *harness.Client, address string) *harness.Client {
	return c.With("X-Forwarded-For", address)
}

// blocked wants the one answer that everybody hears who is not served.
func blocked(t *testing.T, what string, a harness.Answer) string {
	t.Helper()
	if !a.Is(http.StatusForbidden, "destination_blocked") {
		t.Errorf("%s: %s, want 403 destination_blocked", what, a)
	}
	return a.Text("title") + a.Text("detail")
}

func TestS115BlockAndAllowLists(t *testing.T) {
	served(t, harness.Options{Policy: lists, Config: proxied}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		c = from(c, "198.51.100.1")
		who := c.SignIn(ann)
		sent := len(c.Messages(""))
		said := map[string]bool{}
		for _, to := range []string{"eve@mailinator.com", " EVE@Mailinator.COM ", "+447400912345", "+44 (0)7400 912 345", "the_admin"} {
			said[blocked(t, "a code to "+to, c.Post("/v1/challenges", map[string]string{"to": to}))] = true
			said[blocked(t, "a reset for "+to, c.Post("/v1/password-resets", map[string]string{"identifier": to}))] = true
		}
		for what, f := range map[string]form{
			"a mailbox at sign-up": {"email": "eve@mailinator.com"}, "a phone at sign-up": {"email": bob, "phone": "+447400912345"},
			"a name at sign-up": {"email": bob, "username": "the_admin"},
		} {
			said[blocked(t, what, signUp(c, f))] = true
		}
		for kind, value := range map[string]string{"email": "eve@mailinator.com", "phone": "+447400912345", "username": "admins"} {
			said[blocked(t, "another "+kind, c.As(who.Access).Post("/v1/me/identifiers", map[string]string{"kind": kind, "value": value}))] = true
		}
		said[blocked(t, "a mailbox as a device", c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "email", "to": "eve@mailinator.com"}))] = true
		said[blocked(t, "a phone as a device", c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "sms", "to": "+447400912345"}))] = true
		c.Post("/v1/challenges", map[string]string{"to": "+19005550123"}).Want(http.StatusUnprocessableEntity) // no mobile number at all
		for _, address := range []string{"203.0.113.1", "203.0.113.255", "::ffff:203.0.113.1"} {
			said[blocked(t, "a client at "+address, from(c, address).Post("/v1/challenges", map[string]string{"to": bob}))] = true
		}
		if len(said) != 1 {
			t.Errorf("those who are not served hear different things: %v", said)
		}
		if n := len(c.Messages("")); n != sent {
			t.Errorf("%d messages went out", n-sent)
		}
		c.SignIn("good@mailinator.com") // allowing overrides blocking
		from(c, "203.0.113.7").SignIn(bob)
	})
}

func TestS115AHoneypotAnswersAndCreatesNothing(t *testing.T) {
	served(t, harness.Options{Policy: lists, Config: proxied}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		machine, person := from(c, "198.51.100.66"), from(c, "198.51.100.1")
		plain := person.Post("/v1/challenges", map[string]string{"to": bob, "website": ""}).Want(http.StatusAccepted)
		trapped := machine.Post("/v1/challenges", map[string]string{"to": eve, "website": "https://buy.example"}).Want(http.StatusAccepted)
		if a, b := shape(plain), shape(trapped); a != b {
			t.Errorf("a person is answered %s, a machine %s", a, b)
		}
		for range 5 {
			machine.Verify(trapped.Text("id"), "123456").WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		unsent(t, person, eve, 0)
		again := from(c, "198.51.100.67")
		a, b := signUp(person, form{"email": "carl@example.com", "website": ""}).Want(http.StatusCreated), signUp(again, form{"email": eve, "website": "x"}).Want(http.StatusCreated)
		if x, y := members(a), members(b); x != y {
			t.Errorf("a person who signs up is answered %s, a machine %s", x, y)
		}
		blocked(t, "the other machine afterwards", signUp(again, form{"email": bob}))
		blocked(t, "the machine afterwards", machine.Post("/v1/challenges", map[string]string{"to": ann}))
		person.SignIn(ann)
		for _, user := range column(t, database(t, s.Options.Store), "SELECT value FROM identifiers") {
			if user == eve {
				t.Error("the machine has made an account")
			}
		}
	})
}

func TestS115ABadPatternStopsTheStart(t *testing.T) {
	t.Parallel()
	for where, rules := range map[string]string{
		"policy.rules.block.email[1]":        `block: { email: ['ok', '('] }`,
		"policy.rules.block.phone_prefix[0]": `block: { phone_prefix: ["1900x"] }`,
		"policy.rules.allow.username[0]":     `allow: { username: ['[a'] }`,
		"policy.rules.block.ip[0]":           `block: { ip: ["203.0.113.0/240"] }`,
		"policy.rules.honeypot_field":        `honeypot_field: email`,
	} {
		config, _ := deployment(t, "policy: { rules: { "+rules+" } }\n")
		for _, args := range [][]string{{"serve"}, {"config", "validate"}} {
			got := run(t, nil, append(args, "--config", config)...)
			if got.code != 3 || !strings.Contains(got.err, where) || !strings.Contains(got.err, config) {
				t.Errorf("%s with %s: exit code %d: %s", args[0], rules, got.code, got.err)
			}
		}
	}
}
