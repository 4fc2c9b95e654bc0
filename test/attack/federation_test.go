package attack_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// said is what a token says beside what it always says; nil takes one out.
type said map[string]any

// google plays Google for one deployment, and another issuer beside it.
func google(t *testing.T) (g, issuer *providers.OIDC, config string) {
	t.Helper()
	g = (&providers.OIDC{Issuer: "https://accounts.google.com", Client: "123.apps", Secret: "hush"}).Start()
	issuer = (&providers.OIDC{Client: "ours", Secret: "hush"}).Start()
	t.Cleanup(g.Close)
	t.Cleanup(issuer.Close)
	return g, issuer, fmt.Sprintf(`channels:
  google: { use: google, google: { client_id: 123.apps, client_secret: hush, discovery: %q } }
  corp: { use: oidc, oidc: { client_id: ours, client_secret: hush, issuer: %q } }
`, g.Discovery(), issuer.URL)
}

// now is when a token is made, so that moved clocks do not matter, and its name.
func now(c *harness.Client, says said) map[string]any {
	out := map[string]any{"jti": rand.Text(), "iat": c.Now().Unix(), "exp": c.Now().Add(time.Hour).Unix()}
	maps.Copy(out, says)
	return out
}

func by(c *harness.Client, channel string, g *providers.OIDC, says said) harness.Answer {
	return c.As("").Post("/v1/sign-in/"+channel, map[string]string{"id_token": g.Sign(g.Claims(now(c, says)))})
}

// rejected fails the test unless an assertion is worth nothing.
func rejected(t *testing.T, what string, a harness.Answer) {
	t.Helper()
	refused(t, what, a)
	switch a.Code() {
	case "invalid_assertion", "assertion_expired", "assertion_replayed":
	default:
		t.Errorf("%s: %s, want an assertion refused", what, a)
	}
}

