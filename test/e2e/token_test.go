package e2e_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// inactive wants an introspection that says nothing but no.
func inactive(t *testing.T, c *harness.Client, what, token string) {
	t.Helper()
	a := c.Post("/v1/tokens/introspect", map[string]string{"token": token}).Want(http.StatusOK)
	if strings.TrimSpace(string(a.Body)) != `{"active":false}` {
		t.Errorf("%s: %s, want it inactive and nothing more", what, a)
	}
}

// active wants a token to be good, and gives what is known of it.
func active(t *testing.T, c *harness.Client, token string) harness.Answer {
	t.Helper()
	a := c.Post("/v1/tokens/introspect", map[string]string{"token": token}).Want(http.StatusOK)
	if a.Get("active") != true {
		t.Fatalf("%s, want it active", a)
	}
	return a
}

// segment is one part of a JWS.
func segment(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// forgeries are tokens that look like a good one.
func forgeries(t *testing.T, good string, jwks harness.Answer) map[string]string {
	t.Helper()
	parts := strings.Split(good, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]any{}
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) string {
		changed := map[string]any{}
		maps.Copy(changed, header)
		changed[name] = value
		return segment(t, changed)
	}
	_, mine, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(head string) string {
		input := head + "." + parts[1]
		return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(mine, []byte(input)))
	}
	public, err := base64.RawURLEncoding.DecodeString(jwks.Text("keys.0.x"))
	if err != nil || len(public) == 0 {
		t.Fatalf("%s, want a public key", jwks)
	}
	symmetric := with("alg", "HS256") + "." + parts[1]
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(symmetric))
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	lifted := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(body), `"aal1"`, `"aal2"`, 1)))
	return map[string]string{
		"another key":               signed(parts[0]),
		"no algorithm":              with("alg", "none") + "." + parts[1] + ".",
		"no algorithm, written big": with("alg", "NONE") + "." + parts[1] + "." + parts[2],
		"the public key as secret":  symmetric + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"an unknown key":            with("kid", "nobody") + "." + parts[1] + "." + parts[2],
		"changed claims":            parts[0] + "." + lifted + "." + parts[2],
		"no signature":              parts[0] + "." + parts[1] + ".",
		"four parts":                good + "." + parts[2],
		"nothing":                   "..",
	}
}

func TestS112OnlyGoodTokensPass(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		if a := active(t, c, who.Access); a.Text("sub") != who.User || a.Text("token_type") != "Bearer" || a.Text("tid") != "default" || a.Number("exp") <= a.Number("iat") {
			t.Errorf("%s, want ann's access token in the default tenant", a)
		}
		if a := active(t, c, who.Refresh); a.Text("token_type") != "refresh_token" {
			t.Errorf("%s, want a refresh token", a)
		}
		jwks := c.Get("/.well-known/jwks.json").Want(http.StatusOK)
		for what, token := range forgeries(t, who.Access, jwks) {
			inactive(t, c, what, token)
			if a := c.As(token).Get("/v1/me"); !a.Is(http.StatusUnauthorized, "invalid_token") {
				t.Errorf("%s: %s, want 401 invalid_token", what, a)
			}
		}
		for _, header := range []string{
			who.Access, "Bearer", "Bearer  ", "Bearer " + who.Access + " more", "Basic " + who.Access, "Token " + who.Access, "Bearer " + who.Refresh,
			"Bearer a.b.c", "Bearer \x01", "Bearer " + strings.Repeat("a.", 2000), "Bearer ,Bearer " + who.Access,
		} {
			a, err := c.Try(http.MethodGet, "/v1/me", nil, "Authorization: "+header)
			if err == nil && a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest {
				t.Errorf("Authorization: %.40q: %s, want 401", header, a)
			}
		}
		c.Advance(601 * time.Second)
		inactive(t, c, "an expired one", who.Access)
		c.As(who.Access).Get("/v1/me").WantCode(http.StatusUnauthorized, "invalid_token")
	})
}

