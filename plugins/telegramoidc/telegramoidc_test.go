package telegramoidc_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/telegramoidc"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/test/providers"
)

// start plays Telegram, with the key of a kind that it publishes beside the others.
func start(tb testing.TB) *providers.OIDC {
	tb.Helper()
	p := (&providers.OIDC{Issuer: "https://oauth.telegram.org", Client: "777", Secret: "hush"}).Start()
	tb.Cleanup(p.Close)
	p.Publish("max-age=3600", map[string]string{"kty": "EC", "crv": "secp256k1", "kid": "oidc-es256k-1", "alg": "ES256K", "x": "AA", "y": "AA"})
	p.Is(map[string]any{"sub": "1234", "id": 42, "name": "Ada Lovelace", "preferred_username": "ada", "phone_number": "4915112345678"})
	return p
}

func config(at string) string {
	return fmt.Sprintf(`{"client_id":"777","client_secret":"hush","discovery":"%s/.well-known/openid-configuration"}`, at)
}

func TestConformance(t *testing.T) {
	p := start(t)
	channeltest.Run(t, channeltest.Suite{
		Plugin: telegramoidc.Plugin(), Config: config(p.URL), Respond: p.Visit, Lie: providers.Lost, Provider: config,
		Broken: map[string]string{
			"no client": `{"client_secret":"x"}`, "no secret": `{"client_id":"x"}`, "a discovery without TLS": config("http://oauth.telegram.org"),
		},
	})
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, telegramoidc.Plugin()) }

func TestThePhoneNumberIsChecked(t *testing.T) {
	p := start(t)
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	ch, err := telegramoidc.Plugin().Open(t.Context(), channeltest.Decoder(config(p.URL)), channel.Env{
		Log: slog.New(slog.DiscardHandler), HTTP: client, Now: p.Watch.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		changes map[string]any
		phone   string
		checked bool
	}{
		{nil, "+4915112345678", true},
		{map[string]any{"phone_number": "+4915112345678"}, "+4915112345678", true},
		{map[string]any{"phone_number": nil}, "", false},
		{map[string]any{"phone_number": 4915112345678}, "", false},
		{map[string]any{"phone_number_verified": true}, "+4915112345678", true},
		{map[string]any{"phone_number_verified": false}, "+4915112345678", false},
		{map[string]any{"phone_number_verified": "true"}, "+4915112345678", false},
	} {
		data, err := json.Marshal(map[string]string{"id_token": p.Sign(p.Claims(x.changes))})
		if err != nil {
			t.Fatal(err)
		}
		v, err := ch.Verify(t.Context(), channel.Challenge{}, nil, channel.Response{Data: data})
		if err != nil || v.Outcome != channel.Verified || v.Ref != "1234" {
			t.Fatalf("%v: %+v, %v", x.changes, v, err)
		}
		if v.Identity.Phone != x.phone || v.Identity.PhoneVerified != x.checked || v.Identity.Username != "ada" || v.Identity.Name != "Ada Lovelace" {
			t.Errorf("%v: %q, %v", x.changes, v.Identity.Phone, v.Identity.PhoneVerified)
		}
	}
}
