package attack_test

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// forge signs somebody's claims anew with a key of one's own, under a header that
// has these members beside its own.
func forge(t *testing.T, good string, header map[string]any) string {
	t.Helper()
	parts := strings.Split(good, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, header)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	input := base64.RawURLEncoding.EncodeToString(text) + "." + parts[1]
	return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(input)))
}

// wantNobody fails the test unless a token opens nothing.
func wantNobody(t *testing.T, c *harness.Client, what, token string) {
	t.Helper()
	if a := c.As(token).Get("/v1/me"); !a.Is(http.StatusUnauthorized, "invalid_token") {
		t.Errorf("%s: %s, want 401 invalid_token", what, a)
	}
	wantInactive(t, c, what, token)
}

// wantInactive fails the test unless introspection says no, and nothing more.
func wantInactive(t *testing.T, c *harness.Client, what, token string) {
	t.Helper()
	a := c.As("").Post("/v1/tokens/introspect", map[string]string{"token": token}).Want(http.StatusOK)
	if strings.TrimSpace(string(a.Body)) != `{"active":false}` {
		t.Errorf("%s: %s, want it inactive", what, a)
	}
}

func TestA055HeadersOfTokensLeadNowhere(t *testing.T) {
	var visits atomic.Int32
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		visits.Add(1)
		_, _ = w.Write([]byte(`{"keys":[]}`))
	}))
	defer sink.Close()
	everywhere(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		good := c.SignIn(fresh()).Access
		for _, kid := range []any{
			"../../dev/null", "/etc/passwd", "' OR 1=1 --", "1; DROP TABLE users", sink.URL, strings.Repeat("k", 3_000), "", "nobody", 1, nil, []string{"a"}, "\x00",
		} {
			wantNobody(t, c, fmt.Sprintf("the key %.20v", kid), forge(t, good, map[string]any{"kid": kid}))
		}
		for name, value := range map[string]any{
			"jku": sink.URL, "x5u": sink.URL, "x5c": []string{"MIIB"}, "crit": []string{"exp"}, "zip": "DEF", "b64": false,
			"jwk": map[string]string{"kty": "OKP", "crv": "Ed25519", "x": strings.Repeat("A", 43)},
		} {
			wantNobody(t, c, name, forge(t, good, map[string]any{name: value}))
		}
		for _, typ := range []any{"JWT", "", "logout+jwt", "AT+JWT ", nil} {
			wantNobody(t, c, fmt.Sprintf("the type %v", typ), forge(t, good, map[string]any{"typ": typ}))
		}
		// A header that is too long may be cut off before it is all written.
		long := c.As(forge(t, good, map[string]any{"kid": strings.Repeat("k", 10_000)}))
		if a, err := long.Try(http.MethodGet, "/v1/me", nil); err == nil && a.Status != http.StatusBadRequest && a.Status != http.StatusUnauthorized {
			t.Errorf("a key's name of 10 kB: %s, want a refusal", a)
		}
		c.As(good).Get("/v1/me").Want(http.StatusOK)
	})
	if n := visits.Load(); n != 0 {
		t.Errorf("the server went out %d times to look for keys, want never", n)
	}
}

func TestA056EachTokenIsGoodForOneThing(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		m := enroll(c)
		stepUp(c, m)

		c.RequireTwoFactor(m.tokens.Access)
		asked := c.As("").Challenge(m.to, map[string]string{"to": m.to})
		link := c.Newest(m.to).Link
		pending := c.FirstFactor(m.to)
		all := map[string]string{
			"a refresh token": m.tokens.Refresh, "a pending token": pending, "a challenge": asked.ID,
			"a link": link[strings.LastIndex(link, "/")+1:], "a session's id": m.tokens.Session, "a user's id": m.tokens.User,
		}
		for what, token := range all {
			if a := c.As(token).Get("/v1/me"); a.Status != http.StatusUnauthorized {
				t.Errorf("%s as an access token: %s, want 401", what, a)
			}
			if what != "a refresh token" {
				wantInactive(t, c, what, token)
				if a := c.As("").Post("/v1/tokens/refresh", map[string]string{"refresh_token": token}); a.Status != http.StatusUnauthorized {
					t.Errorf("%s as a refresh token: %s, want 401", what, a)
				}
			}
			if what != "a pending token" {
				if a := c.As(token).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": m.device.ID}); a.Status != http.StatusUnauthorized {
					t.Errorf("%s as a pending token: %s, want 401", what, a)
				}
				if a := c.As(token).Do(http.MethodPut, "/v1/password", map[string]string{"new_password": "staple horse 9!"}); a.Status != http.StatusUnauthorized {
					t.Errorf("%s as the token of a reset: %s, want 401", what, a)
				}
			}
		}
		if a := c.As("").Post("/v1/tokens/refresh", map[string]string{"refresh_token": m.tokens.Access}); a.Status != http.StatusUnauthorized {
			t.Errorf("an access token as a refresh token: %s, want 401", a)
		}
		if a := c.As(pending).Do(http.MethodPut, "/v1/password", map[string]string{"new_password": "staple horse 9!"}); a.Status != http.StatusUnauthorized {
			t.Errorf("a pending token of a sign-in chooses a password: %s, want 401", a)
		}
		if a := c.As(pending).Post("/v1/sign-in/complete", map[string]string{"username": "mallory"}); a.Status != http.StatusUnauthorized {
			t.Errorf("a pending token of a second factor makes an account: %s, want 401", a)
		}
	})
}

