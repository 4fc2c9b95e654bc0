package telegrambot_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/telegrambot"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/test/providers"
)

const token, secret = "123456789:TEST-TOKEN-NOT-A-REAL-SECRET-0000001", "webhook-secret-0123456789"

func start(tb testing.TB) *providers.Bot {
	tb.Helper()
	b := (&providers.Bot{Token: token, Secret: secret}).Start()
	tb.Cleanup(b.Close)
	return b
}

func config(at string) string {
	return fmt.Sprintf(`{"bot_token":%q,"bot_name":"example_bot","webhook_secret":%q,"api":%q}`, token, secret, at)
}

func suite(tb testing.TB) channeltest.Suite {
	b := start(tb)
	return channeltest.Suite{
		Plugin: telegrambot.Plugin(), Config: config(b.URL), Provider: config,
		Respond: func(tb testing.TB, s channeltest.Scene) channel.Response {
			if s.Prompt.Kind == channel.KindEnterCode {
				return channeltest.TypeLastCode(tb, s)
			}
			in, err := b.Greeted(s.Prompt.URL, 42)
			if err != nil {
				tb.Fatal(err)
			}
			cb, _ := channel.As[channel.Callback](s.Channel)
			handle, r, err := cb.Receive(tb.Context(), in)
			if err != nil || handle != s.Challenge.Handle {
				tb.Fatalf("the greeting is not recognised: %v", err)
			}
			return r
		},
		Broken: map[string]string{
			"nothing": `{}`, "no token": strings.Replace(config(b.URL), token, "x", 1), "a short secret": strings.Replace(config(b.URL), secret, "short", 1),
			"a secret with a space": strings.Replace(config(b.URL), secret, "webhook secret 0123456789", 1), "no name": strings.Replace(config(b.URL), "example_bot", "@x", 1),
			"an API that is nowhere": config("telegram"),
		},
	}
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite(t)) }

func FuzzReceive(f *testing.F) { channeltest.FuzzReceive(f, suite(f)) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, telegrambot.Plugin()) }

