package e2e_test

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// claimed is what a token says beside what it always says; nil takes one out.
type claimed map[string]any

// idToken is a token for somebody who has just signed in at Google, good once.
func idToken(c *harness.Client, g *providers.OIDC, says claimed) map[string]string {
	changes := map[string]any{"jti": rand.Text(), "iat": c.Now().Unix(), "exp": c.Now().Add(time.Hour).Unix()}
	maps.Copy(changes, says)
	return map[string]string{"id_token": g.Sign(g.Claims(changes))}
}

func byGoogle(c *harness.Client, g *providers.OIDC, says claimed) harness.Answer {
	return c.As("").Post("/v1/sign-in/google", idToken(c, g, says))
}

// connections are the channels by which somebody signs in elsewhere.
func connections(c *harness.Client, access string) (out []string) {
	var body struct{ Connections []struct{ Channel string } }
	c.As(access).Get("/v1/me/connections").Want(http.StatusOK).JSON(&body)
	for _, one := range body.Connections {
		out = append(out, one.Channel)
	}
	return out
}

// waiting wants somebody new to be asked for an identifier, and nothing given.
func waiting(t *testing.T, a harness.Answer, missing string) (pending string) {
	t.Helper()
	a.Want(http.StatusOK)
	if a.Text("status") != "identifier_required" || a.Text("missing.0") != missing || a.Text("pending_token") == "" || a.Get("access_token") != nil || a.Get("refresh_token") != nil {
		t.Fatalf("%s, want identifier_required for %s and a pending token only", a, missing)
	}
	return a.Text("pending_token")
}

func complete(c *harness.Client, pending string, more form) harness.Answer {
	return c.As(pending).Post("/v1/sign-in/complete", more)
}

func TestS095WhoIsKnownIsKnownByTheNumberAndNothingElse(t *testing.T) {
	g, config := newGoogle(t)
	served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		first := byGoogle(c, g, nil).Tokens()
		if !first.New {
			t.Error("who comes for the first time is not new")
		}
		for what, says := range map[string]claimed{
			"another name":    {"name": "Anna Lee", "given_name": "Anna", "family_name": "Lee"},
			"another address": {"email": "anna@gmail.com"}, "no address": {"email": nil, "email_verified": nil},
			"an address of somebody else's domain": {"email": "ann@corp.example", "hd": "corp.example"},
		} {
			if again := byGoogle(c, g, says).Tokens(); again.User != first.User || again.New {
				t.Errorf("with %s: user %s (new: %t), want %s", what, again.User, again.New, first.User)
			}
			if me := c.As(first.Access).Get("/v1/me").Want(http.StatusOK); me.Text("first_name") != "Ann" {
				t.Errorf("with %s: %s: a name at Google replaces one's own", what, me)
			}
		}
		if mine := identifiers(c, first.Access); len(mine) != 1 || mine["email"].Value != "ann@gmail.com" || !mine["email"].Verified {
			t.Errorf("identifiers %+v, want the first address only", mine)
		}
		if all := connections(c, first.Access); !slices.Equal(all, []string{"google"}) {
			t.Errorf("connections %v, want one", all)
		}
	})
}

