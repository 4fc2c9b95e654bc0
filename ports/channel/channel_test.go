package channel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

const hush = "s3cr3t-value"

// printed is v in every way somebody might print it.
func printed(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("m", "v", v)
	}
	return b.String()
}

func TestNothingPrivateIsPrinted(t *testing.T) {
	c := channel.Challenge{Handle: hush, Address: hush, Label: hush, Credential: channel.Credential(hush), Detail: hush}
	m := channel.Message{To: hush, Code: hush, Link: hush, Text: hush, HTML: hush, Subject: hush}
	for name, v := range map[string]any{
		"challenge": c, "pointer to a challenge": &c, "message": m, "pointer to a message": &m,
		"response":   channel.Response{Code: hush, Data: json.RawMessage(hush)},
		"secret":     channel.NewSecret(hush),
		"state":      channel.State(hush),
		"credential": channel.Credential(hush),
		"prompt":     channel.Redirect(hush).Showing(hush),
		"identity":   channel.Identity{Email: hush, Phone: hush, Name: hush},
		"config": struct {
			Token  channel.Secret
			hidden channel.Secret
		}{channel.NewSecret(hush), channel.NewSecret(hush)},
	} {
		text := printed(v)
		for _, form := range []string{hush, fmt.Sprintf("%x", hush), strings.Trim(fmt.Sprint([]byte(hush)), "[]")} {
			if strings.Contains(text, form) {
				t.Errorf("%s prints %q:\n%s", name, form, text)
			}
		}
	}
}

func TestOpeningsAndVerdictsPrintWithoutStateAndCredential(t *testing.T) {
	o := channel.Opening{Prompt: channel.Wait().Showing(hush), State: channel.State(hush), Credential: channel.Credential(hush)}
	v := channel.Verdict{State: channel.State(hush), Credential: channel.Credential(hush)}
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(format+format, o, v); strings.Contains(text, hush) || strings.Contains(text, "115 51") || strings.Contains(text, "0x73") {
			t.Errorf("%s: %s", format, text)
		}
	}
}

func TestSecretsAreReadAndNotWritten(t *testing.T) {
	var cfg struct {
		Token channel.Secret `json:"token"`
		Other channel.Secret `json:"other"`
	}
	if err := json.Unmarshal([]byte(`{"token":"`+hush+`"}`), &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.Token.Reveal() != hush || cfg.Token.IsZero() || !cfg.Other.IsZero() || cfg.Other.Reveal() != "" {
		t.Error("the secret was not read")
	}
	text, err := json.Marshal(cfg)
	if err != nil || string(text) != `{"token":"••••","other":""}` {
		t.Errorf("%s, %v", text, err)
	}
}

func TestStatusErrorSpeaksTheCoresLanguage(t *testing.T) {
	for status, want := range map[int]error{
		200: nil, 201: nil, 302: nil, 400: nil, 404: nil,
		401: channel.ErrRefused, 402: channel.ErrRefused, 403: channel.ErrRefused,
		408: channel.ErrUnavailable, 500: channel.ErrUnavailable, 503: channel.ErrUnavailable,
	} {
		if err := channel.StatusError(&http.Response{StatusCode: status, Header: http.Header{}}); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", status, err, want)
		}
	}
}

func TestStatusErrorKeepsTheWait(t *testing.T) {
	for after, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "99999999999999999999": 0,
		"Wed, 21 Oct 2026 07:28:30 GMT": 30 * time.Second, "Wed, 21 Oct 2026 07:00:00 GMT": 0,
	} {
		h := http.Header{"Retry-After": {after}, "Date": {"Wed, 21 Oct 2026 07:28:00 GMT"}}
		busy, ok := errors.AsType[*channel.ThrottledError](channel.StatusError(&http.Response{StatusCode: 429, Header: h}))
		if !ok || busy.After != want {
			t.Errorf("%q: %v, want %s", after, busy, want)
		}
	}
}

type config struct {
	Name string `json:"name" doc:"A name."`
}

func (c config) Validate() error {
	if c.Name == "" {
		return errors.New("name: required")
	}
	return nil
}

type courier struct{ closed *bool }

func (courier) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{ID: "1"}, nil
}

func (c courier) Close(context.Context) error {
	*c.closed = true
	return nil
}

type fixed struct{}

