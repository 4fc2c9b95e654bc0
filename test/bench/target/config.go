package target

import (
	"fmt"
	"os"
	"strings"
)

// On says what of the policy is switched on in the configuration that is
// measured. Only limits that one machine's load generator would meet where
// many people would not are wider than the default.
const On = "production mode; e-mail over SMTP, TOTP; automatic accounts; defaults for attempts (5), code life, sends, live codes per address, resend wait (30s), " +
	"throttle, passwords (argon2id, 19 MiB, two passes), windows per client address, rotation with reuse detection, second factor optional, events and audit, metrics; " +
	"windows per recipient on but wider (1000/1h, 5000/24h); no address is used twice within its resend wait; " +
	"each person has a network address of their own, told by X-Forwarded-For from a trusted proxy"

// AllRules says what the other configuration switches on besides, for
// operations that say so. That is what an operator could have at work for every
// sign-in at once.
var AllRules = fmt.Sprintf("a list of %d entries for each of blocked addresses, number prefixes, names and networks, and as many allowed ones, none of which matches anybody; "+
	"a honeypot field; windows per recipient, client address (1000/10m) and tenant; links in messages; a webhook that is told everything; no second factors; "+
	"resend wait 1s, so that people need not rest as long", entries)

// entries is how long each list is.
const entries = 200

// Listed is an address that AllRules blocks.
const Listed = "anybody@mail.bad-7.example"

// Hook is a receiver of webhooks.
type Hook struct{ URL, Secret string }

// Setup is what a deployment is made of.
type Setup struct {
	Binary string
	Dir    string // of configuration, keys and log
	Mail   string // SMTP server, host:port
	Hook   *Hook  // nil: the default configuration; else AllRules
}

const configuration = `mode: production
public_url: http://127.0.0.1:8080
metrics_listen: "127.0.0.1:0"
trusted_proxies: [127.0.0.0/8]
keys: { file: %q }
brand: { name: Bench }
channels:
  email: { use: email, email: { addr: %q, from: "Bench <noreply@bench.example>", tls: none } }
  totp: { use: totp, totp: { issuer: Bench } }
policy:
`

const defaults = `  limits: { recipient: ["1000/1h", "5000/24h"] }
`

const allRules = `  challenge: { link: true, resend_after: 1s }
  limits:
    recipient: ["1000/1h", "5000/24h"]
    ip: ["1000/10m"]
    ip_failures: ["60/10m"]
    tenant: ["100000000/1h", "1000000000/24h"]
  two_factor: { mode: "off" }
  rules:
    honeypot_field: website
    block:
%s    allow:
%swebhooks:
  - { name: bench, url: %q, secret: %q, events: ["*"], allow_private: true }
`

// configure writes the configuration file.
func (s Setup) configure(file, keys string) error {
	text := fmt.Sprintf(configuration, keys, s.Mail)
	if s.Hook == nil {
		text += defaults
	} else {
		text += fmt.Sprintf(allRules, lists("bad", "+1900", "198.51.100"), lists("good", "+4477", "203.0.113"), s.Hook.URL, s.Hook.Secret)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

// lists are entries of every kind that match nobody who takes part. The word
// keeps those that block from those that allow; network is one for documentation
// (RFC 5737).
func lists(word, area, network string) string {
	var out strings.Builder
	for _, l := range []struct {
		name  string
		entry func(i int) string
	}{
		{"email", func(i int) string { return fmt.Sprintf(`@(.+\.)?%s-%d\.example$`, word, i) }},
		{"phone_prefix", func(i int) string { return fmt.Sprintf("%s%04d", area, i) }},
		{"username", func(i int) string { return fmt.Sprintf(`^%s[._-]?%d$`, word, i) }},
		{"ip", func(i int) string { return fmt.Sprintf("%s.%d", network, i) }},
	} {
		fmt.Fprintf(&out, "      %s:\n", l.name)
		for i := range entries {
			fmt.Fprintf(&out, "        - '%s'\n", l.entry(i))
		}
	}
	return out.String()
}
