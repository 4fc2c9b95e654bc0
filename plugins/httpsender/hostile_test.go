package httpsender

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// nasty is what strangers call themselves.
var nasty = []string{
	`","to":"eve@example.com","x":"`, `"}],"bcc":[{"email":"eve@example.com`, `{code}`, `{{.Code}}`, `{secret}`, `${x}`, "&To=+15551234567", "a=b&To=c", `</Say><Dial>+15551234567</Dial><Say>`,
	"\r\nX-Evil: 1", "\x00", "\u202e", "\xff\xfe", `\u0022`, "../../evil", "?x=y#z", strings.Repeat("x", 10000), "{", "}", "{to|nothing}", "'; DROP TABLE",
}

// TestWhatStrangersWriteStaysAValue: whatever is in a message, the request has the
// same fields, and the text is one of them, word for word.
func TestWhatStrangersWriteStaysAValue(t *testing.T) {
	for _, name := range recipeNames() {
		f := theFake(t, name)
		ch := opened(t, f.config(t, f.serve(t)))
		if _, err := send(t, ch, message(f.address(t))); err != nil {
			t.Fatal(err)
		}
		uri, header, raw := f.newest()
		usual := shape(header, raw)
		for _, evil := range nasty {
			m := message(f.address(t))
			m.Text, m.HTML, m.Locale, m.Link = evil+"482915", evil, evil, evil
			m.Subject = strings.Map(func(r rune) rune {
				if r < ' ' {
					return -1
				}
				return r
			}, evil)
			_, _ = send(t, ch, m)
			gotURI, header, raw := f.newest()
			if got := shape(header, raw); got != usual || gotURI != uri {
				t.Errorf("%s: %q changed the request:\n%s %s\n%s", name, evil, gotURI, got, raw)
			}
		}
	}
}

// shape is which headers and fields a request has, without what is in them.
func shape(h http.Header, raw []byte) string {
	m := map[string]bool{}
	for name := range h {
		m["header "+name] = true
	}
	fields := map[string]string{}
	if v := decodeJSON(raw); v != nil {
		fields = flat(nil, "", v)
	} else if form, err := url.ParseQuery(string(raw)); err == nil {
		fields = flat(nil, "", form)
	}
	for name := range fields {
		m[name] = true
	}
	text, _ := json.Marshal(m)
	return string(text)
}

func TestTextsArriveWordForWord(t *testing.T) {
	f := theFake(t, "sinch")
	ch := opened(t, f.config(t, f.serve(t)))
	for _, evil := range nasty {
		if strings.ToValidUTF8(evil, "") != evil {
			continue
		}
		m := message("+447700900123")
		m.Text = evil
		_, _ = send(t, ch, m)
		_, _, raw := f.newest()
		if got := word(decodeJSON(raw), "body"); got != evil {
			t.Errorf("%q became %q", evil, got)
		}
	}
}

func TestOnlyOneAddressIsWrittenTo(t *testing.T) {
	for name, list := range map[string][]string{
		"plivo": {"", "447700900123", "+447700900123<+15551234567", "+44 7700 900123", "+447700900123\r\nX: y", "+447700900123,+1", "+0123456789", "+", "+1234567890123456", "+४४७७००९००१२३", "ann@example.com"},
		"mailgun": {"", "ann", "ann@example.com,eve@example.com", "ann@example.com\r\nBcc: eve@example.com", "Ann <ann@example.com>", "<ann@example.com>", "ann@example.com ",
			"ann@example.com\x00", "+447700900123", `"a,b"@example.com`},
	} {
		f := theFake(t, name)
		ch := opened(t, f.config(t, f.serve(t)))
		for _, to := range list {
			if _, err := send(t, ch, message(to)); !errors.Is(err, channel.ErrUndeliverable) {
				t.Errorf("%s: %q: %v", name, to, err)
			}
		}
		if f.asked != 0 {
			t.Errorf("%s was asked %d times", name, f.asked)
		}
	}
	f := theFake(t, "mailgun")
	m := message("ann@example.com")
	m.Subject = "x\r\nBcc: eve@example.com"
	if _, err := send(t, opened(t, f.config(t, f.serve(t))), m); !errors.Is(err, channel.ErrRefused) || f.asked != 0 {
		t.Errorf("subject: %v", err)
	}
}

