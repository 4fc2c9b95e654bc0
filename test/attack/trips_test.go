package attack_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// Bots of nobody.
const (
	ourBot   = "123456789:TEST-TOKEN-NOT-A-REAL-SECRET-0000001"
	theirBot = "987654321:TEST-TOKEN-NOT-A-REAL-SECRET-0000002"
)

// seal signs fields as Telegram does, by a key.
func seal(key []byte, fields map[string]string) string {
	var lines []string
	for name, value := range fields {
		lines = append(lines, name+"="+value)
	}
	slices.Sort(lines)
	return hex.EncodeToString(keyed(key, strings.Join(lines, "\n")))
}

func keyed(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Keys that are made of a bot's token: the login widget's and a Mini App's.
func widgetKey(bot string) []byte { sum := sha256.Sum256([]byte(bot)); return sum[:] }
func appKey(bot string) []byte    { return keyed([]byte("WebAppData"), bot) }

// handed is what the login widget hands over, signed by a key.
func handed(key []byte, at time.Time, id int64) map[string]string {
	fields := map[string]string{"id": strconv.FormatInt(id, 10), "first_name": "Ada", "auth_date": strconv.FormatInt(at.Unix(), 10)}
	fields["hash"] = seal(key, fields)
	return fields
}

// miniApp is what a Mini App hands over, signed by a key.
func miniApp(key []byte, at time.Time, id int64) map[string]string {
	fields := map[string]string{"user": fmt.Sprintf(`{"id":%d,"first_name":"Ada"}`, id), "auth_date": strconv.FormatInt(at.Unix(), 10), "query_id": "AAE"}
	data := url.Values{"hash": {seal(key, fields)}}
	for name, value := range fields {
		data.Set(name, value)
	}
	return map[string]string{"init_data": data.Encode()}
}

const telegram = "channels: { telegram: { use: telegram, telegram: { bot_name: example_bot, bot_token: \"" + ourBot + "\" } } }\n"

func TestA074TelegramsWordIsGoodOnce(t *testing.T) {
	apart(t, harness.Options{Policy: patient, Config: telegram}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for round := range rounds {
			fields := handed(widgetKey(ourBot), c.Now(), int64(1000+round))
			upper := map[string]string{"hash": strings.ToUpper(fields["hash"])}
			for _, name := range []string{"id", "first_name", "auth_date"} {
				upper[name] = fields[name]
			}
			bodies := []any{fields, upper, map[string]any{"auth_data": fields}}
			fire(9, func(i int) (harness.Answer, error) {
				return c.At(i).Try(http.MethodPost, "/v1/sign-in/telegram", bodies[i%len(bodies)])
			}).wantOnly(t, "signed_in", 1, "assertion_replayed")
		}
		for what, fields := range map[string]map[string]string{
			"another bot's": handed(widgetKey(theirBot), c.Now(), 7), "signed by nothing": handed(nil, c.Now(), 7), "an hour ahead": handed(widgetKey(ourBot), c.Now().Add(time.Hour), 7),
			"301 seconds old": handed(widgetKey(ourBot), c.Now().Add(-301*time.Second), 7), "an hour old": handed(widgetKey(ourBot), c.Now().Add(-time.Hour), 7),
		} {
			rejected(t, what, c.Post("/v1/sign-in/telegram", fields))
		}
	})
}

func TestA075OneDoorOfTelegramsDoesNotOpenTheOther(t *testing.T) {
	apart(t, harness.Options{Policy: patient, Config: telegram}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		door := "/v1/sign-in/telegram"
		fields := handed(widgetKey(ourBot), c.Now(), 7)
		query := url.Values{}
		for name, value := range fields {
			query.Set(name, value)
		}
		// Somebody of id 42 whose name has a line in it, handed over as somebody else.
		split := map[string]string{"auth_date": fields["auth_date"], "first_name": "A", "id": "7", "last_name": "B\nid=42"}
		split["hash"] = seal(widgetKey(ourBot), split)
		for what, body := range map[string]any{
			"a widget's of an empty token": handed(widgetKey(""), c.Now(), 7), "a Mini App's of an empty token": miniApp(appKey(""), c.Now(), 7),
			"a line in a name":               split,
			"a widget's by a Mini App's key": handed(appKey(ourBot), c.Now(), 7), "a Mini App's by a widget's key": miniApp(widgetKey(ourBot), c.Now(), 7),
			"a widget's as a Mini App's": map[string]string{"init_data": query.Encode()}, "another bot's Mini App": miniApp(appKey(theirBot), c.Now(), 7),
			"both at once":      map[string]any{"init_data": miniApp(appKey(ourBot), c.Now(), 7)["init_data"], "auth_data": fields},
			"an old Mini App's": miniApp(appKey(ourBot), c.Now().Add(-301*time.Second), 7),
			"two users":         map[string]string{"init_data": miniApp(appKey(ourBot), c.Now(), 7)["init_data"] + "&user=" + url.QueryEscape(`{"id":8}`)},
		} {
			rejected(t, what, c.Post(door, body))
		}
		app := miniApp(appKey(ourBot), c.Now(), 7)
		who := c.Post(door, app).Tokens()
		rejected(t, "a Mini App's twice", c.At(1).Post(door, app))
		if same := c.Post(door, fields).Tokens(); same.User != who.User {
			t.Errorf("the widget signs %s in, the Mini App %s", same.User, who.User)
		}
	})
}

