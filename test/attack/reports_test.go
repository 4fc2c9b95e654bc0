package attack_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// twilioSigned signs a report as Twilio does: the URL, and the fields in their order.
func twilioSigned(token, at string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(at))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		mac.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// what says that it comes from a provider, and does not.
func TestA090NobodyElseSpeaksForAProvider(t *testing.T) {
	const home = "https://login.example.com"
	g := (&providers.Gateway{Token: "AAEE-gateway-token-0123456789"}).Start()
	b := (&providers.Bot{Token: ourBot, Secret: "webhook-secret-0123456789"}).Start()
	t.Cleanup(g.Close)
	t.Cleanup(b.Close)
	var sent atomic.Int64
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"sid":"SM%d","status":"queued"}`, sent.Add(1))
	}))
	t.Cleanup(site.Close)
	config := fmt.Sprintf(`channels:
  sms: { use: twilio, twilio: { account: AC00000000000000000000000000000000, token: hush, from: Example, api: %q } }
  gateway: { use: telegram_gateway, telegram_gateway: { token: %s, api: %q } }
  chat: { use: telegram_bot, telegram_bot: { bot_name: example_bot, bot_token: %q, webhook_secret: %q, api: %q } }
`, site.URL, g.Token, g.URL, b.Token, b.Secret, b.URL)
	apart(t, harness.Options{Mode: harness.Production, Public: home, Policy: patient, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		last := sent.Load()
		id := c.Post("/v1/challenges", map[string]string{"to": freshPhone(), "channel": "sms"}).Want(http.StatusAccepted).Text("id")
		state := func() string { return c.Get("/v1/challenges/" + id).Want(http.StatusOK).Text("delivery") }
		patiently(t, "the message is sent", func() bool { return state() == "sent" })
		report := url.Values{"MessageStatus": {"delivered"}}
		raw := func(path, body string, headers ...string) harness.Answer { return c.At(1).Post(path, body, headers...) }
		forged := func(what string, a harness.Answer) {
			t.Helper()
			refused(t, what, a)
			if now := state(); now != "sent" {
				t.Fatalf("%s: the message is %s now", what, now)
			}
		}
		const typed = "Content-Type: application/x-www-form-urlencoded"
		for n := last + 1; n <= sent.Load(); n++ { // one of them is this message
			report.Set("MessageSid", fmt.Sprintf("SM%d", n))
			right := twilioSigned("hush", home+"/receipts/sms", report)
			for what, signature := range map[string]string{
				"another's token": twilioSigned("hash", home+"/receipts/sms", report), "another address": twilioSigned("hush", "https://evil.example/receipts/sms", report),
				"another channel's": twilioSigned("hush", home+"/receipts/gateway", report), "no base64": "!", "empty": "", "cut": right[:len(right)-4],
			} {
				forged("a carrier's report with "+what, raw("/receipts/sms", report.Encode(), typed, "X-Twilio-Signature: "+signature))
			}
			forged("a carrier's report, unsigned", raw("/receipts/sms", report.Encode(), typed))
			forged("a changed report", raw("/receipts/sms", report.Encode()+"&ErrorCode=1", typed, "X-Twilio-Signature: "+right))
			forged("by another door", raw("/receipts/gateway", report.Encode(), typed, "X-Twilio-Signature: "+right))
			forged("as an answer", raw("/callback/sms", report.Encode(), typed, "X-Twilio-Signature: "+right))
		}
		forged("a channel that there is not", raw("/receipts/nothing", "{}"))

		at := c.Now()
		good := g.Report("request-1", "delivered", at)
		signature, stamp := good.Header["X-Request-Signature"][0], good.Header["X-Request-Timestamp"][0]
		old := g.Report("request-1", "delivered", at.Add(-time.Hour))
		other := (&providers.Gateway{Token: "AAEE-another-token-0123456789"}).Report("request-1", "delivered", at)
		for what, r := range map[string]struct{ body, signature, stamp string }{
			"another account": {string(other.Body), other.Header["X-Request-Signature"][0], stamp}, "a changed body": {strings.Replace(string(good.Body), "delivered", "expired", 1), signature, stamp},
			"another time": {string(good.Body), signature, fmt.Sprint(at.Unix() + 1)}, "no signature": {string(good.Body), "", stamp}, "no time": {string(good.Body), signature, ""},
			"an hour old": {string(old.Body), old.Header["X-Request-Signature"][0], old.Header["X-Request-Timestamp"][0]},
		} {
			forged("Telegram's Gateway: "+what, raw("/receipts/gateway", r.body, "X-Request-Signature: "+r.signature, "X-Request-Timestamp: "+r.stamp))
		}
		raw("/receipts/gateway", string(good.Body), "X-Request-Signature: "+signature, "X-Request-Timestamp: "+stamp).Want(http.StatusNoContent)

		update := b.Update(map[string]any{"text": "/start " + id, "chat": map[string]any{"id": 42, "type": "private"}, "from": map[string]any{"id": 42}})
		hello := b.Update(map[string]any{"text": "hello", "chat": map[string]any{"id": 42, "type": "private"}, "from": map[string]any{"id": 42}})
		for what, secret := range map[string]string{"no secret": "", "another": "webhook-secret-0123456780", "cut": b.Secret[:10], "the bot's token": b.Token} {
			forged("the bot: "+what, raw("/callback/chat", string(update.Body), "X-Telegram-Bot-Api-Secret-Token: "+secret))
			forged("the bot, about nothing: "+what, raw("/callback/chat", string(hello.Body), "X-Telegram-Bot-Api-Secret-Token: "+secret))
		}
		forged("the bot, unsigned", raw("/callback/chat", string(hello.Body)))
		raw("/callback/chat", string(hello.Body), "X-Telegram-Bot-Api-Secret-Token: "+b.Secret).Want(http.StatusNoContent) // what is refused above, for its secret only
		if a := raw("/callback/chat", string(update.Body), "X-Telegram-Bot-Api-Secret-Token: "+b.Secret); a.Status >= 500 || state() != "sent" {
			t.Errorf("a greeting that answers another channel's challenge: %s", a)
		}
	})
}
