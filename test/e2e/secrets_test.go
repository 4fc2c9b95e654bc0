package e2e_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// long makes codes so long that none of them stands in a database by chance.
const long = "challenge: { resend_after: 0s, length: 14 }\nthrottle: { free: 20 }\n"

// secrets are what must stand neither in a log nor in a database.
type secrets struct {
	everywhere map[string]string // by what it is
	logs       map[string]string // what may be stored, but not logged
	app        []string          // codes of an app: six digits, looked for as words in logs
}

// walk goes through every flow that has a secret, in a way that needs neither
// the development clock nor the development inbox.
func walk(t *testing.T, c *harness.Client, read func(to string, n int) string) secrets {
	t.Helper()
	s := secrets{everywhere: map[string]string{}, logs: map[string]string{"ann's address": ann, "bob's address": bob, "eve's address": eve}}
	note := func(what, secret string) string {
		t.Helper()
		if len(secret) < 14 {
			t.Fatalf("%s is %q, too short to look for", what, secret)
		}
		s.everywhere[what] = secret
		return secret
	}
	begin := func(to string) string {
		t.Helper()
		id := c.Post("/v1/challenges", map[string]string{"to": to}).Want(http.StatusAccepted).Text("id")
		s.logs["a challenge of "+to+" "+id[:4]] = id
		return id
	}
	keep := func(what string, k harness.Tokens) harness.Tokens {
		note(what+": access token", k.Access)
		note(what+": refresh token", k.Refresh)
		return k
	}
	now := time.Now()
	app := func(secret string, step int) string {
		code := harness.TOTP(secret, now.Add(time.Duration(step)*harness.Period))
		s.app = append(s.app, code)
		return code
	}

	id := begin(ann)
	code := note("code of a sign-in", read(ann, 1))
	c.Verify(id, note("a wrong code", wrong(code))).WantCode(http.StatusUnprocessableEntity, "invalid_code")
	c.Post("/v1/challenges/"+id+"/resend", nil).Want(http.StatusAccepted)
	who := keep("sign-in", c.Verify(id, code).Tokens())
	note("code that is never used", func() string { begin(bob); return read(bob, 1) }())

	added := c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "totp"}).Want(http.StatusCreated)
	uri := note("set-up URI", added.Text("challenge.prompt.show.0"))
	secret := note("secret of the app", regexp.MustCompile(`secret=([A-Z2-7]+)`).FindStringSubmatch(uri)[1])
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	note("secret of the app in hex", hex.EncodeToString(raw))
	note("secret of the app in base64", base64.StdEncoding.EncodeToString(raw))
	note("secret of the app as bytes", string(raw))
	done := c.Verify(added.Text("challenge.id"), app(secret, -1)).Want(http.StatusOK)
	var sheet struct {
		Codes []string `json:"recovery_codes"`
	}
	done.JSON(&sheet)
	for _, code := range sheet.Codes {
		note("recovery code "+code[:4], code)
		note("recovery code without hyphens "+code[:4], strings.ReplaceAll(code, "-", ""))
	}
	step := c.StepUp(who.Access, added.Text("device.id"))
	who = keep("step-up", c.Verify(step.ID, app(secret, 0)).Tokens())
	c.RequireTwoFactor(who.Access)

	mail := c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "email", "to": eve}).Want(http.StatusCreated)
	c.Verify(mail.Text("challenge.id"), note("code of an enrolment", read(eve, 1))).Want(http.StatusOK)

	id = begin(ann)
	pending := note("pending token", c.Verify(id, note("code of a first factor", read(ann, 3))).Want(http.StatusOK).Text("pending_token"))
	second := c.SecondFactor(pending, mail.Text("device.id"))
	keep("second factor", c.Verify(second.ID, note("code of a second factor", read(eve, 2))).Tokens())
	fresh := c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": who.Refresh}, "Idempotency-Key: once").Want(http.StatusOK)
	note("access token after a refresh", fresh.Text("access_token"))
	note("refresh token after a refresh", fresh.Text("refresh_token"))
	c.Post("/v1/tokens/introspect", map[string]string{"token": fresh.Text("refresh_token")}).Want(http.StatusOK)

	// What is sent to the wrong place must not be logged either.
	c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": pending})
	c.As(who.Refresh).Get("/v1/me")
	c.Get("/v1/challenges/" + pending)
	c.Get("/v1/me?access_token=" + who.Access)
	c.Post("/v1/challenges", `{"to":"`+ann+`","`+secret+`":1}`)
	c.Post("/v1/challenges", `{"to":`+secret+`}`)
	return s
}