// raw opens a channel with a recipe of a test's own.
func raw(t *testing.T, yaml, at string) *sender {
	t.Helper()
	r, err := readRecipe("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	cfg := defaults()
	cfg.Endpoint, cfg.AllowPrivate = at, true
	s := &sender{recipe: r, cfg: cfg, env: channel.Env{Now: func() time.Time { return now }, Random: rand.Reader}, params: map[string]string{}}
	if s.endpoint, err = s.locate(); err != nil {
		t.Fatal(err)
	}
	s.sign = func(*http.Request, []byte) error { return nil }
	s.client = http.DefaultClient
	return s
}

const small = `
name: small
title: Small
summary: Sends.
docs: https://example.com/
address: phone
endpoint: https://example.com
request:
  method: POST
  path: /a/{key}/b/{code}
  headers: {X-Key: "{key}"}
  query: {q: "{text}", k: "{key}"}
success: [{status: [200]}]
`

func TestPathsHeadersAndQueriesAreEscaped(t *testing.T) {
	s := raw(t, small, "https://gateway.example/base")
	m := message("+447700900123")
	m.Key, m.Code, m.Text = "a/../b?c#d&e%2f", "1;2", "x&k=evil #+é"
	r, err := s.request(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://gateway.example/base/a/a%2F..%2Fb%3Fc%23d&e%252f/b/1%3B2?k=a%2F..%2Fb%3Fc%23d%26e%252f&q=x%26k%3Devil%20%23%2B%C3%A9"; r.URL.String() != want {
		t.Errorf("\n%s\n%s", r.URL, want)
	}
	if r.URL.Host != "gateway.example" || len(r.URL.Query()) != 2 {
		t.Errorf("%v", r.URL)
	}
	for _, key := range []string{"..", ".", "a\r\nX-Evil: 1", "a\nb", "\x00", "é", "a\u2028b"} {
		m.Key = key
		if r, err := s.request(t.Context(), m); !errors.Is(err, channel.ErrRefused) || strings.Contains(err.Error(), "Evil") {
			t.Errorf("%q: %v, %v", key, r, err)
		}
	}
}

func TestHeadersAreOneLine(t *testing.T) {
	s := raw(t, strings.Replace(small, "/a/{key}/b/{code}", "/a", 1), "https://gateway.example")
	m := message("+447700900123")
	for _, key := range []string{"a\r\nX-Evil: 1", "a\nb", "a\tb", "\x7f", "é"} {
		m.Key = key
		if r, err := s.request(t.Context(), m); !errors.Is(err, channel.ErrRefused) {
			t.Errorf("%q: %v, %v", key, r, err)
		}
	}
}

func TestTheTimeLimitIsTheConfigured(t *testing.T) {
	f := theFake(t, "postmark")
	s, ok := channel.As[*tracked](opened(t, strings.Replace(f.config(t, f.serve(t)), "{", `{"timeout":"3s",`, 1)))
	if !ok || s.client.Timeout != 3*time.Second {
		t.Errorf("%v", s)
	}
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	var hits atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), ":")
	f := theFake(t, "sinch")
	for _, host := range []string{"localhost", "LOCALHOST", "2130706433", "0x7f.1", "127.1"} {
		config := strings.Replace(f.config(t, "https://"+host+":"+port), `"allow_private":true`, `"allow_private":false`, 1)
		_, err := send(t, opened(t, config), message("+447700900123"))
		if err == nil || hits.Load() != 0 {
			t.Errorf("%s was connected to: %v", host, err)
		}
		if strings.EqualFold(host, "localhost") && !errors.Is(err, channel.ErrRefused) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := send(t, opened(t, f.config(t, s.URL)), message("+447700900123")); !errors.Is(err, channel.ErrUnavailable) || hits.Load() != 0 {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var hits atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(other.Close)
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	f := theFake(t, "sinch")
	if _, err := send(t, opened(t, f.config(t, s.URL)), message("+447700900123")); !errors.Is(err, channel.ErrRefused) || hits.Load() != 0 {
		t.Errorf("%v, %d", err, hits.Load())
	}
}

func TestGatewaysThatLieAreNotBelieved(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer reply
		want   error
	}{
		{"postmark", reply{Status: 200, Body: `{"ErrorCode":0,"MessageID":{"x":1}}`}, nil},
		{"postmark", reply{Status: 200, Body: `{"ErrorCode":0} trailing`}, channel.ErrUnavailable},
		{"postmark", reply{Status: 200, Body: `{"ErrorCode":0,"MessageID":"` + strings.Repeat("x", 70000) + `"}`}, channel.ErrUnavailable},
		{"postmark", reply{Status: 200, Body: `{"ErrorCode":0,"MessageID":"1"}` + strings.Repeat(" ", 70000)}, channel.ErrUnavailable},
		{"postmark", reply{Status: 200, Body: strings.Repeat("[", 60000)}, channel.ErrUnavailable},
		{"infobip", reply{Status: 200, Body: `{"messages":[{"status":{"groupName":["PENDING","REJECTED"]}}]}`}, channel.ErrUnavailable},
		{"mailgun", reply{Status: 200, Body: `{"id":"<a@b>\r\nX","message":"Queued. Thank you."}`}, nil},
	} {
		f := theFake(t, row.name)
		f.say(&row.answer)
		got, err := send(t, opened(t, f.config(t, f.serve(t))), message(f.address(t)))
		if !errors.Is(err, row.want) || got.ID != "" {
			t.Errorf("%s: %.60s: %q, %v", row.name, row.answer.Body, got.ID, err)
		}
	}
}

