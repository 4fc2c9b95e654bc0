package telegramgateway_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/telegramgateway"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/test/providers"
)

const token = "AAEtest-token-of-nobody"

var now = time.Unix(1733663990, 0)

func start(tb testing.TB) *providers.Gateway {
	tb.Helper()
	g := (&providers.Gateway{Token: token}).Start()
	tb.Cleanup(g.Close)
	return g
}

func config(at string) string { return fmt.Sprintf(`{"token":%q,"api":%q}`, token, at) }

func TestConformance(t *testing.T) {
	g := start(t)
	channeltest.Run(t, channeltest.Suite{
		Plugin: telegramgateway.Plugin(), Config: config(g.URL), Provider: config, Address: "+447400123456", Respond: channeltest.TypeLastCode,
		Broken: map[string]string{
			"no token": `{}`, "an @": `{"token":"x","sender":"@x"}`, "a life too short": `{"token":"x","ttl":"29s"}`, "a life too long": `{"token":"x","ttl":"61m"}`,
			"half a second": `{"token":"x","ttl":"30500ms"}`, "a callback that is nowhere": `{"token":"x","callback_url":"here"}`, "an API that is nowhere": `{"token":"x","api":"here"}`,
		},
	})
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, telegramgateway.Plugin()) }

func open(t *testing.T, config string) channel.Channel {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	ch, err := telegramgateway.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{HTTP: client, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func send(t *testing.T, ch channel.Channel, code string) (channel.Receipt, error) {
	t.Helper()
	s, _ := channel.As[channel.Sender](ch)
	return s.Send(t.Context(), channel.Message{To: "+447400123456", Code: code, Text: "Your code is " + code})
}

func TestTheCodeIsHandedOver(t *testing.T) {
	g := start(t)
	ch := open(t, strings.Replace(config(g.URL), `{`, `{"sender":"example","ttl":"45s","callback_url":"https://login.example.com/receipts/chat",`, 1))
	r, err := send(t, ch, "123456")
	want := providers.GatewayMessage{
		ID: "request-1", Phone: "+447400123456", Code: "123456", TTL: 45, Sender: "example", Callback: "https://login.example.com/receipts/chat",
	}
	if err != nil || r.ID != "request-1" || g.Sent()[0] != want {
		t.Errorf("%+v, %v; sent %+v", r, err, g.Sent())
	}
	for _, code := range []string{"ABC123", "123", "123456789", ""} {
		if _, err := send(t, ch, code); !errors.Is(err, channel.ErrRefused) || code != "" && strings.Contains(err.Error(), code) {
			t.Errorf("%q: %v", code, err)
		}
	}
	if len(g.Sent()) != 1 {
		t.Error("a code that cannot be shown was handed over")
	}
}

func TestWhatTheGatewaySaysIsUnderstood(t *testing.T) {
	g := start(t)
	ch := open(t, config(g.URL))
	for said, want := range map[string]error{
		"PHONE_NUMBER_INVALID": channel.ErrUndeliverable, "PHONE_NUMBER_NOT_FOUND": channel.ErrUndeliverable, "ACCESS_TOKEN_INVALID": channel.ErrRefused,
		"BALANCE_NOT_ENOUGH": channel.ErrRefused, "SENDER_NOT_VERIFIED": channel.ErrRefused, "NO_IDEA": channel.ErrUnavailable, "+447400123456": channel.ErrUnavailable,
	} {
		g.Say(said)
		if _, err := send(t, ch, "123456"); !errors.Is(err, want) || strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", said, err)
		}
	}
	for said, want := range map[string]time.Duration{"FLOOD_WAIT_17": 17 * time.Second, "FLOOD_WAIT_X": 0} {
		g.Say(said)
		_, err := send(t, ch, "123456")
		if later, ok := errors.AsType[*channel.ThrottledError](err); !ok || later.After != want {
			t.Errorf("%s: %v", said, err)
		}
	}
}

func TestReportsAreTheGateways(t *testing.T) {
	g := start(t)
	tr, _ := channel.As[channel.Tracker](open(t, config(g.URL)))
	for status, want := range map[string]string{"delivered": "delivered", "read": "delivered", "expired": "lost", "revoked": "lost", "sent": "", "odd": ""} {
		got, err := tr.Track(t.Context(), g.Report("request-1", status, now))
		said := ""
		if len(got) == 1 && got[0].Receipt.ID == "request-1" {
			said = map[bool]string{true: "delivered", false: "lost"}[got[0].Delivered && got[0].Err == nil]
		}
		if err != nil || said != want {
			t.Errorf("%s: %q, %v", status, said, err)
		}
	}
	good := g.Report("request-1", "delivered", now)
	for name, change := range map[string]func(in *channel.Inbound){
		"another body":       func(in *channel.Inbound) { in.Body = []byte(`{"request_id":"request-2"}`) },
		"another time":       func(in *channel.Inbound) { in.Header["X-Request-Timestamp"] = []string{"1733663991"} },
		"no time":            func(in *channel.Inbound) { delete(in.Header, "X-Request-Timestamp") },
		"no signature":       func(in *channel.Inbound) { delete(in.Header, "X-Request-Signature") },
		"two signatures":     func(in *channel.Inbound) { in.Header["x-request-signature"] = in.Header["X-Request-Signature"] },
		"an empty signature": func(in *channel.Inbound) { in.Header["X-Request-Signature"] = []string{""} },
		"an old report":      func(in *channel.Inbound) { *in = g.Report("request-1", "delivered", now.Add(-6*time.Minute)) },
		"a later report":     func(in *channel.Inbound) { *in = g.Report("request-1", "delivered", now.Add(6*time.Minute)) },
		"another account's": func(in *channel.Inbound) {
			*in = (&providers.Gateway{Token: "x"}).Report("request-1", "delivered", now)
		},
		"a report of nothing": func(in *channel.Inbound) { *in = g.Report("", "delivered", now) },
	} {
		in := channel.Inbound{Method: good.Method, Body: good.Body, Header: map[string][]string{}}
		maps.Copy(in.Header, good.Header)
		change(&in)
		if got, err := tr.Track(t.Context(), in); !errors.Is(err, channel.ErrForged) || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