func TestA068ATokenIsGoodForUsNowAndOnce(t *testing.T) {
	g, issuer, config := google(t)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	apart(t, harness.Options{Policy: patient, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		person := said{"sub": rand.Text(), "email": fresh(), "email_verified": true}
		claims := func(more said) map[string]any {
			all := maps.Clone(person)
			maps.Copy(all, more)
			return g.Claims(now(c, all))
		}
		post := func(n int, token string, more map[string]string) harness.Answer {
			body := map[string]string{"id_token": token}
			maps.Copy(body, more)
			return c.At(n).As("").Post("/v1/sign-in/google", body)
		}
		plain := func(method jwt.SigningMethod, key any) string {
			text, err := jwt.NewWithClaims(method, jwt.MapClaims(claims(nil))).SignedString(key)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		good := g.Sign(claims(nil))
		parts := strings.Split(good, ".")
		tokens := map[string]string{
			"another key":       providers.SignWith(stranger, map[string]any{"kid": "key-1"}, claims(nil)),
			"a key of its own":  providers.SignWith(stranger, map[string]any{"kid": "x", "jwk": map[string]string{"kty": "EC"}, "jku": issuer.URL + "/keys"}, claims(nil)),
			"another's keys":    issuer.Sign(claims(nil)),
			"no signature":      plain(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
			"our client secret": plain(jwt.SigningMethodHS256, []byte("hush")), "a cut signature": parts[0] + "." + parts[1] + ".",
			"critical":  g.SignUnder(map[string]any{"crit": []string{"x"}, "x": 1}, claims(nil)),
			"two parts": parts[0] + "." + parts[1], "five parts": good + ".a.b", "empty": "", "nothing": "..",
		}
		for what, more := range map[string]said{
			"another aud": {"aud": "456.apps"}, "no aud": {"aud": nil}, "an empty aud": {"aud": []string{}}, "aud in other case": {"aud": "123.APPS"},
			"two auds and azp of another": {"aud": []string{"123.apps", "456.apps"}, "azp": "456.apps"}, "azp of another": {"azp": "456.apps"},
			"another iss": {"iss": issuer.URL}, "iss without TLS": {"iss": "http://accounts.google.com"}, "iss with a slash": {"iss": "https://accounts.google.com/"},
			"iss of a look-alike": {"iss": "https://accounts.google.com.evil.example"}, "no iss": {"iss": nil},
			"an end in the past": {"exp": c.Now().Add(-5 * time.Minute).Unix()}, "no end": {"exp": nil}, "a beginning to come": {"nbf": c.Now().Add(time.Hour).Unix()},
			"made in the future": {"iat": c.Now().Add(time.Hour).Unix()}, "made long ago": {"iat": c.Now().Add(-24 * time.Hour).Unix()},
			"no sub": {"sub": nil}, "an empty sub": {"sub": ""}, "a number for sub": {"sub": 7},
		} {
			tokens[what] = g.Sign(claims(more))
		}
		n := 0
		for what, token := range tokens {
			n++
			rejected(t, what, post(n, token, nil))
		}
		rejected(t, "another nonce", post(0, g.Sign(claims(said{"nonce": "mine"})), map[string]string{"nonce": "yours"}))
		rejected(t, "no nonce", post(1, g.Sign(claims(nil)), map[string]string{"nonce": "yours"}))

		who := post(0, good, nil).Tokens()
		rejected(t, "once more", post(0, good, nil))
		rejected(t, "once more elsewhere", post(1, good, nil))
		bare := post(1, g.Sign(claims(said{"iss": "accounts.google.com"})), map[string]string{}).Tokens()
		nonce := post(0, g.Sign(claims(said{"nonce": "mine"})), map[string]string{"nonce": "mine"}).Tokens()
		if bare.User != who.User || nonce.User != who.User {
			t.Errorf("Google by its other name signs %s in, with a nonce %s; want %s", bare.User, nonce.User, who.User)
		}
		token := g.Sign(claims(nil))
		fire(20, func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/sign-in/google", map[string]string{"id_token": token})
		}).wantOnly(t, "signed_in", 1, "assertion_replayed")
	})
}

func TestA069OnlyTrueIsChecked(t *testing.T) {
	g, _, config := google(t)
	apart(t, harness.Options{Policy: patient, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		victim := fmt.Sprintf("v%d@gmail.com", people.Add(1))
		first := c.SignIn(victim)
		for what, checked := range map[string]any{"false": false, "nothing": nil, "a number": 1, "a word": "yes", "a list": []bool{true}, "a map": map[string]bool{"a": true}} {
			sub := rand.Text()
			a := by(c, "google", g, said{"sub": sub, "email": victim, "email_verified": checked, "hd": "gmail.com"})
			if who := a.Tokens(); who.User == first.User || strings.Contains(string(a.Body), victim) {
				t.Errorf("checked is %s: %s, want somebody else without the address", what, a)
			}
		}
		me := c.As(first.Access).Get("/v1/me/connections").Want(http.StatusOK)
		if me.Get("connections.0") != nil {
			t.Errorf("%s, want none", me)
		}
	})
}

func TestA070WhoDoesNotRunTheMailboxProvesNothing(t *testing.T) {
	g, issuer, config := google(t)
	apart(t, harness.Options{Policy: patient, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for _, site := range []struct {
			channel string
			at      *providers.OIDC
			mailbox func() string
		}{
			{"google", g, fresh},
			{"google", g, func() string { return fmt.Sprintf("a%d@gmail.com.evil.example", people.Add(1)) }},
			{"corp", issuer, func() string { return fmt.Sprintf("a%d@gmail.com", people.Add(1)) }},
		} {
			to := site.mailbox()
			victim := c.SignIn(to)
			person := said{"sub": rand.Text(), "email": strings.ToUpper(to), "email_verified": true}
			before := len(c.Messages(to))
			a := by(c, site.channel, site.at, person).Want(http.StatusOK)
			if a.Text("status") != "pending" || a.Get("access_token") != nil || a.Get("pending_token") != nil || strings.Contains(string(a.Body), to) {
				t.Fatalf("%s: %s, want a challenge to the mailbox and nothing else", to, a)
			}
			right := c.AwaitMessages(to, before+1)
			c.At(1).Verify(a.Text("id"), wrong(newest(right).Code, 0)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			if all := c.As(victim.Access).Get("/v1/me/connections").Want(http.StatusOK); all.Get("connections.0") != nil {
				t.Errorf("before any proof: %s", all)
			}
			if joined := c.Verify(a.Text("id"), newest(right).Code).Tokens(); joined.User != victim.User || joined.New {
				t.Errorf("who proves the mailbox is %+v, want %s", joined, victim.User)
			}
			if back := by(c, site.channel, site.at, person).Tokens(); back.User != victim.User {
				t.Errorf("then comes back as %s, want %s", back.User, victim.User)
			}
		}
	})
}

// newest is the latest of some messages.
func newest(all []harness.Message) harness.Message {
	out := all[0]
	for _, m := range all {
		if m.At.After(out.At) {
			out = m
		}
	}
	return out
}

func TestA071WhoOnlyClaimedAnAddressKeepsNothingOfIt(t *testing.T) {
	g, _, config := google(t)
	apart(t, harness.Options{Policy: patient, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		google := func(to string) harness.Tokens {
			return by(c, "google", g, said{"sub": rand.Text(), "email": to, "email_verified": true}).Tokens()
		}
		for what, way := range map[string]struct {
			to      string
			arrives func(to string) harness.Tokens
		}{
			"Google": {fmt.Sprintf("v%d@gmail.com", people.Add(1)), google}, "Google, which does not run the mailbox,": {fresh(), google}, "a code": {fresh(), c.SignIn},
		} {
			to, arrives, mallory := way.to, way.arrives, fmt.Sprintf("mallory%d", people.Add(1))
			c.As("").Post("/v1/users", map[string]string{"username": mallory, "email": to, "password": knows}).Want(http.StatusCreated)
			attacker := byPassword(c, mallory, knows).Tokens()
			phone := freshPhone()
			more := c.As(attacker.Access).Post("/v1/me/identifiers", map[string]string{"kind": "phone", "value": phone}).Want(http.StatusAccepted)
			c.As("").Verify(more.Text("challenges.0.id"), c.AwaitMessages(phone, 1)[0].Code).Want(http.StatusOK)
			app := c.EnrollTOTP(attacker.Access)
			pending := c.As(attacker.Access).Post("/v1/me/identifiers", map[string]string{"kind": "email", "value": to}).Want(http.StatusAccepted)
			c.AwaitMessages(to, 1)

			victim := arrives(to)
			if victim.User == attacker.User || !victim.New {
				t.Fatalf("by %s the victim is %+v, want somebody new", what, victim)
			}
			me := c.As(victim.Access).Get("/v1/me").Want(http.StatusOK)
			if strings.Contains(string(me.Body), phone) || strings.Contains(string(me.Body), mallory) || me.Text("identifiers.0.value") != to {
				t.Errorf("by %s: %s, want the victim's address only", what, me)
			}
			if devices := c.As(victim.Access).Get("/v1/me/devices").Want(http.StatusOK); strings.Contains(string(devices.Body), app.ID) {
				t.Errorf("by %s the victim has the attacker's app: %s", what, devices)
			}
			refused(t, "the attacker's password for the victim's address", byPassword(c, to, knows))
			var theirs struct {
				Identifiers []struct {
					Value    string
					Verified bool
				}
			}
			c.As(attacker.Access).Get("/v1/me").Want(http.StatusOK).JSON(&theirs)
			for _, i := range theirs.Identifiers {
				if i.Value == to && i.Verified { // that they want it, they may go on saying
					t.Errorf("by %s the attacker has the address", what)
				}
			}
			if id := pending.Text("challenges.0.id"); id != "" {
				for _, m := range c.Messages(to) {
					if a := c.As("").Verify(id, m.Code); a.Status == http.StatusOK {
						t.Errorf("by %s what the attacker had begun goes on: %s", what, a)
					}
				}
			}
			if again := c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": attacker.Refresh}); again.Status == http.StatusOK {
				if who := c.As(again.Text("access_token")).Get("/v1/me").Want(http.StatusOK); who.Text("id") != attacker.User {
					t.Errorf("the attacker's session is %s now", who)
				}
			}
			if back := c.SignIn(to); back.User != victim.User {
				t.Errorf("a code to the address signs %s in, want %s", back.User, victim.User)
			}
		}
	})
}

func TestA073NobodyInheritsAnAccount(t *testing.T) {
	g, issuer, config := google(t)
	apart(t, harness.Options{Policy: patient, Config: config + tenants}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		sub, to := rand.Text(), fmt.Sprintf("v%d@gmail.com", people.Add(1))
		first := by(c, "google", g, said{"sub": sub, "email": to, "email_verified": true}).Tokens()
		never := func(what string, a harness.Answer) {
			t.Helper()
			if a.Text("user.id") == first.User || a.Status >= 500 {
				t.Errorf("%s: %s, want it never to be the first one's account", what, a)
			}
		}
		never("the same address, another number", by(c, "google", g, said{"sub": rand.Text(), "email": to, "email_verified": true}))
		never("the same address, another number, of a company", by(c, "google", g, said{"sub": rand.Text(), "email": to, "email_verified": true, "hd": "corp.example"}))
		never("the same number at another issuer", by(c, "corp", issuer, said{"sub": sub}))
		never("the same number and address at another issuer", by(c, "corp", issuer, said{"sub": sub, "email": to, "email_verified": true}))
		never("the same number at another tenant", by(elsewhere(c), "google", g, said{"sub": sub, "email": to, "email_verified": true}))
		never("the number in other case", by(c, "google", g, said{"sub": strings.ToLower(sub)}))
		never("the number with a space", by(c, "google", g, said{"sub": sub + " "}))

		moved := fmt.Sprintf("w%d@gmail.com", people.Add(1)) // the address there changes, and is somebody else's here
		other := c.SignIn(moved)
		back := by(c, "google", g, said{"sub": sub, "email": moved, "email_verified": true}).Tokens()
		if back.User != first.User || back.User == other.User {
			t.Errorf("after another address: %s, want %s", back.User, first.User)
		}
		if me := c.As(back.Access).Get("/v1/me").Want(http.StatusOK); strings.Contains(string(me.Body), moved) || !strings.Contains(string(me.Body), to) {
			t.Errorf("%s, want the address of before", me)
		}
		if all := c.As(first.Access).Get("/v1/me/connections").Want(http.StatusOK); all.Get("connections.1") != nil {
			t.Errorf("%s, want one connection", all)
		}
	})
}