func FuzzTemplates(f *testing.F) {
	for _, s := range append([]string{"{to}", "{a|b|c??}", "{{x}}"}, nasty...) {
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, template, value string) {
		parsed, err := parseText(template)
		if err != nil {
			return
		}
		got, err := parsed.fill(scope{value: func(string) (string, error) { return value, nil }})
		if fixed, ok := parsed.constant(); ok && (err != nil || got != fixed) {
			t.Errorf("%q: %q, %v", template, got, err)
		}
	})
}

func FuzzReadRecipe(f *testing.F) {
	f.Add([]byte(small))
	for _, name := range recipeNames() {
		content, err := kitchen.ReadFile("recipes/" + name + "/recipe.yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := readRecipe("fuzz.yaml", content)
		if err != nil {
			return
		}
		if d := r.descriptor(); d.Address != channel.Email && d.Address != channel.Phone || d.MaxAAL > 2 || d.Form == "" {
			t.Errorf("%+v", d)
		}
	})
}

func FuzzTrack(f *testing.F) {
	f.Add([]byte(`{"signature":{"timestamp":"1","token":"2","signature":"3"}}`), "v1,AAAA", "a=b")
	f.Fuzz(func(t *testing.T, body []byte, header, query string) {
		for _, name := range []string{"mailgun", "resend", "twilio_voice", "vonage_voice"} {
			tr := theFake(t, name).tracker(t)
			values, _ := url.ParseQuery(query)
			in := channel.Inbound{Method: "POST", Body: body, Query: values, Header: map[string][]string{
				"Svix-Id": {"1"}, "Svix-Timestamp": {"1773500980"}, "Svix-Signature": {header}, "X-Twilio-Signature": {header}, "Authorization": {header},
			}}
			if _, err := tr.Track(t.Context(), in); !errors.Is(err, channel.ErrForged) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
