package vonage_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/vonage"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

const (
	account = "abcd1234"
	secret  = "the-api-secret"
	signing = "secret" // of the vectors in Vonage's libraries
)

func config(api, more string) string {
	return fmt.Sprintf(`{"account":%q,"secret":%q,"from":"Example","api":%q%s}`, account, secret, api, more)
}

func message() channel.Message {
	return channel.Message{Key: "m-1", To: "+491701234567", Locale: "en", Text: "Your code is 482915.", Code: "482915"}
}

// now is when the vectors were signed.
func now() time.Time { return time.Unix(1461605396, 0) }

func sender(t *testing.T, raw string) channel.Sender {
	t.Helper()
	ch, err := vonage.Plugin().Open(t.Context(), channeltest.Decoder(raw), channel.Env{
		HTTP: http.DefaultClient, Now: now, Receipts: "https://login.example.com/receipts/sms",
	})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := channel.As[channel.Sender](ch)
	return s
}

func TestConformance(t *testing.T) {
	f := serve(t)
	channeltest.Run(t, channeltest.Suite{
		Plugin: vonage.Plugin(), Config: config(f.URL, ""), Address: "+491701234567", Respond: channeltest.TypeLastCode,
		Provider: func(url string) string { return config(url, "") },
		Broken: map[string]string{
			"nothing":                          `{}`,
			"no secret":                        `{"account":"abcd1234","from":"Example"}`,
			"no account":                       `{"secret":"hush-hush","from":"Example"}`,
			"no sender":                        `{"account":"abcd1234","secret":"hush-hush"}`,
			"a long name":                      `{"account":"abcd1234","secret":"hush-hush","from":"A name that is too long"}`,
			"no TLS":                           config("http://rest.nexmo.com", ""),
			"a weak signature":                 config(f.URL, `,"signature_method":"md5hash"`),
			"a callback in clear":              config(f.URL, `,"signature_secret":"hush-hush","callback":"http://login.example.com/x"`),
			"a callback that nobody can check": config(f.URL, `,"callback":"https://login.example.com/x"`),
		},
	})
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, vonage.Plugin()) }

func TestAMessageArrivesWhole(t *testing.T) {
	f := serve(t)
	receipt, err := sender(t, config(f.URL, `,"signature_secret":"hush-hush"`)).Send(t.Context(), message())
	if err != nil || receipt.ID != "0C00000000000001" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	got := f.last()
	for field, want := range map[string]string{
		"to": "491701234567", "from": "Example", "text": "Your code is 482915.", "type": "", "client-ref": "m-1",
		"status-report-req": "1", "callback": "https://login.example.com/receipts/sms",
	} {
		if got.Get(field) != want {
			t.Errorf("%s is %q, want %q", field, got.Get(field), want)
		}
	}
}

func TestNoReportsAreAskedForThatNobodyCanCheck(t *testing.T) {
	f := serve(t)
	if _, err := sender(t, config(f.URL, "")).Send(t.Context(), message()); err != nil || f.last().Has("callback") {
		t.Errorf("callback %q, %v", f.last().Get("callback"), err)
	}
}

func TestOtherScriptsGoAsUnicode(t *testing.T) {
	f := serve(t)
	s := sender(t, config(f.URL, ""))
	for text, want := range map[string]string{"Ihr Code für Größe: 1": "", "Code: 1 (5€)\nBye": "", "Kod: 1 ş": "unicode", "رمزك 1": "unicode", "`1`": "unicode"} {
		m := message()
		m.Text = text
		if _, err := s.Send(t.Context(), m); err != nil || f.last().Get("type") != want {
			t.Errorf("%q is sent as %q, %v", text, f.last().Get("type"), err)
		}
	}
}

func TestTheProbeSeesCredentialsAndBalance(t *testing.T) {
	f := serve(t)
	probe := func(raw string) error {
		p, _ := channel.As[channel.Prober](sender(t, raw))
		return p.Probe(t.Context())
	}
	if err := probe(config(f.URL, "")); err != nil {
		t.Error(err)
	}
	if err := probe(strings.Replace(config(f.URL, ""), secret, "wrong", 1)); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("wrong secret: %v", err)
	}
	f.say(`{"value":0}`)
	if err := probe(config(f.URL, "")); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("no balance: %v", err)
	}
	f.say(`{}`)
	if err := probe(config(f.URL, "")); !errors.Is(err, channel.ErrUnavailable) {
		t.Errorf("nothing said: %v", err)
	}
}

func TestFailuresAreSorted(t *testing.T) {
	throttled := func(err error) bool { _, ok := errors.AsType[*channel.ThrottledError](err); return ok }
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	var status = func(n string) string {
		return `{"message-count":"1","messages":[{"status":"` + n + `","error-text":"about 491701234567 and 482915"}]}`
	}
	for name, row := range map[string]struct {
		body string
		want func(error) bool
	}{
		"too fast": {status("1"), throttled}, "too many connections": {status("10"), throttled},
		"no such prefix": {status("6"), is(channel.ErrUndeliverable)}, "barred": {status("7"), is(channel.ErrUndeliverable)}, "deactivated": {status("33"), is(channel.ErrUndeliverable)},
		"wrong secret": {status("4"), is(channel.ErrRefused)}, "no credit": {status("9"), is(channel.ErrRefused)}, "suspended": {status("8"), is(channel.ErrRefused)},
		"bad sender": {status("15"), is(channel.ErrRefused)}, "missing parameter": {status("2"), is(channel.ErrRefused)}, "trial": {status("29"), is(channel.ErrRefused)},
		"out of order": {status("5"), is(channel.ErrUnavailable)}, "no status": {status(""), is(channel.ErrUnavailable)}, "no messages": {`{"messages":[]}`, is(channel.ErrUnavailable)},
		"no name":          {`{"messages":[{"status":"0"}]}`, is(channel.ErrUnavailable)},
		"second part lost": {`{"messages":[{"status":"0","message-id":"1"},{"status":"9"}]}`, is(channel.ErrRefused)},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t)
			f.say(row.body)
			_, err := sender(t, config(f.URL, "")).Send(t.Context(), message())
			if !row.want(err) {
				t.Errorf("%v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "4917") || strings.Contains(err.Error(), "482915")) {
				t.Errorf("the error quotes Vonage: %v", err)
			}
		})
	}
}