func TestS097SomebodyNewByGoogleGivesAPhone(t *testing.T) {
	g, config := newGoogle(t)
	served(t, harness.Options{Policy: quick + "sign_up: { required: [email, phone] }\n", Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		a := byGoogle(c, g, claimed{"family_name": "Lee"})
		pending := waiting(t, a, "phone")
		if a.Text("profile.email") != "ann@gmail.com" || a.Text("profile.first_name") != "Ann" || a.Text("profile.last_name") != "Lee" || a.Get("missing.1") != nil || a.Number("expires_in") > 300 || a.Number("expires_in") < 1 {
			t.Errorf("%s, want the names and the address", a)
		}
		complete(c, pending, form{}).Want(http.StatusOK)
		for _, phone := range []string{"1", "abc", "+1 555"} {
			if bad := complete(c, pending, form{"phone": phone}); !bad.Is(http.StatusUnprocessableEntity, "invalid_request") || bad.Text("fields.0.code") != "invalid_phone_number" || bad.Text("fields.0.pointer") != "/phone" {
				t.Errorf("%s, want the phone refused", bad)
			}
		}
		next := complete(c, pending, form{"phone": anns}).Want(http.StatusOK)
		if next.Text("status") != "pending" || next.Get("access_token") != nil || next.Text("channel") != "sms" {
			t.Fatalf("%s, want a challenge to the phone and no tokens", next)
		}
		id, code := next.Text("id"), c.AwaitMessages(anns, 1)[0].Code
		c.Verify(id, "").WantCode(http.StatusUnprocessableEntity, "malformed_code")
		c.As(pending).Get("/v1/me").Want(http.StatusUnauthorized)
		who := c.As("").Verify(id, code).Tokens()
		mine := identifiers(c, who.Access)
		if !who.New || len(mine) != 2 || !mine["email"].Verified || !mine["phone"].Verified || mine["phone"].Value != anns {
			t.Errorf("identifiers %+v (new: %t), want both proven", mine, who.New)
		}
		if again := byGoogle(c, g, nil).Tokens(); again.User != who.User || again.New {
			t.Errorf("comes back as %+v, want %s", again, who.User)
		}
	})
}

func TestS098AWaitingSignInIsGoodForItselfOnly(t *testing.T) {
	g, config := newGoogle(t)
	o := harness.Options{Policy: quick + "sign_up: { required: [phone] }\n", Config: config + "\n" + twoTenants}
	served(t, o, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		begin := func() string {
			t.Helper()
			sub := rand.Text()
			return waiting(t, byGoogle(c, g, claimed{"sub": sub, "email": strings.ToLower(sub) + "@gmail.com"}), "phone")
		}
		want := func(what string, a harness.Answer, code string) {
			t.Helper()
			if !a.Is(http.StatusUnauthorized, code) || a.Get("access_token") != nil {
				t.Errorf("%s: %s, want 401 %s", what, a, code)
			}
		}
		pending := begin()
		want("at another tenant", complete(at(c, "t2"), pending, form{"phone": anns}), "invalid_pending_token")
		want("at nobody's", complete(c, "", form{"phone": anns}), "unauthenticated")
		edited := []byte(pending)
		edited[len(edited)/2] ^= 1
		want("edited", complete(c, string(edited), form{"phone": anns}), "invalid_pending_token")
		want("cut", complete(c, pending[:len(pending)-1], form{"phone": anns}), "invalid_pending_token")
		for _, path := range []string{"/v1/me", "/v1/me/sessions", "/v1/me/connections"} {
			c.As(pending).Get(path).Want(http.StatusUnauthorized)
		}
		c.Post("/v1/tokens/refresh", form{"refresh_token": pending}).Want(http.StatusUnauthorized)
		c.As(pending).Do(http.MethodPut, "/v1/password", form{"new_password": knows}).Want(http.StatusUnauthorized)
		for _, purpose := range []string{"second_factor", "step_up", "change_identifier"} {
			if a := c.As(pending).Post("/v1/challenges", form{"purpose": purpose, "to": anns}); a.Status < 400 || a.Status >= 500 {
				t.Errorf("for %s: %s, want a refusal", purpose, a)
			}
		}
		if a := c.Post("/v1/sign-in/google", form{"id_token": pending}); !a.Is(http.StatusUnprocessableEntity, "invalid_assertion") {
			t.Errorf("as a token of Google's: %s", a)
		}

		id := complete(c, pending, form{"phone": anns}).Want(http.StatusOK).Text("id")
		code := c.AwaitMessages(anns, 1)[0].Code
		if a := at(c, "t2").Verify(id, code); !a.Is(http.StatusNotFound, "challenge_not_found") {
			t.Errorf("the challenge at another tenant: %s", a)
		}
		c.As("").Verify(id, code).Tokens()
		want("twice", complete(c, pending, form{"phone": "+31612345679"}), "invalid_pending_token")

		pending = begin()
		id = complete(c, pending, form{"phone": "+31612345680"}).Want(http.StatusOK).Text("id")
		code = c.AwaitMessages("+31612345680", 1)[0].Code
		c.Advance(301 * time.Second)
		want("too late", complete(c, pending, form{"phone": "+31612345680"}), "pending_token_expired")
		if a := c.As("").Verify(id, code); a.Status < 400 || a.Status >= 500 || a.Get("access_token") != nil {
			t.Errorf("its code, too late: %s", a)
		}
		if n := len(c.Messages("+31612345679")); n != 0 {
			t.Errorf("%d messages went out for a used sign-in", n)
		}
	})
}