// trip is a browser that was sent to Google.
type trip struct {
	cookie string
	away   *url.URL
}

func leave(t *testing.T, c *harness.Client, query string) trip {
	t.Helper()
	a := c.Get("/v1/sign-in/google/start" + query).Want(http.StatusSeeOther)
	away, err := url.Parse(a.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	return trip{cookie, away}
}

// consent says yes at Google, and gives what comes back.
func (r trip) consent(t *testing.T, g *providers.OIDC) url.Values {
	t.Helper()
	back, err := g.Consent(r.away.String())
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func (r trip) comeBack(c *harness.Client, channel string, back url.Values, headers ...string) harness.Answer {
	return c.With("Cookie", r.cookie).With("Accept", "text/html").Get("/callback/"+channel+"?"+back.Encode(), headers...)
}

func TestA076ATripEndsWhereItBegan(t *testing.T) {
	g, _, config := google(t)
	apart(t, harness.Options{Policy: patient, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		first, second := leave(t, c, "?return_to=/a"), leave(t, c, "?return_to=/b")
		for _, r := range []trip{first, second} {
			q := r.away.Query()
			if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("nonce")) < 22 || len(q.Get("state")) < 22 || q.Get("response_type") != "code" {
				t.Errorf("sent away with %v, want PKCE by S256, a nonce and a state", q)
			}
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if first.away.Query().Get(name) == second.away.Query().Get(name) {
				t.Errorf("two trips have the same %s", name)
			}
		}
		lost := func(what string, a harness.Answer) {
			t.Helper()
			if a.Status < 400 || a.Status >= 500 || a.Header.Get("Location") != "" || strings.Contains(string(a.Body), "csr_") {
				t.Errorf("%s: %s with Location %q, want a refusal", what, a, a.Header.Get("Location"))
			}
		}
		with := func(back url.Values, name, value string) url.Values {
			out := url.Values{}
			maps.Copy(out, back)
			if out.Set(name, value); value == "" {
				out.Del(name)
			}
			return out
		}
		mine, theirs := first.consent(t, g), second.consent(t, g)
		// While the code is still good: those below use it up.
		lost("no cookie", trip{cookie: "x=y"}.comeBack(c, "google", mine))
		lost("another browser", second.comeBack(c, "google", mine))
		lost("another channel", first.comeBack(c, "corp", mine))
		lost("no state", first.comeBack(c, "google", with(mine, "state", "")))
		lost("an edited state", first.comeBack(c, "google", with(mine, "state", mine.Get("state")+"A")))
		lost("another trip's state", first.comeBack(c, "google", with(mine, "state", theirs.Get("state"))))
		lost("a code of nobody", first.comeBack(c, "google", with(mine, "code", "made-up")))

		// Another trip's code, put into one's own: its verifier and its nonce are not the ones.
		victim, mallory := leave(t, c, ""), leave(t, c, "")
		lost("another trip's code", mallory.comeBack(c, "google", with(mallory.consent(t, g), "code", victim.consent(t, g).Get("code"))))

		third := leave(t, c, "?return_to=/c")
		back := third.consent(t, g)
		v := fire(8, func(i int) (harness.Answer, error) {
			return c.At(i).With("Cookie", third.cookie).Try(http.MethodGet, "/callback/google?"+back.Encode(), nil)
		})
		onward := 0
		for _, a := range v.answers {
			if a.Status == http.StatusSeeOther {
				onward++
			}
		}
		if onward != 1 {
			t.Errorf("one way back was gone %d times of 8, want once: %v", onward, v.tally())
		}
		id := third.away.Query().Get("state")
		all := fire(8, func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges/"+id+"/verify", "{}")
		})
		if n := len(all.with("signed_in")); n != 1 {
			t.Errorf("one trip signed in %d times: %v", n, all.tally())
		}
	})
}

// ours is where browsers may be sent besides paths of the server's own.
const ours = "https://app.example.com"

