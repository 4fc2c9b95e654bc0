package e2e_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// A bot is greeted once, and then sends codes to the chat: where that is, is learnt
// from the greeting.
func TestABotThatWasGreetedSendsCodes(t *testing.T) {
	bot := &providers.Bot{Token: "123456789:TEST-TOKEN-NOT-A-REAL-SECRET-0000001", Secret: "webhook-secret-0123456789"}
	bot.Start()
	t.Cleanup(bot.Close)
	config := fmt.Sprintf("channels: { chat: { use: telegram_bot, telegram_bot: { bot_name: example_bot, bot_token: %q, webhook_secret: %q, api: %q } } }",
		bot.Token, bot.Secret, bot.URL)
	served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		made := c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "chat"}).Want(http.StatusCreated)
		id := made.Text("challenge.id")
		if made.Text("challenge.prompt.kind") != "redirect" {
			t.Fatalf("%s", made)
		}
		c.Post("/v1/challenges/"+id+"/verify", map[string]string{"code": "123456"})
		c.Post("/v1/challenges/"+id+"/verify", map[string]any{"data": map[string]string{"chat": "43", "mac": "00"}}).WantCode(http.StatusUnprocessableEntity, "invalid_code")

		greeting, err := bot.Greeted(made.Text("challenge.prompt.url"), 42)
		if err != nil {
			t.Fatal(err)
		}
		update := func(body []byte, secret string) harness.Answer {
			return c.As("").Post("/callback/chat", body, "X-Telegram-Bot-Api-Secret-Token: "+secret)
		}
		update(greeting.Body, "webhook-secret-0123456780").Want(http.StatusForbidden)
		update([]byte(`{"update_id":1,"message":{"text":"hello","chat":{"id":42,"type":"private"},"from":{"id":42}}}`), bot.Secret).Want(http.StatusNoContent)
		c.Post("/v1/challenges/"+id+"/verify", map[string]string{}).Want(http.StatusOK)
		update(greeting.Body, bot.Secret).Want(http.StatusNoContent)
		done := c.As(who.Access).Post("/v1/challenges/"+id+"/verify", map[string]string{}).Want(http.StatusOK)
		if done.Text("status") != "device_confirmed" {
			t.Fatalf("%s", done)
		}

		c.RequireTwoFactor(who.Access)
		first := c.FirstFactor(ann)
		second := c.SecondFactor(first, made.Text("device.id"))
		signed := c.Verify(second.ID, c.Code("42")).Want(http.StatusOK)
		if signed.Text("status") != "signed_in" {
			t.Errorf("%s", signed)
		}
	})
}