func TestS100ConnectingAndTakingOff(t *testing.T) {
	g, config := newGoogle(t)
	served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who, other := c.SignIn(ann), c.SignIn(bob)
		connect := func(by harness.Tokens, says claimed) harness.Answer {
			return c.As(by.Access).Post("/v1/me/connections/google", idToken(c, g, says))
		}
		connect(harness.Tokens{}, nil).WantCode(http.StatusUnauthorized, "unauthenticated")
		if a := connect(who, nil).Want(http.StatusOK); a.Text("connections.0.channel") != "google" {
			t.Errorf("%s", a)
		}
		c.AwaitNotices(ann, 1)
		connect(other, nil).WantCode(http.StatusConflict, "already_linked")
		connect(who, nil).WantCode(http.StatusConflict, "already_linked")
		if all := connections(c, other.Access); len(all) != 0 {
			t.Errorf("bob has %v, want nothing", all)
		}
		if back := byGoogle(c, g, nil).Tokens(); back.User != who.User || back.New {
			t.Errorf("Google signs %+v in, want %s", back, who.User)
		}
		off := func(by harness.Tokens) harness.Answer {
			return c.As(by.Access).Do(http.MethodDelete, "/v1/me/connections/google", nil)
		}
		off(other).WantCode(http.StatusNotFound, "not_found")
		off(who).Want(http.StatusNoContent)
		off(who).WantCode(http.StatusNotFound, "not_found")

		only := byGoogle(c, g, claimed{"sub": "7", "email": nil, "email_verified": nil}).Tokens()
		off(only).WantCode(http.StatusConflict, "last_login_method")
		byGoogle(c, g, claimed{"sub": "7", "email": nil, "email_verified": nil}).Tokens()
		change := c.As(only.Access).Post("/v1/me/identifiers", form{"kind": "email", "value": eve}).Want(http.StatusAccepted)
		off(only).WantCode(http.StatusConflict, "last_login_method")
		c.As("").Verify(change.Text("challenges.0.id"), c.AwaitMessages(eve, 1)[0].Code).Want(http.StatusOK)
		off(only).Want(http.StatusNoContent)
		if back := c.SignIn(eve); back.User != only.User {
			t.Errorf("the address signs %s in, want %s", back.User, only.User)
		}
		c.Advance(6 * time.Minute) // a session that nobody has proven lately
		connect(who, claimed{"sub": "8"}).WantCode(http.StatusUnauthorized, "insufficient_user_authentication")
	})
}