// elsewhereTo are addresses that look like ones that are allowed, or that some browser takes
// for another than we do.
var elsewhereTo = []string{
	"https://evil.example", "//evil.example", "///evil.example", "////evil.example/a", `/\evil.example`, `\\evil.example`, `\/evil.example`, `/\/evil.example`,
	"https:evil.example", "https:/evil.example", "https:///evil.example", `https:\\evil.example`, "http://app.example.com", "HTTPS://EVIL.EXAMPLE",
	ours + ".evil.example", ours + "@evil.example", ours + ":443@evil.example", ours + ":8443/", ours + ":443", ours + "%2eevil.example", ours + "%00.evil.example",
	"https://user@app.example.com/", "https://user:pw@app.example.com", "https://evil.example/" + ours, "https://evil.example#" + ours, "https://evil.example?" + ours,
	"https://evil.example\\@app.example.com", "https://app.example.com\\.evil.example", "https://APP.EXAMPLE.COM/", "https://xapp.example.com", "https://example.com",
	"https://app\u3002example.com", "https://app.example.com\uff0fevil", "https://127.0.0.1/", "https://[::1]/", "https://2130706433/",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:" + ours + "/x",
	"/\t/evil.example", "/\n/evil.example", "/a\r\nLocation: https://evil.example", "/a\r\nSet-Cookie: a=b", " //evil.example", "\x00//evil.example", "/\x00/evil.example",
	"evil.example", "evil.example/a", ".evil.example", "?x=//evil.example", "#a", "/" + strings.Repeat("a", 4000), "/\u2028/evil.example", "/\u00e4",
}

func TestA077BrowsersAreSentWhereTheyMayGoOnly(t *testing.T) {
	_, _, config := google(t)
	config += "tenants: [ { slug: default, origins: [\"" + ours + "\"] } ]\n"
	apart(t, harness.Options{Policy: patient + "sign_up: { invite: true }\n", Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		host := c.SignIn(fresh())
		doors := map[string]func(to string) harness.Answer{
			"a challenge": func(to string) harness.Answer {
				return c.Post("/v1/challenges", map[string]string{"to": fresh(), "return_to": to})
			},
			"the way to Google": func(to string) harness.Answer {
				return c.With("Accept", "text/html").Get("/v1/sign-in/google/start?return_to=" + url.QueryEscape(to))
			},
			"an invitation": func(to string) harness.Answer {
				return c.As(host.Access).Post("/v1/invitations", map[string]string{"email": fresh(), "return_to": to})
			},
		}
		if len(elsewhereTo) < 40 {
			t.Fatalf("%d addresses are tried", len(elsewhereTo))
		}
		for door, open := range doors {
			for _, to := range elsewhereTo {
				if a := open(to); a.Status < 400 || a.Status >= 500 || a.Header.Get("Location") != "" || strings.Contains(fmt.Sprint(a.Header), "evil") {
					t.Errorf("%s to %q: %s with Location %q, want a refusal", door, to, a, a.Header.Get("Location"))
				}
			}
			for _, to := range []string{"/", "/orders/7?x=1", ours, ours + "/welcome"} {
				if a := open(to); a.Status >= 400 {
					t.Errorf("%s to %q: %s, want it to be fine", door, to, a)
				}
			}
		}
	})
}

// What is like a path of ours stays one, letter by letter: whoever reads it again may take
// it for something else than the browser does.
func TestA077AWayBackIsAPathOfOursOrAnOriginOfOurs(t *testing.T) {
	g, _, config := google(t)
	config += "tenants: [ { slug: default, origins: [\"" + ours + "\"] } ]\n"
	apart(t, harness.Options{Policy: patient + "sign_up: { invite: true }\n", Config: config}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		host := c.SignIn(fresh())
		for _, to := range []string{"/a", "/%2f%2fevil.example", "/%5cevil.example", "/%09/evil.example", "/.//evil.example", "/..//evil.example", "/a?next=//evil.example", "/@evil.example", "/:evil.example", ours, ours + "/a", ours + "//evil.example"} {
			r := leave(t, c, "?return_to="+url.QueryEscape(to))
			a := r.comeBack(c, "google", r.consent(t, g)).Want(http.StatusSeeOther)
			if at, want := a.Header.Get("Location"), to+"#challenge="; !strings.HasPrefix(at, want) || strings.Contains(at[len(want):], "#") || at == want {
				t.Errorf("%q: Google's way back leads to %s", to, at)
			}
			if a := byLinkBack(t, c, fresh(), to).follow("text/html").Want(http.StatusSeeOther); a.Header.Get("Location") != to {
				t.Errorf("%q: a link leads to %s", to, a.Header.Get("Location"))
			}
			if a := byLinkBack(t, c, fresh(), to).follow("application/json").Want(http.StatusOK); a.Text("return_to") != to {
				t.Errorf("%q: a link tells a script to go to %s", to, a.Text("return_to"))
			}
			guest := fresh()
			c.As(host.Access).Post("/v1/invitations", map[string]string{"email": guest, "return_to": to}).Want(http.StatusCreated)
			at, want := c.AwaitNotices(guest, 1)[0].Link, to
			if want, _, _ = strings.Cut(want, "?"); want[0] == '/' {
				want = s.URL + want
			}
			if rest, ok := strings.CutPrefix(at, want+"?"); !ok || !strings.Contains(rest, "invitation=csi_") {
				t.Errorf("%q: an invitation leads to %.60s", to, at)
			}
		}
	})
}