func TestS112RevokingEndsEverythingAtOnce(t *testing.T) {
	races(t, quick, func(t *testing.T, c *harness.Client) {
		for name, which := range map[string]func(harness.Tokens) string{
			"by its refresh token": func(k harness.Tokens) string { return k.Refresh },
			"by its access token":  func(k harness.Tokens) string { return k.Access },
		} {
			who, other := c.SignIn(ann), c.SignIn(ann)
			c.Post("/v1/tokens/revoke", map[string]string{"token": which(who)}).Want(http.StatusNoContent)
			for i := range 2 { // both servers know it at once
				inactive(t, c.At(i), name+": access", who.Access)
				inactive(t, c.At(i), name+": refresh", who.Refresh)
				if a := c.At(i).As(who.Access).Get("/v1/me"); !a.Is(http.StatusUnauthorized, "token_revoked") {
					t.Errorf("%s: %s, want 401 token_revoked", name, a)
				}
				if a := c.At(i).Post("/v1/tokens/refresh", map[string]string{"refresh_token": who.Refresh}); !a.Is(http.StatusUnauthorized, "token_revoked") {
					t.Errorf("%s: %s, want 401 token_revoked", name, a)
				}
			}
			c.Post("/v1/tokens/revoke", map[string]string{"token": which(who)}).Want(http.StatusNoContent)
			c.As(other.Access).Get("/v1/me").Want(http.StatusOK)
		}
		for _, nonsense := range []string{"x", "cs.r.x", strings.Repeat("A", 4000)} {
			c.Post("/v1/tokens/revoke", map[string]string{"token": nonsense}).Want(http.StatusNoContent)
		}
	})
}

func TestS113TokensOfOneTenantAreWorthNothingAtAnother(t *testing.T) {
	served(t, harness.Options{Policy: quick, Config: twoTenants}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		if is := active(t, c, who.Access); is.Text("tid") != "default" {
			t.Errorf("%s, want its tenant in it", is)
		}
		other := at(c, "t2")
		other.As(who.Access).Get("/v1/me").WantCode(http.StatusUnauthorized, "invalid_token")
		c.As(who.Access).Get("/v1/me", "Host: t2.localhost").WantCode(http.StatusUnauthorized, "invalid_token")
		other.Post("/v1/tokens/refresh", map[string]string{"refresh_token": who.Refresh}).WantCode(http.StatusUnauthorized, "invalid_token")
		inactive(t, other, "an access token", who.Access)
		inactive(t, other, "a refresh token", who.Refresh)
		other.Post("/v1/tokens/revoke", map[string]string{"token": who.Refresh}).Want(http.StatusNoContent)
		c.As(who.Access).Get("/v1/me").Want(http.StatusOK)

		theirs := other.SignIn(ann) // the same address is somebody else there
		if theirs.User == who.User || !theirs.New {
			t.Error("one address is one person in two tenants")
		}
		c.As(theirs.Access).Get("/v1/me").WantCode(http.StatusUnauthorized, "invalid_token")
		at(c, "nobody").Get("/v1/discovery").WantCode(http.StatusBadRequest, "tenant_unknown")
	})
}