func TestS101AccessTokensOfOtherAppsSignNobodyIn(t *testing.T) {
	hub := (&providers.OAuth{Client: "Iv1.ours", Secret: "hush"}).AsGitHub()
	book := (&providers.OAuth{Client: "4711", Secret: "hush"}).AsFacebook()
	corp := (&providers.OIDC{Client: "ours", Secret: "hush"}).Start()
	t.Cleanup(hub.Close)
	t.Cleanup(book.Close)
	t.Cleanup(corp.Close)
	hub.Is(map[string]any{"id": 1, "login": "ann", "name": "Ann"}, map[string]any{"email": "ann@corp.example", "verified": true, "primary": true})
	book.Is(map[string]any{"id": "10220000000000001", "first_name": "Ann", "email": "ann@corp.example"})
	config := fmt.Sprintf(`channels:
  github: { use: github, github: { client_id: Iv1.ours, client_secret: hush, access_tokens: true, site: %q, api: %q } }
  facebook: { use: facebook, facebook: { client_id: "4711", client_secret: hush, access_tokens: true, dialog: %q, graph: %q } }
  corp: { use: oidc, oidc: { client_id: ours, client_secret: hush, introspection: true, issuer: %q } }
`, hub.URL, hub.URL, book.URL+"/dialog", book.URL, corp.URL)
	served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		hubs, books := hub.Grant("Iv1.ours", c.Now()), book.Grant("4711", c.Now())
		hub.Revoke(hubs)
		book.Revoke(books)
		for channel, x := range map[string]struct {
			grant   func(client string) string
			ours    string
			revoked string
		}{
			"github":   {func(client string) string { return hub.Grant(client, c.Now()) }, "Iv1.ours", hubs},
			"facebook": {func(client string) string { return book.Grant(client, c.Now()) }, "4711", books},
			"corp":     {corp.Grant, "ours", ""},
		} {
			door := "/v1/sign-in/" + channel
			for what, token := range map[string]string{"another app's": x.grant("theirs"), "made up": "gho_" + rand.Text(), "empty": "", "revoked": x.revoked} {
				if a := c.Post(door, form{"access_token": token}); !a.Is(http.StatusUnprocessableEntity, "invalid_assertion") {
					t.Errorf("%s, %s: %s, want 422 invalid_assertion", channel, what, a)
				}
			}
			token := x.grant(x.ours)
			who := c.Post(door, form{"access_token": token}).Tokens()
			if all := connections(c, who.Access); !who.New || !slices.Equal(all, []string{channel}) {
				t.Errorf("%s: %+v has %v", channel, who, all)
			}
			if a := c.Post(door, form{"access_token": token}); !a.Is(http.StatusUnprocessableEntity, "assertion_replayed") {
				t.Errorf("%s, once more: %s", channel, a)
			}
		}
	})
}

func TestS103OnlyBlankNamesAreFilledIn(t *testing.T) {
	g, config := newGoogle(t)
	served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		names := func(who harness.Tokens) string {
			me := c.As(who.Access).Get("/v1/me").Want(http.StatusOK)
			return me.Text("first_name") + "/" + me.Text("last_name")
		}
		nameless := func(sub, first, last string) harness.Tokens {
			t.Helper()
			body := idToken(c, g, claimed{"sub": sub, "given_name": nil, "email": nil, "email_verified": nil})
			body["first_name"], body["last_name"] = first, last
			return c.As("").Post("/v1/sign-in/google", body).Tokens()
		}
		fresh := nameless("1", "Bea", "")
		if got := names(fresh); got != "Bea/" {
			t.Errorf("somebody new is called %q, want Bea/", got)
		}
		if got := names(nameless("1", "Beatrix", "Potter")); got != "Bea/Potter" {
			t.Errorf("after coming back: %q, want Bea/Potter", got)
		}
		if got := names(nameless("1", "Eve", "Mallory")); got != "Bea/Potter" {
			t.Errorf("with no name blank: %q, want Bea/Potter", got)
		}

		who := c.SignIn(ann)
		c.As(who.Access).Do(http.MethodPatch, "/v1/me", form{"first_name": "Anna"}).Want(http.StatusOK)
		c.As(who.Access).Post("/v1/me/connections/google", idToken(c, g, claimed{"sub": "2"})).Want(http.StatusOK)
		back := byGoogle(c, g, claimed{"sub": "2", "given_name": "Ann", "family_name": "Lee"}).Tokens()
		if got := names(back); back.User != who.User || got != "Anna/Lee" {
			t.Errorf("%s is called %q, want %s and Anna/Lee", back.User, got, who.User)
		}
	})
}

