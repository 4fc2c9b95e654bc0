package attack_test

import (
	"bufio"
	"bytes"
	"fmt"
	"html"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/emersion/go-smtp"

	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// post is a mail server on loopback that keeps what it is told, word for word.
type post struct {
	mu   sync.Mutex // guards kept
	kept []parcel
}

// parcel is one conversation.
type parcel struct {
	from string
	to   []string
	data string
}

func openPost(t *testing.T) (p *post, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = &post{}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &clerk{post: p}, nil }))
	srv.Domain, srv.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return p, l.Addr().String()
}

func (p *post) all() []parcel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.kept)
}

// clerk listens to one sender.
type clerk struct {
	post *post
	now  parcel
}

func (k *clerk) Reset()                                      { k.now = parcel{} }
func (k *clerk) Logout() error                               { return nil }
func (k *clerk) Mail(from string, _ *smtp.MailOptions) error { k.now.from = from; return nil }
func (k *clerk) Rcpt(to string, _ *smtp.RcptOptions) error {
	k.now.to = append(k.now.to, to)
	return nil
}
func (k *clerk) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	k.now.data = string(raw)
	k.post.mu.Lock()
	defer k.post.mu.Unlock()
	k.post.kept = append(k.post.kept, k.now)
	return nil
}

// patiently waits until something holds.
func patiently(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

// letters waits for n letters to somebody.
func (p *post) letters(t *testing.T, to string, n int) (out []parcel) {
	t.Helper()
	patiently(t, fmt.Sprintf("%d letters to %s", n, to), func() bool {
		out = slices.DeleteFunc(p.all(), func(x parcel) bool { return !slices.Equal(x.to, []string{to}) })
		return len(out) >= n
	})
	return out
}

// signIn signs somebody new in by a letter.
func (p *post) signIn(t *testing.T, c *harness.Client, to string) harness.Tokens {
	t.Helper()
	id := c.Post("/v1/challenges", map[string]string{"to": to}).Want(http.StatusAccepted).Text("id")
	code, err := read([]byte(p.letters(t, to, 1)[0].data))
	if err != nil {
		t.Fatal(err)
	}
	return c.Verify(id, code.code).Tokens()
}

// odd are texts that mean something to somebody on their way.
var odd = []string{
	"{{.Code}}", "{{range .}}{{end}}", "${code}", "%s%n", "<img src=http://evil.example/x>", "<a href='//evil.example'>x</a>", "http://evil.example/", "www.evil.example",
	"evil.example", "A\u202eelpmaxe.live", "A\u2066B\u2069", "A\u200bB", "=?utf-8?q?=0d=0aBcc:_b=40evil.example?=", "A\r\nBcc: b@evil.example\r\n\r\nx", "A\nB", "A\x00B", ".\r\n", strings.Repeat("A", 500), strings.Repeat("A", 10_000),
}

// whatever people call themselves, what is sent is one letter to one
// recipient with the headers that we gave it, and no link but ours.
func TestA085WhatPeopleTypeIsTextAndNothingElse(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		p, address := openPost(t)
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, SMTP: address, Policy: patient + "sign_up: { invite: true }\n", Log: "warn", Public: "https://login.example.com"})
		c := s.Client(t)
		for _, to := range []string{
			"a@x.example\r\nBcc: b@evil.example", "a@x.example\n", "a@x.example\x00", "a@x.example,b@evil.example", "a@x.example b@evil.example", "a@x.example;b@evil.example",
			"<a@x.example>", "A <a@x.example>", "=?utf-8?q?a?=@x.example\r\n", "a@x.example> SIZE=1", "a@@x.example", "a@x.example/../y", "\"a\r\nb\"@x.example", "a@[127.0.0.1]", "a@" + strings.Repeat("x", 10_000) + ".example",
			strings.Repeat("a", 10_000) + "@x.example", "\u202ea@x.example", "@x.example", "a@",
		} {
			if a := c.Post("/v1/challenges", map[string]string{"to": to, "channel": "email"}); a.Status != http.StatusUnprocessableEntity && (a.Status != http.StatusAccepted || strings.TrimSpace(to) == to) {
				t.Errorf("%.60q: %s, want 422", to, a)
			}
		}
		for i, text := range odd {
			to := fresh()
			made := c.Post("/v1/users", map[string]string{"email": to, "first_name": text, "last_name": text, "password": knows})
			if made.Status != http.StatusCreated && made.Status != http.StatusUnprocessableEntity {
				t.Errorf("a name %.60q: %s, want it taken or refused", text, made)
			}
			c := c.With("User-Agent", strings.Map(printable, text[:min(1000, len(text))]))
			a := c.Post("/v1/challenges", map[string]string{"to": to, "locale": text})
			if a.Status == http.StatusUnprocessableEntity || a.Status == http.StatusBadRequest {
				a = c.Post("/v1/challenges", map[string]string{"to": to}, "Accept-Language: "+strings.Map(printable, text))
			}
			id := a.Want(http.StatusAccepted).Text("id")
			first := p.letters(t, to, 1)[0]
			sound(t, first, to)
			code, err := read([]byte(first.data))
			if err != nil {
				t.Fatal(err)
			}
			who := c.Verify(id, code.code).Tokens()
			if made.Status != http.StatusCreated {
				c.As(who.Access).Do(http.MethodPatch, "/v1/me", map[string]string{"first_name": "A"}).Want(http.StatusOK)
			}
			guest := fmt.Sprintf("guest%d-%d@example.com", people.Add(1), i)
			c.As(who.Access).Post("/v1/invitations", map[string]string{"email": guest}).Want(http.StatusCreated)
			sound(t, p.letters(t, guest, 1)[0], guest)
		}
		for _, x := range p.all() {
			if len(x.to) != 1 || strings.Contains(fmt.Sprint(x.to), "evil") {
				t.Errorf("a letter went to %q", x.to)
			}
		}
	})
}