func open(t *testing.T, b *providers.Bot) channel.Channel {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	ch, err := telegrambot.Plugin().Open(t.Context(), channeltest.Decoder(config(b.URL)), channel.Env{
		Log: slog.New(slog.DiscardHandler), HTTP: client, Codes: channeltest.Codes{Form: channel.Shape{Length: 6, Alphabet: channel.Digits}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func TestOnlyTelegramBringsGreetings(t *testing.T) {
	b := start(t)
	cb, _ := channel.As[channel.Callback](open(t, b))
	good, err := b.Greeted("https://t.me/example_bot?start=handle-0123456789", 42)
	if err != nil {
		t.Fatal(err)
	}
	if handle, _, err := cb.Receive(t.Context(), good); err != nil || handle != "handle-0123456789" {
		t.Fatalf("%q, %v", handle, err)
	}
	for name, header := range map[string]map[string][]string{
		"nothing": nil, "another secret": {"X-Telegram-Bot-Api-Secret-Token": {"webhook-secret-0123456780"}}, "an empty one": {"X-Telegram-Bot-Api-Secret-Token": {""}},
		"two": {"X-Telegram-Bot-Api-Secret-Token": {secret, secret}}, "two spellings": {"X-Telegram-Bot-Api-Secret-Token": {secret}, "x-telegram-bot-api-secret-token": {"x"}},
		"the token": {"X-Telegram-Bot-Api-Secret-Token": {token}},
	} {
		in := good
		in.Header = header
		if _, _, err := cb.Receive(t.Context(), in); !errors.Is(err, channel.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSmallTalkAnswersNothing(t *testing.T) {
	b := start(t)
	cb, _ := channel.As[channel.Callback](open(t, b))
	message := func(changes map[string]any) map[string]any {
		m := map[string]any{"text": "/start handle-0123456789", "chat": map[string]any{"id": 42, "type": "private"}, "from": map[string]any{"id": 42}}
		maps.Copy(m, changes)
		return m
	}
	if _, _, err := cb.Receive(t.Context(), b.Update(message(nil))); err != nil {
		t.Fatal(err)
	}
	for name, changes := range map[string]map[string]any{
		"a chat": {"text": "hello"}, "no handle": {"text": "/start"}, "words": {"text": "/start a b"}, "an odd handle": {"text": "/start ../../x12345"},
		"a group": {"chat": map[string]any{"id": -42, "type": "group"}}, "a channel": {"chat": map[string]any{"id": 42, "type": "channel"}},
		"somebody else's chat": {"from": map[string]any{"id": 43}}, "a bot": {"from": map[string]any{"id": 42, "is_bot": true}},
		"an id in words": {"chat": map[string]any{"id": "42", "type": "private"}}, "a huge id": {"chat": map[string]any{"id": 1e30, "type": "private"}},
	} {
		if _, _, err := cb.Receive(t.Context(), b.Update(message(changes))); !errors.Is(err, channel.ErrIrrelevant) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNobodyClaimsAnothersChat(t *testing.T) {
	b := start(t)
	ch := open(t, b)
	cb, _ := channel.As[channel.Callback](ch)
	in, err := b.Greeted("https://t.me/example_bot?start=handle-of-the-other", 42)
	if err != nil {
		t.Fatal(err)
	}
	_, theirs, err := cb.Receive(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"no proof": `{"chat":"42"}`, "another challenge's": string(theirs.Data), "a changed chat": strings.Replace(string(theirs.Data), "42", "43", 1),
	} {
		c := channel.Challenge{Handle: "handle-of-mine", Purpose: channel.Enroll}
		v, err := ch.Verify(t.Context(), c, nil, channel.Response{Data: json.RawMessage(data)})
		if err != nil || v.Outcome != channel.Rejected {
			t.Errorf("%s: %s, %v", name, v.Outcome, err)
		}
	}
	v, err := ch.Verify(t.Context(), channel.Challenge{Handle: "handle-of-the-other", Purpose: channel.Enroll}, nil, theirs)
	if err != nil || v.Outcome != channel.Verified || v.Ref != "42" {
		t.Errorf("their own: %+v, %v", v, err)
	}
}

func TestWhatTelegramSaysIsUnderstood(t *testing.T) {
	b := start(t)
	s, _ := channel.As[channel.Sender](open(t, b))
	b.Block("43")
	if r, err := s.Send(t.Context(), channel.Message{To: "42", Text: "Your code is 123456."}); err != nil || r.ID != "1" || !b.Sent()[0].Protect {
		t.Errorf("%+v, %v", r, err)
	}
	for to, want := range map[string]error{"43": channel.ErrUndeliverable, "x": channel.ErrUndeliverable} {
		if _, err := s.Send(t.Context(), channel.Message{To: to, Text: "hi"}); !errors.Is(err, want) {
			t.Errorf("%s: %v", to, err)
		}
	}
	if _, err := s.Send(t.Context(), channel.Message{To: "42"}); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("an empty text: %v", err)
	}
	b.Wait(9)
	_, err := s.Send(t.Context(), channel.Message{To: "42", Text: "hi"})
	if later, ok := errors.AsType[*channel.ThrottledError](err); !ok || later.After != 9*time.Second {
		t.Errorf("in a hurry: %v", err)
	}
}

func TestAnUnknownTokenIsTheOperatorsConcern(t *testing.T) {
	b := (&providers.Bot{Token: "another"}).Start()
	t.Cleanup(b.Close)
	p, _ := channel.As[channel.Prober](open(t, b))
	if err := p.Probe(t.Context()); !errors.Is(err, channel.ErrRefused) || strings.Contains(err.Error(), "TEST-TOKEN") {
		t.Errorf("%v", err)
	}
	b.Close()
	if err := p.Probe(t.Context()); !errors.Is(err, channel.ErrUnavailable) || strings.Contains(err.Error(), "TEST-TOKEN") {
		t.Errorf("%v", err)
	}
}