func (s secrets) absent(t *testing.T, log, stored string) {
	t.Helper()
	if len(log) < 1000 || len(stored) < 1000 {
		t.Fatalf("there is nothing to look through: a log of %d and a dump of %d bytes", len(log), len(stored))
	}
	if !strings.Contains(stored, ann) {
		t.Error("the dump does not even have ann's address: it is no dump")
	}
	for what, secret := range s.everywhere {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))} {
			if strings.Contains(log, form) {
				t.Errorf("%s stands in the log", what)
			}
			if strings.Contains(stored, form) {
				t.Errorf("%s stands in the database", what)
			}
		}
	}
	for what, secret := range s.logs {
		if at := strings.Index(log, secret); at >= 0 {
			t.Errorf("%s stands in the log: %s", what, log[max(0, at-200):min(len(log), at+100)])
		}
	}
	for _, code := range s.app {
		if regexp.MustCompile(`(^|[^0-9A-Za-z.])` + code + `([^0-9A-Za-z.]|$)`).MatchString(log) {
			t.Errorf("a code of the app stands in the log")
		}
	}
}

func TestS040NoSecretAtRestOrInLogs(t *testing.T) {
	production(t, long, func(t *testing.T, s *harness.Server, c *harness.Client, mails *sink) {
		all := walk(t, c, func(to string, n int) string { return mails.code(to, n, `[0-9]{14}`) })
		running := dump(t, s.Options.Store)
		all.absent(t, s.Log()+s.Output(), running)
		s.Stop() // what is written at the end counts as well
		all.absent(t, s.Log()+s.Output(), dump(t, s.Options.Store))
	})
}

func TestS040NoSecretInTheLogOfDevelopment(t *testing.T) {
	both(t, long, func(t *testing.T, s *harness.Server, c *harness.Client) {
		all := walk(t, c, func(to string, n int) string { return c.AwaitMessages(to, n)[0].Code })
		asked := c.StartChallenge(anns)
		all.everywhere["code of a text message"], all.logs["the phone number"] = c.Code(anns), anns
		c.Verify(asked.ID, c.Code(anns)).Tokens()
		all.absent(t, s.Log(), dump(t, s.Options.Store))
		if !strings.Contains(s.Output(), all.everywhere["code of a sign-in"]) {
			t.Error("development does not show the code where it says that it does")
		}
	})
}

// A carrier in trouble is where addresses get into logs.
func TestS040NoAddressInTheLogOfFailures(t *testing.T) {
	production(t, "", func(t *testing.T, s *harness.Server, c *harness.Client, mails *sink) {
		mails.down()
		asked := ask(t, c, ann)
		waitFor(t, patient, "the failure is logged", func() bool { return strings.Contains(s.Log(), "was not sent") })
		c.Post("/v1/challenges", map[string]string{"to": ann}).WantCode(http.StatusTooManyRequests, "cooldown")
		for what, secret := range map[string]string{"the address": ann, "its local part": `"ann@`, "the challenge": asked.Text("id")} {
			if at := strings.Index(s.Log(), secret); at >= 0 {
				t.Errorf("%s stands in the log: %s", what, s.Log()[max(0, at-300):min(len(s.Log()), at+100)])
			}
		}
	})
}