// called are names, and how a letter shows them: as they are, or not at all.
var called = []struct{ name, shown string }{
	{"Ada", "Ada"}, {"{{ .Code }}{{ range . }}", "{{ .Code }}{{ range . }}"}, {"{brand}{inviter} {{ .Brand }}", "{brand}{inviter} {{ .Brand }}"}, {"{{.Code}}", ""}, {"%s%n${x}", "%s%n${x}"},
	{"<b>A</b>", "<b>A</b>"}, {`"><img src=x onerror=alert(1)>`, `"><img src=x onerror=alert(1)>`}, {"</p><script>x</script>", "</p><script>x</script>"}, {"&lt;&amp;", "&lt;&amp;"},
	{"http://evil", ""}, {"evil.example", ""}, {"www.evil.example", ""}, {"a@evil", ""}, {"Call evil.example now", ""}, {"javascript://x", ""},
	{"A\u202elive", "Alive"}, {"A\u2069\u202elive\u2066", "Alive"}, {strings.Repeat("A", 100), strings.Repeat("A", 79) + "\u2026"},
}

// A-086 in letters, and on the page that the link in them opens.
func TestA086ANameIsShownAsItIsOrNotAtAll(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		p, address := openPost(t)
		const brand = "<b>Acme</b>{{.Code}}{name}"
		config := fmt.Sprintf("brand: { name: %q }\n", brand)
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, SMTP: address, Policy: patient + "sign_up: { invite: true }\n", Config: config, Log: "warn"})
		c := s.Client(t)
		to := fresh()
		who, usual := p.signIn(t, c, to), ""
		for i, x := range called {
			c.As(who.Access).Do(http.MethodPatch, "/v1/me", map[string]string{"first_name": x.name}).Want(http.StatusOK)
			guest := fresh()
			c.As(who.Access).Post("/v1/invitations", map[string]string{"email": guest}).Want(http.StatusCreated)
			text, markup := parts(t, p.letters(t, guest, 1)[0])
			says := "You are invited to " + brand
			if x.shown != "" {
				says = x.shown + " invites you to " + brand
			}
			if !strings.HasPrefix(text, says) || !strings.Contains(html.UnescapeString(markup), ">"+says) {
				t.Errorf("%q: a letter says %.120q or %q", x.name, text, tags.Split(markup, -1))
			}
			found := tags.FindAllString(strings.Replace(markup, word(t, text, "/l/csi_"), "", 1), -1)
			if i == 0 {
				usual = fmt.Sprint(found)
			}
			if fmt.Sprint(found) != usual || strings.Count(markup, "href=") != 1 {
				t.Errorf("%q: a letter is made of %v, want %s", x.name, found, usual)
			}
			page := c.With("Accept", "text/html").Get("/l/csi_" + word(t, text, "/l/csi_")).Want(http.StatusOK)
			onPage(t, string(page.Body), x.name, x.shown, brand)

			name := string([]rune(x.name)[:min(64, len([]rune(x.name)))])
			before := len(p.letters(t, to, 1))
			d := c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "totp", "name": name})
			if d.Status == http.StatusUnprocessableEntity {
				continue
			}
			c.Verify(d.Want(http.StatusCreated).Text("challenge.id"), harness.TOTP(secret(t, d), c.Now())).Want(http.StatusOK)
			all := p.letters(t, to, before+1)
			text, markup = parts(t, all[len(all)-1])
			if x.shown != "" && len(x.shown) < 64 && (!strings.Contains(text, "account: "+x.shown) || !strings.Contains(html.UnescapeString(markup), "account: "+x.shown)) {
				t.Errorf("a device %q: a letter says %.200q or %q", name, text, tags.Split(markup, -1))
			}
			if strings.Contains(text, "evil") || strings.Contains(markup, "evil") || strings.Contains(markup, "<b>") || strings.Contains(markup, "<img") || strings.Contains(markup, "<script") {
				t.Errorf("a device %q: a letter says %.200q or %q", name, text, tags.Split(markup, -1))
			}
			c.As(who.Access).Do(http.MethodDelete, "/v1/me/devices/"+d.Text("device.id"), nil)
			p.letters(t, to, before+2)
		}
	})
}

