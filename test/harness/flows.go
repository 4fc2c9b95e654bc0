package harness

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Tokens are what somebody has after signing in.
type Tokens struct {
	Access, Refresh, Session, User string
	New                            bool
}

// Challenge is a question that was asked.
type Challenge struct {
	ID     string
	Answer Answer // how it was answered when it was made
}

// Challenge asks with any body, which must be accepted. Code then waits for
// the message of this challenge and not for an older one.
func (c *Client) Challenge(to string, body any) Challenge {
	c.t.Helper()
	before := len(c.Messages(to))
	c.shared.mu.Lock()
	c.shared.seen[to] = before
	c.shared.mu.Unlock()
	a := c.Post("/v1/challenges", body).Want(http.StatusAccepted)
	return Challenge{ID: a.Text("id"), Answer: a}
}

// StartChallenge asks whoever has the address to sign in.
func (c *Client) StartChallenge(to string) Challenge {
	c.t.Helper()
	return c.Challenge(to, map[string]string{"to": to})
}

// Verify answers a challenge.
func (c *Client) Verify(id, code string) Answer {
	c.t.Helper()
	return c.Post("/v1/challenges/"+id+"/verify", map[string]string{"code": code})
}

// SignIn signs somebody in by a code, without a second factor.
func (c *Client) SignIn(to string) Tokens {
	c.t.Helper()
	asked := c.As("").StartChallenge(to)
	return c.As("").Verify(asked.ID, c.Code(to)).Tokens()
}

// ClaimSignIn is SignIn by somebody who signed up by a form: claim is what the
// form's answer gave them.
func (c *Client) ClaimSignIn(to, claim string) Tokens {
	c.t.Helper()
	asked := c.As("").StartChallenge(to)
	return c.As("").Post("/v1/challenges/"+asked.ID+"/verify", map[string]string{"code": c.Code(to), "claim": claim}).Tokens()
}

// Tokens reads the tokens of a sign-in.
func (a Answer) Tokens() Tokens {
	a.t.Helper()
	a.Want(http.StatusOK)
	if a.Text("status") != "signed_in" || a.Text("access_token") == "" || a.Text("refresh_token") == "" {
		a.t.Fatalf("%s, want status signed_in with tokens", a)
	}
	fresh, _ := a.Get("new_user").(bool)
	return Tokens{
		Access: a.Text("access_token"), Refresh: a.Text("refresh_token"), Session: a.Text("session_id"),
		User: a.Text("user.id"), New: fresh,
	}
}

// FirstFactor proves an address of somebody who has a second factor, and gives
// the pending token.
func (c *Client) FirstFactor(to string) string {
	c.t.Helper()
	asked := c.As("").StartChallenge(to)
	a := c.As("").Verify(asked.ID, c.Code(to)).Want(http.StatusOK)
	if a.Text("status") != "factor_required" || a.Text("pending_token") == "" || a.Get("access_token") != nil {
		c.t.Fatalf("%s, want status factor_required with a pending token only", a)
	}
	return a.Text("pending_token")
}

// SecondFactor asks a device of somebody whose sign-in waits.
func (c *Client) SecondFactor(pending, device string) Challenge {
	c.t.Helper()
	a := c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": device}).Want(http.StatusAccepted)
	return Challenge{ID: a.Text("id"), Answer: a}
}

// StepUp asks for a fresh proof by a device.
func (c *Client) StepUp(access, device string) Challenge {
	c.t.Helper()
	a := c.As(access).Post("/v1/challenges", map[string]string{"purpose": "step_up", "device_id": device}).Want(http.StatusAccepted)
	return Challenge{ID: a.Text("id"), Answer: a}
}

// Device is a confirmed authenticator app.
type Device struct {
	ID       string
	Secret   string   // base32
	Recovery []string // given with the first device
}