// say sends bytes as they are and reads the status that comes back; 0 if the
// connection was closed instead.
func say(t *testing.T, s *harness.Server, request string) int {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.Address, 5*time.Second)
	if err != nil {
		t.Fatalf("the server is gone: %v", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = conn.Write([]byte(request)) // may fail once the server has read enough
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func TestA058HugeAndBrokenTokensAreRefused(t *testing.T) {
	everywhere(t, "", func(t *testing.T, s *harness.Server, c *harness.Client) {
		good := c.SignIn(fresh()).Access
		for what, header := range map[string]string{
			"half a million parts": strings.Repeat("a.", 500_000), "a header of a megabyte": strings.Repeat("A", 1<<20),
			"a zero byte": good + "\x00", "no UTF-8": "\xff\xfe.\xff.\xff", "a line break": good[:40] + "\r\n " + good[40:], "a lone line feed": good[:40] + "\n" + good[40:],
		} {
			status := say(t, s, "GET /v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "+header+"\r\n\r\n")
			if status != 0 && (status < 400 || status >= 500) {
				t.Errorf("%s: %d, want a refusal", what, status)
			}
		}
		deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
		for _, body := range []string{deep, strings.Repeat("[", 10_000), `{"token":` + deep + `}`} {
			if a := c.Post("/v1/tokens/introspect", body); a.Status < 400 || a.Status >= 500 {
				t.Errorf("a body 10,000 deep: %d, want a refusal", a.Status)
			}
		}
		// What is too long may be cut off before it is all written: that is a refusal too.
		long := `{"token":"` + strings.Repeat("a.", 40_000) + `"}`
		if a, err := c.Try(http.MethodPost, "/v1/tokens/introspect", long); err == nil && a.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("a body of 80 kB: %d, want 413", a.Status)
		}
		wantInactive(t, c, "many parts", strings.Repeat("a.", 30_000))
		c.As(good).Get("/v1/me").Want(http.StatusOK)
	})
}

func TestA059TokensHaveOneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		m := enroll(c)
		m.tokens = c.SignIn(fresh())
		for kind, token := range map[string]string{"access": m.tokens.Access, "refresh": m.tokens.Refresh} {
			last := strings.IndexByte(alphabet, token[len(token)-1])
			for _, other := range []int{last ^ 1, last ^ 2, last ^ 4} { // bits that may not count
				spelled := token[:len(token)-1] + alphabet[other:other+1]
				wantInactive(t, c, kind+" token with another last letter", spelled)
			}
			for _, spelled := range []string{token + "=", token + "==", token + "\n", token[:len(token)-4] + "\n" + token[len(token)-4:], " " + token, token + " ", token + "A"} {
				wantInactive(t, c, kind+" token with something in it", spelled)
			}
			if kind == "refresh" {
				for _, spelled := range []string{token + "=", token + "\n", token + " "} {
					if a := c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": spelled}); a.Status != http.StatusUnauthorized {
						t.Errorf("%q: %s, want 401", spelled[len(token):], a)
					}
				}
			}
		}
		c.As(m.tokens.Access).Get("/v1/me").Want(http.StatusOK)
	})
}

func TestA061AReusedRefreshTokenEndsTheFamily(t *testing.T) {
	everywhere(t, "", func(t *testing.T, s *harness.Server, c *harness.Client) {
		to := fresh()
		first := c.SignIn(to)
		refresh := func(i int, token string) harness.Answer {
			return c.At(i).Post("/v1/tokens/refresh", map[string]string{"refresh_token": token})
		}
		second := refresh(0, first.Refresh).Want(http.StatusOK)
		if again := refresh(1, first.Refresh).Want(http.StatusOK); again.Text("refresh_token") != second.Text("refresh_token") {
			t.Error("an answer that was lost is answered otherwise")
		}
		third := refresh(0, second.Text("refresh_token")).Want(http.StatusOK)
		c.Advance(11 * time.Second)
		fire(20, func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/tokens/refresh", map[string]string{"refresh_token": first.Refresh})
		}).want(t, map[string]int{"token_revoked": 20})
		for i := range 2 {
			for what, token := range map[string]string{"the second": second.Text("refresh_token"), "the third": third.Text("refresh_token")} {
				if a := refresh(i, token); a.Status != http.StatusUnauthorized {
					t.Errorf("%s after the reuse: %s, want 401", what, a)
				}
				wantInactive(t, c.At(i), what, token)
			}
			wantInactive(t, c.At(i), "access", third.Text("access_token"))
			if a := c.At(i).As(third.Text("access_token")).Get("/v1/me"); a.Status != http.StatusUnauthorized {
				t.Errorf("access after the reuse: %s, want 401", a)
			}
		}
		told := command(t, "events", "tail", "--database", s.Options.Store.URL, "--type", "session.refresh_reused", "--json")
		if n := strings.Count(told, first.Session); n != 1 {
			t.Errorf("%d events tell of the reuse, want 1:\n%s", n, told)
		}
		wantToldOfCopy(t, c, to, first.Refresh, second.Text("refresh_token"), third.Text("refresh_token"), first.Session)

		another := c.SignIn(fresh()) // the one token before counts as lost for a moment, and no longer
		next := refresh(0, another.Refresh).Want(http.StatusOK).Text("refresh_token")
		c.Advance(11 * time.Second)
		if a := refresh(1, another.Refresh); !a.Is(http.StatusUnauthorized, "token_revoked") {
			t.Errorf("the one before, eleven seconds later: %s, want 401 token_revoked", a)
		}
		wantInactive(t, c.At(1), "its successor", next)
	})
}