var tags = regexp.MustCompile(`<[^>]*>`)

// onPage fails the test unless the page of an invitation shows a name in its place,
// as text that ends where it ends.
func onPage(t *testing.T, page, name, shown, brand string) {
	t.Helper()
	_, rest, _ := strings.Cut(html.UnescapeString(page), "\u2068")
	inside, after, ok := strings.Cut(rest, "\u2069 invites you to join")
	if shown == "" {
		shown = name // is text on a page of ours
	}
	if long := []rune(name); len(long) > 60 {
		shown = string(long[:60]) + "\u2026"
	}
	if !ok || inside != shown || strings.ContainsFunc(after, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }) {
		t.Errorf("%q: the page shows %q", name, inside)
	}
	for _, bad := range []string{"<b>", "<img", "<a ", "<script"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q: the page has %s", name, bad)
		}
	}
	if !strings.Contains(html.UnescapeString(page), "<h1>Join "+brand+"</h1>") {
		t.Errorf("the page is not called by the brand: %s", page)
	}
}

// word is what stands behind a mark, up to white space.
func word(t *testing.T, text, mark string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, mark)
	if !ok {
		t.Fatalf("no %q in %q", mark, text)
	}
	return strings.Fields(rest)[0]
}

// secret is the secret of an app that is being set up.
func secret(t *testing.T, a harness.Answer) string {
	t.Helper()
	uri, err := url.Parse(a.Text("challenge.prompt.show.0"))
	if err != nil {
		t.Fatal(err)
	}
	return uri.Query().Get("secret")
}

// parts are the texts of a letter: the plain one and the one with markup.
func parts(t *testing.T, x parcel) (text, markup string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(x.data))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextPart() // which undoes quoted-printable
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.ReplaceAll(string(raw), "\r\n", "\n"))
	}
	if len(all) != 2 {
		t.Fatalf("a letter of %d parts", len(all))
	}
	return all[0], all[1]
}

// A-086 in what apps scan: an address is an address there, whatever it is made of.
func TestA086AnAddressAddsNothingToWhatAppsScan(t *testing.T) {
	apart(t, harness.Options{Policy: patient, Config: "channels: { fob: { use: hotp } }\n"}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for _, local := range []string{"a&secret=mine&issuer=evil", "a?secret=mine", "a#b", "a%26secret=mine", "a/b", "{{.secret}}", "a+b", "a%0d%0ax"} {
			to := fmt.Sprintf("%s.%d@example.com", local, people.Add(1))
			who := c.SignIn(to)
			for kind, channel := range map[string]string{"totp": "totp", "hotp": "fob"} {
				text := c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": channel}).Want(http.StatusCreated).Text("challenge.prompt.show.0")
				uri, err := url.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				fields, err := url.ParseQuery(uri.RawQuery)
				if err != nil || len(fields["secret"]) != 1 || len(fields["secret"][0]) != 32 || len(fields["issuer"]) != 1 || fields.Get("issuer") != "Countersign" {
					t.Errorf("%s: %v, %v", text, fields, err)
				}
				if uri.Scheme != "otpauth" || uri.Host != kind || uri.Path != "/Countersign:"+to || uri.Fragment != "" || uri.User != nil || strings.Count(text, "?")+strings.Count(text, "#") != 1 {
					t.Errorf("%s: the path is %q", text, uri.Path)
				}
			}
		}
	})
}