func TestA078UnknownKeysAreNoWayToMakeUsAsk(t *testing.T) {
	g, _, config := google(t)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	everyone := harness.Options{Policy: patient, Config: config}
	harness.Stores(t, func(t *testing.T, store harness.Store) { // one after the other: they share a Google
		o := everyone
		o.Store, o.Log = store, "warn"
		c := harness.Start(t, o).Client(t)
		sub := rand.Text()
		who := by(c, "google", g, said{"sub": sub}).Tokens()
		before := g.Fetched()
		v := fire(30, func(i int) (harness.Answer, error) {
			token := providers.SignWith(stranger, map[string]any{"kid": fmt.Sprint("made-up-", i)}, g.Claims(now(c, said{"sub": sub})))
			return c.Try(http.MethodPost, "/v1/sign-in/google", map[string]string{"id_token": token})
		})
		v.want(t, map[string]int{"invalid_assertion": 30})
		if n := g.Fetched() - before; n > 1 {
			t.Errorf("30 made-up keys made us ask %d times, want once a minute", n)
		}
		old := now(c, said{"sub": sub})
		late := g.Sign(g.Claims(old))
		g.Rotate()
		c.Advance(2 * time.Minute)
		if again := by(c, "google", g, said{"sub": sub}).Tokens(); again.User != who.User {
			t.Errorf("under a new key: %s, want %s", again.User, who.User)
		}
		rejected(t, "under a key that was withdrawn", c.Post("/v1/sign-in/google", map[string]string{"id_token": late}))
	})
}