func TestS113KeysAreRotatedWithAnOverlap(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		kids := func() (out []string) {
			var body struct{ Keys []struct{ Kid string } }
			c.Get("/.well-known/jwks.json").Want(http.StatusOK).JSON(&body)
			for _, k := range body.Keys {
				out = append(out, k.Kid)
			}
			return out
		}
		kid := func(token string) (out string) {
			raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
			if err != nil {
				t.Fatal(err)
			}
			var header struct{ Kid string }
			if err := json.Unmarshal(raw, &header); err != nil {
				t.Fatal(err)
			}
			return header.Kid
		}
		rotate := func(args ...string) {
			t.Helper()
			if got := run(t, nil, append([]string{"keys", "rotate", "--file", s.Options.Keys}, args...)...); got.code != 0 {
				t.Fatalf("keys rotate: %s", got.err)
			}
			s.Restart()
		}
		asked := c.StartChallenge(ann)
		code := c.Code(ann)
		before := c.SignIn(bob)
		rotate()
		published := fmt.Sprint(kids())
		c.As(before.Access).Get("/v1/me").Want(http.StatusOK)
		c.Verify(asked.ID, code).Tokens() // what was made under the old keys still works
		after := c.SignIn(bob)
		if kid(before.Access) == kid(after.Access) || !strings.Contains(published, kid(before.Access)) || !strings.Contains(published, kid(after.Access)) {
			t.Errorf("signed by %s, then by %s, published are %s", kid(before.Access), kid(after.Access), published)
		}
		c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": before.Refresh}).Want(http.StatusOK)

		rotate("--keep", "1m")
		latest := c.SignIn(bob)
		c.As(after.Access).Get("/v1/me").Want(http.StatusOK)
		c.Advance(61 * time.Second) // the token has nine minutes left, its key has not
		c.As(after.Access).Get("/v1/me").WantCode(http.StatusUnauthorized, "invalid_token")
		c.As(latest.Access).Get("/v1/me").Want(http.StatusOK)
		if published := fmt.Sprint(kids()); strings.Contains(published, kid(after.Access)) || !strings.Contains(published, kid(latest.Access)) {
			t.Errorf("published are %s, want %s and no longer %s", published, kid(latest.Access), kid(after.Access))
		}
	})
}

// What an application sees that lets nobody in below a level, or nobody who could
// have reached a higher one.
func TestS061VerifiedOnlyGate(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		level := func(token string) string {
			t.Helper()
			acr := active(t, c, token).Text("acr")
			if is := claims(t, token); is.ACR != acr {
				t.Errorf("the token says %s, introspection %s", is.ACR, acr)
			}
			return acr
		}
		without := c.SignIn(bob)
		if acr := level(without.Access); acr != "aal1" {
			t.Errorf("one factor is %s, want aal1", acr)
		}
		if a := c.As(without.Access).Get("/v1/me/two-factor").Want(http.StatusOK); a.Number("devices") != 0 || a.Get("required") != false {
			t.Errorf("%s, want it to say that there is nothing to verify with", a)
		}
		c.As(without.Access).Do(http.MethodPut, "/v1/me/password", map[string]string{"new_password": knows}).Want(http.StatusNoContent)

		old := c.SignIn(ann)
		who := harness.Person{Tokens: c.SignIn(ann)}
		who.Device = c.EnrollTOTP(who.Access)
		who.Tokens = c.Fresh(who)
		c.RequireTwoFactor(who.Access)
		if acr := level(who.Access); acr != "aal2" {
			t.Errorf("two factors are %s, want aal2", acr)
		}
		if acr := level(old.Access); acr != "aal1" {
			t.Errorf("the session of one factor is %s, want aal1", acr)
		}
		a := c.As(old.Access).Do(http.MethodPut, "/v1/me/password", map[string]string{"new_password": knows}).
			WantCode(http.StatusUnauthorized, "insufficient_user_authentication")
		for _, want := range []string{`Bearer error="insufficient_user_authentication"`, `acr_values="aal2"`, "max_age=300"} {
			if h := a.Header.Get("WWW-Authenticate"); !strings.Contains(h, want) {
				t.Errorf("WWW-Authenticate is %q, want %s in it", h, want)
			}
		}
		lifted := c.Fresh(harness.Person{Tokens: old, Device: who.Device})
		if acr := level(lifted.Access); acr != "aal2" {
			t.Errorf("after the step-up it is %s, want aal2", acr)
		}
		c.As(lifted.Access).Do(http.MethodPut, "/v1/me/password", map[string]string{"new_password": knows}).Want(http.StatusNoContent)
	})
}