func (fixed) Shape(channel.Challenge) channel.Shape {
	return channel.Shape{Length: 8, Alphabet: channel.Crockford}
}
func (fixed) Match(_ channel.Challenge, code string) bool { return code == "right" }

func courierPlugin(closed *bool) channel.Plugin {
	return channel.DefineSender(channel.Descriptor{Type: "courier"}, func() config { return config{Name: "default"} },
		func(context.Context, config, channel.Env) (channel.Sender, error) { return courier{closed}, nil })
}

func TestSendersGetTheirBookkeepingFromThePort(t *testing.T) {
	var closed bool
	p := courierPlugin(&closed)
	if !p.OnlySends() {
		t.Error("the plugin does not know that it only sends")
	}
	ch, err := p.Open(t.Context(), func(any) error { return nil }, channel.Env{Codes: fixed{}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := ch.Begin(t.Context(), channel.Challenge{})
	if err != nil || !o.Deliver || o.Prompt.Length != 8 || o.Prompt.Alphabet != channel.Crockford || o.State != nil {
		t.Errorf("%+v, %v", o, err)
	}
	for code, want := range map[string]channel.Outcome{"right": channel.Verified, "wrong": channel.Rejected, "": channel.Rejected} {
		if v, err := ch.Verify(t.Context(), channel.Challenge{}, nil, channel.Response{Code: code}); err != nil || v.Outcome != want {
			t.Errorf("%q: %+v, %v", code, v, err)
		}
	}
	if _, ok := channel.As[channel.Tracker](ch); ok {
		t.Error("found an ability that is not there")
	}
	c, ok := channel.As[channel.Closer](ch)
	if !ok || c.Close(t.Context()) != nil || !closed {
		t.Error("Close is hidden by the wrapper")
	}
}

// hushed is a courier that delivers nothing.
type hushed struct{ channel.Channel }

func (h hushed) Unwrap() any { return h.Channel }
func (hushed) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{ID: "hushed"}, nil
}

func TestPluginsCanBeWrapped(t *testing.T) {
	var closed bool
	var instance string
	p := courierPlugin(&closed).Wrap(func(ch channel.Channel, env channel.Env) channel.Channel {
		instance = env.Instance
		return hushed{ch}
	})
	ch, err := p.Open(t.Context(), func(any) error { return nil }, channel.Env{Instance: "mine", Codes: fixed{}})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := channel.As[channel.Sender](ch)
	got, err := s.Send(t.Context(), channel.Message{})
	c, ok := channel.As[channel.Closer](ch)
	if err != nil || got.ID != "hushed" || instance != "mine" || p.Type != "courier" || !ok || c.Close(t.Context()) != nil || !closed {
		t.Errorf("%v, %v, %q, %v", got, err, instance, closed)
	}
	if _, err := p.Open(t.Context(), func(any) error { return context.Canceled }, channel.Env{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := (channel.Plugin{}).Wrap(nil).Open(t.Context(), nil, channel.Env{}); err == nil {
		t.Error("a plugin that was not made with Define opened")
	}
}

func TestOpeningNamesTheInstanceAndTheProblem(t *testing.T) {
	empty := func(into any) error { into.(*config).Name = ""; return nil }
	_, err := courierPlugin(nil).Open(t.Context(), empty, channel.Env{Instance: "sms_backup"})
	if err == nil || err.Error() != `open channel "sms_backup": name: required` {
		t.Errorf("%v", err)
	}
	if _, err := (channel.Plugin{}).Open(t.Context(), empty, channel.Env{}); err == nil {
		t.Error("a plugin that was not made with Define opened")
	}
}

func TestPluginsDescribeTheirConfiguration(t *testing.T) {
	p := courierPlugin(nil)
	if p.ConfigType().Name() != "config" || p.Defaults() != (config{Name: "default"}) || (channel.Plugin{}).Defaults() != nil {
		t.Errorf("%v, %v", p.ConfigType(), p.Defaults())
	}
}

func TestAlphabetsHaveNoLetterThatCanBeMisread(t *testing.T) {
	if s := channel.Crockford.Characters(); len(s) != 32 || strings.ContainsAny(s, "ILOU") {
		t.Errorf("crockford is %q", s)
	}
	if channel.Digits.Characters() != "0123456789" || channel.Alphabet("runes").Characters() != "" {
		t.Error("digits or an unknown alphabet is wrong")
	}
}