// Whoever holds the mailbox, or the account at Google, has one factor only: their
// account is connected once they have given the other one.
func TestS056AnAccountIsConnectedOnceBothFactorsAreGiven(t *testing.T) {
	g, config := newGoogle(t)
	served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for what, to := range map[string]string{"Google runs the mailbox": "ann@gmail.com", "it does not": bob} {
			who := c.SignIn(to)
			device := c.EnrollTOTP(who.Access)
			c.RequireTwoFactor(who.Access)
			told := len(c.AwaitNotices(to, 2)) // of the app, and of the second step
			codes := len(c.Messages(to))
			connections := func() int {
				all, _ := c.As(who.Access).Get("/v1/me/connections").Want(http.StatusOK).Get("connections").([]any)
				return len(all)
			}
			says := claimed{"sub": "google-" + to, "email": to, "email_verified": true}
			first := byGoogle(c, g, says).Want(http.StatusOK)
			if id := first.Text("id"); id != "" { // the address is to be proven first
				first = c.As("").Verify(id, c.AwaitMessages(to, codes+1)[0].Code).Want(http.StatusOK)
			}
			if first.Text("status") != "factor_required" {
				t.Fatalf("%s: %s, want factor_required", what, first)
			}
			if n := connections(); n != 0 {
				t.Errorf("%s: %d connections by the first factor alone", what, n)
			}
			second := c.SecondFactor(first.Text("pending_token"), device.ID)
			done := c.As("").Verify(second.ID, harness.TOTP(device.Secret, c.Now().Add(30*time.Second))).Tokens()
			if n := connections(); n != 1 || done.User != who.User {
				t.Errorf("%s: %d connections of %s, want one of %s", what, n, done.User, who.User)
			}
			c.AwaitNotices(to, told+1)
		}
	})
}

func TestS056GoogleIsNoWayAroundTheSecondFactor(t *testing.T) {
	g, config := newGoogle(t)
	served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		c.As(who.Access).Post("/v1/me/connections/google", idToken(c, g, nil)).Want(http.StatusOK)
		added := c.As(who.Access).Post("/v1/me/devices", form{"channel": "sms", "to": anns}).Want(http.StatusCreated)
		c.As("").Verify(added.Text("challenge.id"), c.AwaitMessages(anns, 1)[0].Code).Want(http.StatusOK)
		c.RequireTwoFactor(who.Access)

		first := byGoogle(c, g, nil).Want(http.StatusOK)
		device := added.Text("device.id")
		if first.Text("status") != "factor_required" || first.Get("access_token") != nil || !strings.Contains(string(first.Body), device) || strings.Contains(string(first.Body), anns) {
			t.Fatalf("%s, want factor_required by the device, its number masked", first)
		}
		pending := first.Text("pending_token")
		c.As(pending).Get("/v1/me").Want(http.StatusUnauthorized)
		if a := complete(c, pending, form{"phone": anns}); a.Status < 400 || a.Get("access_token") != nil {
			t.Errorf("completing what is no account's beginning: %s", a)
		}
		second := c.SecondFactor(pending, device)
		done := c.As("").Verify(second.ID, c.AwaitMessages(anns, 2)[0].Code).Tokens()
		if done.User != who.User || done.New {
			t.Errorf("signed in as %+v, want %s", done, who.User)
		}
		if got := claims(t, done.Access); got.Sub != who.User || !slices.Contains(got.AMR, "sms") {
			t.Errorf("claims %+v, want amr sms", got)
		}
		if a := c.As(pending).Post("/v1/challenges", form{"purpose": "second_factor", "device_id": device}); a.Status != http.StatusUnauthorized {
			t.Errorf("the pending token once more: %s", a)
		}
	})
}
