package httpsender

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

func TestMetaIsAnsweredOnceItKnowsWhatWasAgreed(t *testing.T) {
	f := theFake(t, "whatsapp")
	greet := func(query string) (string, error) {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		return f.tracker(t).(channel.Greeter).Greet(channel.Inbound{Method: "GET", Query: q})
	}
	const right = "hub.mode=subscribe&hub.verify_token=whatsapp-verify-token&hub.challenge="
	if got, err := greet(right + "1158201444"); got != "1158201444" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for name, query := range map[string]string{
		"another token": "hub.mode=subscribe&hub.verify_token=whatsapp-verify-tokem&hub.challenge=1", "no token": "hub.mode=subscribe&hub.challenge=1",
		"an empty token": "hub.mode=subscribe&hub.verify_token=&hub.challenge=1", "a longer token": "hub.mode=subscribe&hub.verify_token=whatsapp-verify-tokens&hub.challenge=1",
		"two tokens": right + "1&hub.verify_token=x", "two answers": right + "1&hub.challenge=2", "no answer": right, "a long answer": right + strings.Repeat("1", 257),
		"an answer of two lines": right + "1%0d%0aX: y", "an answer in other letters": right + "%c3%a9",
	} {
		if got, err := greet(query); got != "" || !errors.Is(err, channel.ErrForged) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, query := range map[string]string{"nothing": "", "another question": "hub.mode=unsubscribe&hub.verify_token=whatsapp-verify-token&hub.challenge=1"} {
		if got, err := greet(query); got != "" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	delete(f.Secrets, "verify_token")
	if got, err := greet("hub.mode=subscribe&hub.verify_token=&hub.challenge=1"); got != "" || !errors.Is(err, channel.ErrForged) {
		t.Errorf("without a token: %q, %v", got, err)
	}
}

func TestOthersAreNotAsked(t *testing.T) {
	got, err := theFake(t, "sinch").tracker(t).(channel.Greeter).Greet(channel.Inbound{Method: "GET", Query: url.Values{"hub.mode": {"subscribe"}}})
	if got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestBirdsTokens holds the scheme against the vector that MessageBird publishes
// with its SDK for Go.
func TestBirdsTokens(t *testing.T) {
	const token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJNZXNzYWdlQmlyZCIsIm5iZiI6MTYyNTQ3OTIwMCwiZXhwIjoxNjI1NDc5MjYwLCJqdGkiOiI5M2U1NTAwNi1hMGU4LTQ1MjYtYTE5MC1mYTVmZjAwZWExMTYiLCJ1cmxfaGFzaCI6IjQxZjA1ZjBkZGQwYTIyYWIyMDlhYzQ2ZjQ3YzQ1NzJkOWNlZmEyNTdlZDc0YjI0MDA0YmFlNzUzZWNlNmMyNjAiLCJwYXlsb2FkX2hhc2giOiJkZmZkNjAyMWJiMmJkNWIwYWY2NzYyOTA4MDllYzNhNTMxOTFkZDgxYzdmNzBhNGIyODY4OGEzNjIxODI5ODZmIn0._H--TOuYFLpeEH39-rg5E3IHVkjHozBcaKVWPRC5m9I"
	at := time.Unix(1625479230, 0)
	check := func(now time.Time, key, issuer string) func(address, body, token string) error {
		s := &sender{recipe: &recipe{}, env: channel.Env{Now: func() time.Time { return now }}}
		judge, err := s.jwt(jwtHS256{Key: mustText(t, key), Header: "MessageBird-Signature-JWT", Issuer: issuer, URL: true})
		if err != nil {
			t.Fatal(err)
		}
		return func(address, body, token string) error {
			return judge(t.Context(), report{Inbound: channel.Inbound{URL: address, Body: []byte(body), Header: map[string][]string{"Messagebird-Signature-Jwt": {token}}}})
		}
	}
	const key, address, body = "36efdd1aace2e26cd490f0d951138253bef2f7c6d34d18981da781555cc4cebb", "https://example.com/path?bar=1&foo=2", "Hello, World!"
	if err := check(at, key, "MessageBird")(address, body, token); err != nil {
		t.Errorf("the published vector: %v", err)
	}
	for name, err := range map[string]error{
		"another address": check(at, key, "MessageBird")(address+"3", body, token), "another body": check(at, key, "MessageBird")(address, "Hello", token),
		"no body": check(at, key, "MessageBird")(address, "", token), "another key": check(at, key+"0", "MessageBird")(address, body, token),
		"another issuer": check(at, key, "Bird")(address, body, token), "too late": check(at.Add(time.Hour), key, "MessageBird")(address, body, token),
		"too early": check(at.Add(-time.Hour), key, "MessageBird")(address, body, token), "behind Bearer": check(at, key, "MessageBird")(address, body, "Bearer "+token),
	} {
		if err == nil {
			t.Errorf("%s is believed", name)
		}
	}
}