// an account that somebody made or bound by one provider, with an address
// that was never proven, is not where its owner ends who comes by another provider,
// or by a code.
func TestA072WhoComesByAnotherProviderFindsNobodyThere(t *testing.T) {
	g, issuer, config := google(t)
	apart(t, harness.Options{Policy: patient, Config: config + "trusted_proxies: [127.0.0.0/8]\n"}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		evil := func(to, sub string) harness.Answer {
			return by(c, "corp", issuer, said{"sub": sub, "email": to, "email_verified": false})
		}
		lurks := map[string]func(to, sub string) harness.Tokens{
			"an account of the other provider's": func(to, sub string) harness.Tokens { return evil(to, sub).Tokens() },
			"an account by password, with the other provider bound": func(to, sub string) harness.Tokens {
				name := fmt.Sprint("mallory", people.Add(1))
				c.Post("/v1/users", map[string]string{"username": name, "email": to, "password": "a long walk at night"}).Want(http.StatusCreated)
				mallory := byPassword(c, name, "a long walk at night").Tokens()
				token := issuer.Sign(issuer.Claims(now(c, said{"sub": sub, "email": to, "email_verified": false})))
				if a := c.As(mallory.Access).Post("/v1/me/connections/corp", map[string]string{"id_token": token}); a.Status >= 300 {
					t.Fatalf("binding the other provider: %s", a)
				}
				return mallory
			},
		}
		comes := map[string]func(c *harness.Client, to string) harness.Tokens{
			"Google": func(c *harness.Client, to string) harness.Tokens {
				return by(c, "google", g, said{"sub": "at Google " + to, "email": to, "email_verified": true}).Tokens()
			},
			"a code": func(c *harness.Client, to string) harness.Tokens { return c.SignIn(to) },
		}
		for waits, lurk := range lurks {
			for how, come := range comes {
				to, sub := fmt.Sprintf("w%d@gmail.com", people.Add(1)), rand.Text()
				mallory := lurk(to, sub)
				home := c.With("X-Forwarded-For", "203.0.113.9")
				victim := come(home, to)
				if victim.User == mallory.User || !victim.New {
					t.Errorf("%s, then by %s: %+v, want somebody new", waits, how, victim)
				}
				me := c.As(victim.Access).Get("/v1/me").Want(http.StatusOK)
				if me.Text("identifiers.0.value") != to || me.Get("identifiers.0.verified") != true {
					t.Errorf("%s, then by %s: %s, want the address to be the victim's", waits, how, me)
				}
				if all := c.As(victim.Access).Get("/v1/me/connections").Want(http.StatusOK); strings.Contains(string(all.Body), "corp") {
					t.Errorf("%s, then by %s: the victim has %s", waits, how, all)
				}
				if back := evil(to, sub).Tokens(); back.User != mallory.User {
					t.Errorf("%s, then by %s: the other provider leads to %s, want %s", waits, how, back.User, mallory.User)
				}
				if theirs := c.As(mallory.Access).Get("/v1/me").Want(http.StatusOK); strings.Contains(string(theirs.Body), `"value":"`+to+`","verified":true`) {
					t.Errorf("%s, then by %s: the attacker has the address: %s", waits, how, theirs)
				}
				if again := come(home, to); again.User != victim.User {
					t.Errorf("%s, by %s again: %s, want %s", waits, how, again.User, victim.User)
				}
			}
		}
	})
}