// wantToldOfCopy fails the test unless whoever is at the address was told once
// that a copy of their session was used, and nothing that anybody could use.
func wantToldOfCopy(t *testing.T, c *harness.Client, to string, secrets ...string) {
	t.Helper()
	told := c.AwaitNotices(to, 1)
	c.SignIn(fresh()) // what was queued before has been sent by now
	if n := len(c.Notices(to)); n != 1 {
		t.Errorf("%d notices tell of the reuse, want 1", n)
	}
	m := told[0]
	if !strings.Contains(m.Text, "used a copy of a session") || m.Code != "" || m.Link != "" {
		t.Errorf("the owner was told %q, %q", m.Subject, m.Text)
	}
	for _, secret := range secrets {
		if strings.Contains(m.Subject+m.Text, secret) {
			t.Errorf("the notice gives away %q", secret)
		}
	}
}

func TestA062OneRefreshTokenHasOneSuccessor(t *testing.T) {
	everywhere(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for range rounds {
			who := c.SignIn(fresh())
			forget(c)
			v := fire(50, func(i int) (harness.Answer, error) {
				return c.At(i).Try(http.MethodPost, "/v1/tokens/refresh", map[string]string{"refresh_token": who.Refresh})
			})
			successors := map[string]bool{}
			for i, a := range v.answers {
				switch {
				case v.errors[i] != nil:
					t.Fatal(v.errors[i])
				case a.Status == http.StatusOK:
					successors[a.Text("refresh_token")] = true
				case a.Status != http.StatusUnauthorized:
					t.Fatalf("%s, want 200 or 401", a)
				}
			}
			if len(successors) != 1 || successors[who.Refresh] {
				t.Fatalf("%d successors of one refresh token, want one that is new", len(successors))
			}
			for next := range successors {
				c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": next}).Want(http.StatusOK)
			}
		}
	})
}

func TestA064SigningOutIsHeardEverywhereAtOnce(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		keep, one, two := c.SignIn(to), c.SignIn(to), c.SignIn(to)
		gone := func(who harness.Tokens) {
			t.Helper()
			for i := range 2 {
				wantInactive(t, c.At(i), "access", who.Access)
				wantInactive(t, c.At(i), "refresh", who.Refresh)
				c.At(i).As(who.Access).Get("/v1/me").WantCode(http.StatusUnauthorized, "token_revoked")
				c.At(i).Post("/v1/tokens/refresh", map[string]string{"refresh_token": who.Refresh}).WantCode(http.StatusUnauthorized, "token_revoked")
			}
		}
		c.As(keep.Access).Do(http.MethodDelete, "/v1/me/sessions/"+one.Session, nil).Want(http.StatusNoContent)
		gone(one)
		c.At(1).As(keep.Access).Do(http.MethodDelete, "/v1/me/sessions", nil).Want(http.StatusNoContent)
		gone(two)
		c.As(keep.Access).Get("/v1/me").Want(http.StatusOK)
		other := c.SignIn(fresh())
		c.As(other.Access).Do(http.MethodDelete, "/v1/me/sessions/"+keep.Session, nil).WantCode(http.StatusNotFound, "not_found")
		c.Post("/v1/tokens/revoke", map[string]string{"token": keep.Refresh}).Want(http.StatusNoContent)
		gone(keep)
	})
}

func TestA065IntrospectionTellsNothingOfWhatIsNotGood(t *testing.T) {
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		s := harness.Start(t, harness.Options{Store: store, Config: "tenants: [ { slug: t2 } ]"})
		c := s.Client(t)
		who := c.SignIn(fresh())
		for _, token := range []string{"x", "a.b.c", strings.Repeat("A", 86), who.Session, who.User} {
			wantInactive(t, c, "an unknown token", token)
		}
		other := c.With("Countersign-Tenant", "t2")
		wantInactive(t, other, "another tenant's access token", who.Access)
		wantInactive(t, other, "another tenant's refresh token", who.Refresh)
		for _, body := range []string{`{}`, `{"token":""}`, `{"token":null}`, `{"token":["x"]}`, `[]`, ``} {
			if a := c.Post("/v1/tokens/introspect", body); a.Status < 400 || a.Status >= 500 {
				t.Errorf("%s: %s, want a refusal", body, a)
			}
		}
	})
}