// A-086 in chats: Telegram shows what it is given word for word unless it is asked for more.
func TestA086AChatShowsFactsWordForWord(t *testing.T) {
	b := (&providers.Bot{Token: ourBot, Secret: "webhook-secret-0123456789"}).Start()
	t.Cleanup(b.Close)
	p, address := openPost(t)
	config := fmt.Sprintf(`channels:
  email: { use: email, email: { addr: %q, from: login@example.com, tls: none } }
  chat: { use: telegram_bot, telegram_bot: { bot_name: example_bot, bot_token: %q, webhook_secret: %q, api: %q } }
`, address, b.Token, b.Secret, b.URL)
	apart(t, harness.Options{Mode: harness.Production, Policy: patient, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		chat, who := 1000+people.Add(1), p.signIn(t, c, fresh())
		made := c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "chat"}).Want(http.StatusCreated)
		greeting, err := b.Greeted(made.Text("challenge.prompt.url"), chat)
		if err != nil {
			t.Fatal(err)
		}
		c.As("").Post("/callback/chat", greeting.Body, "X-Telegram-Bot-Api-Secret-Token: "+b.Secret).Want(http.StatusNoContent)
		c.As(who.Access).Post("/v1/challenges/"+made.Text("challenge.id")+"/verify", "{}").Want(http.StatusOK)
		for _, fact := range []string{"<b>A</b>", "<a href='http://evil.example'>A</a>", "[A](http://evil.example)", "*A* _b_ `c`", "{{.Code}} {code} {{range .}}", "@evil /start"} {
			c.As(who.Access).Post("/v1/challenges", map[string]any{
				"purpose": "approve", "device_id": made.Text("device.id"), "detail": []map[string]string{{"label": "To", "value": fact}},
			}).Want(http.StatusAccepted)
			patiently(t, "a message about "+fact, func() bool {
				return slices.ContainsFunc(b.Sent(), func(m providers.BotMessage) bool {
					return m.Chat == fmt.Sprint(chat) && strings.Contains(m.Text, "\nTo: "+fact+"\n")
				})
			})
		}
		for _, m := range b.Sent() {
			if m.Mode != "" || len(m.Entities) > 0 || !m.Preview.Off {
				t.Errorf("Telegram is asked for more than text: %+v", m)
			}
		}
	})
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

// sound fails the test unless a letter is as we write them.
func sound(t *testing.T, x parcel, to string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(x.data))
	if err != nil {
		t.Fatalf("a letter that cannot be read: %v", err)
	}
	if got := m.Header["To"]; len(got) != 1 || !strings.Contains(got[0], to) || len(m.Header["Bcc"])+len(m.Header["Cc"]) != 0 || len(m.Header["From"]) != 1 || len(m.Header["Subject"]) != 1 {
		t.Errorf("headers %v", m.Header)
	}
	text, err := plain(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"http://evil.example", "www.evil.example", "//evil.example", "<img", "\u202e", "\u2066", "\x00"} {
		if strings.Contains(text, bad) || strings.Contains(m.Header.Get("Subject"), bad) {
			t.Errorf("a letter says %q: %.300s", bad, text)
		}
	}
}