// EnrollTOTP binds an authenticator app to the owner of an access token.
func (c *Client) EnrollTOTP(access string) Device {
	c.t.Helper()
	a := c.As(access).Post("/v1/me/devices", map[string]string{"channel": "totp"}).Want(http.StatusCreated)
	uri, err := url.Parse(a.Text("challenge.prompt.show.0"))
	if err != nil || uri.Scheme != "otpauth" {
		c.t.Fatalf("%s, want an otpauth URI in challenge.prompt.show", a)
	}
	d := Device{ID: a.Text("device.id"), Secret: uri.Query().Get("secret")}
	done := c.Verify(a.Text("challenge.id"), TOTP(d.Secret, c.Now())).Want(http.StatusOK)
	if done.Text("status") != "device_confirmed" {
		c.t.Fatalf("%s, want device_confirmed", done)
	}
	codes, _ := done.Get("recovery_codes").([]any)
	for _, code := range codes {
		d.Recovery = append(d.Recovery, fmt.Sprint(code))
	}
	return d
}

// Person is somebody who has an authenticator app and is asked for it.
type Person struct {
	Tokens
	Device Device
}

// Secure signs somebody in, binds an authenticator app, and switches the second
// factor on. The clock is moved by one period.
func (c *Client) Secure(to string) Person {
	c.t.Helper()
	p := Person{Tokens: c.SignIn(to)}
	p.Device = c.EnrollTOTP(p.Access)
	p.Tokens = c.Fresh(p)
	c.RequireTwoFactor(p.Access)
	return p
}

// Fresh proves again by the app that it is that person. The clock is moved by
// one period, because no code of an app works twice.
func (c *Client) Fresh(p Person) Tokens {
	c.t.Helper()
	c.Advance(Period)
	asked := c.StepUp(p.Access, p.Device.ID)
	return c.As("").Verify(asked.ID, TOTP(p.Device.Secret, c.Now())).Tokens()
}

// AdvanceTo moves the clocks of all servers forward to a time.
func (c *Client) AdvanceTo(at time.Time) {
	c.t.Helper()
	if by := at.Sub(c.Now()); by > 0 {
		c.Advance(by)
	}
}

// RequireTwoFactor switches the second factor on. Whoever has a device must
// have used it lately; see Secure.
func (c *Client) RequireTwoFactor(access string) {
	c.t.Helper()
	c.As(access).Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": true}).Want(http.StatusOK)
}

// Now is the time on the servers' clocks.
func (c *Client) Now() time.Time {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	return time.Now().Add(c.shared.offset)
}

// Advance moves the clocks of all servers.
func (c *Client) Advance(by time.Duration) {
	c.t.Helper()
	for _, s := range c.distinct() {
		one := *c
		one.servers = []*Server{s}
		if a := one.Post("/dev/clock", map[string]string{"advance": by.String()}); a.Status/100 != 2 {
			c.t.Fatalf("%s, want 2xx", a)
		}
	}
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	c.shared.offset += by
}

// Chaos makes a channel misbehave; see the development routes.
func (c *Client) Chaos(channel string, failPercent int, delay time.Duration, status int) {
	c.t.Helper()
	body := map[string]any{"channel": channel, "fail_percent": failPercent, "delay": delay.String()}
	if status != 0 {
		body["status"] = status
	}
	for _, s := range c.distinct() {
		one := *c
		one.servers = []*Server{s}
		if a := one.Post("/dev/chaos", body); a.Status/100 != 2 {
			c.t.Fatalf("%s, want 2xx", a)
		}
	}
}

// Period is how long a code of an authenticator app lasts.
const Period = 30 * time.Second

// TOTP is the code of an authenticator app (RFC 6238: SHA-1, 30 s, 6 digits)
// at a time, worked out apart from the product. The secret is base32.
func TOTP(secret string, at time.Time) string {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(secret, "=")))
	if err != nil {
		return "not base32"
	}
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(at.Unix())/uint64(Period/time.Second))
	mac := hmac.New(sha1.New, key)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at4 := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at4:])&0x7fffffff)%1_000_000)
}