func TestA088LinksNameThisServerWhateverTheRequestSays(t *testing.T) {
	g, _, config := google(t)
	const home = "https://login.example.com"
	apart(t, harness.Options{Policy: patient + "sign_up: { invite: true }\n", Config: config, Public: home}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := c.SignIn(fresh())
		refused(t, "a host that is none", c.Post("/v1/challenges", map[string]string{"to": fresh()}, "Host: login.example.com@evil.example"))
		for _, headers := range [][]string{
			{"Host: evil.example"}, {"Host: login.example.com.evil.example"}, {"X-Forwarded-Host: evil.example"}, {"X-Forwarded-Proto: evil"}, {"X-Forwarded-Prefix: /evil"},
			{"Forwarded: host=evil.example;proto=http"}, {"X-Original-URL: /evil"}, {"X-Rewrite-URL: /evil"}, {"X-Host: evil.example"}, {"X-Forwarded-Server: evil.example"}, {"Origin: https://evil.example"}, {"Referer: https://evil.example/"},
			{"Host: evil.example", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http", "Forwarded: host=evil.example"},
		} {
			to, guest := fresh(), fresh()
			asked := c.Post("/v1/challenges", map[string]string{"to": to}, headers...).Want(http.StatusAccepted)
			if m := c.AwaitMessages(to, 1)[0]; !strings.HasPrefix(m.Link, home+"/l/") || strings.Contains(m.Text, "evil") {
				t.Errorf("%v: the message leads to %q", headers, m.Link)
			}
			if cookie := asked.Header.Get("Set-Cookie"); strings.Contains(strings.ToLower(cookie), "domain") || !strings.HasPrefix(cookie, "__Host-") {
				t.Errorf("%v: the cookie is %q", headers, cookie)
			}
			c.As(who.Access).Post("/v1/invitations", map[string]string{"email": guest}, headers...).Want(http.StatusCreated)
			if m := c.AwaitNotices(guest, 1)[0]; !strings.HasPrefix(m.Link, home+"/l/") || strings.Contains(m.Text, "evil") {
				t.Errorf("%v: the invitation leads to %q", headers, m.Link)
			}
			away := c.Get("/v1/sign-in/google/start", headers...).Want(http.StatusSeeOther).Header.Get("Location")
			if !strings.HasPrefix(away, g.URL) || !strings.Contains(away, "login.example.com%2Fcallback") || strings.Contains(away, "evil") {
				t.Errorf("%v: Google sends the browser back to %q", headers, away)
			}
			bad := c.Post("/v1/challenges/x/verify", `{"code":"1"}`, headers...)
			if !strings.HasPrefix(bad.Text("type"), home+"/") || strings.Contains(string(bad.Body), "evil") {
				t.Errorf("%v: %s", headers, bad)
			}
			next := c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": who.Refresh}, headers...).Want(http.StatusOK)
			if who.Refresh = next.Text("refresh_token"); claim(t, next.Text("access_token"), "iss") != home {
				t.Errorf("%v: the issuer is %v", headers, claim(t, next.Text("access_token"), "iss"))
			}
			if a := c.Post("/v1/tokens/introspect", map[string]string{"token": next.Text("access_token")}, headers...).Want(http.StatusOK); a.Get("active") != true || a.Text("iss") != home {
				t.Errorf("%v: introspection: %s", headers, a)
			}
			way := leave(t, c, "?return_to=/a")
			if a := way.comeBack(c, "google", way.consent(t, g), headers...); a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/a#") {
				t.Errorf("%v: Google's way back: %s, to %q", headers, a, a.Header.Get("Location"))
			}
			for _, path := range []string{"/openapi.json", "/v1/discovery", "/.well-known/jwks.json", "/v1", "/l"} {
				if a := c.Get(path, headers...); strings.Contains(string(a.Body), "evil") || strings.Contains(fmt.Sprint(a.Header), "evil") {
					t.Errorf("%v: %s: %v", headers, a, a.Header)
				}
			}
		}
		to := fresh()
		absolute(t, s, "POST http://evil.example/v1/challenges HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\nConnection: close\r\n", fmt.Sprintf(`{"to":%q}`, to))
		if m := c.AwaitMessages(to, 1)[0]; !strings.HasPrefix(m.Link, home+"/l/") || strings.Contains(m.Text, "evil") {
			t.Errorf("asked for as an address: the message leads to %q", m.Link)
		}
	})
}

// absolute sends a request word for word, which must be accepted.
func absolute(t *testing.T, s *harness.Server, head, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body); err != nil {
		t.Fatal(err)
	}
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusAccepted || bytes.Contains(text, []byte("evil")) {
		t.Errorf("%d %s, %v", a.StatusCode, text, err)
	}
}
