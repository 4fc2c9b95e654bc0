// Package telegramgateway sends codes to phone numbers through Telegram's Gateway:
// whoever has Telegram gets them in a chat of Telegram's own.
package telegramgateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// Plugin is the channel of the Gateway. Telegram shows its chats on every device of
// an account, as mailboxes do, so like those it does not count towards AAL2 (NIST SP
// 800-63B-4, 3.1.3.1).
func Plugin() channel.Plugin {
	return channel.DefineSender(channel.Descriptor{
		Type: "telegram_gateway", Title: "Telegram", Summary: "Sends a code to the Telegram account of a phone number.",
		Address: channel.Phone, Form: channel.FormChat, Factor: channel.Possession, MaxAAL: 1, AMR: []string{"otp"},
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Sender, error) {
		client := *env.HTTP
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		return &gateway{cfg, &client, env.Now}, nil
	})
}

// Config is what the Gateway's site shows.
type Config struct {
	Token       channel.Secret `json:"token" doc:"API token of our account at the Gateway." secret:"file"`
	Sender      string         `json:"sender" doc:"User name of a verified channel that codes come from, without @; empty is Telegram's own." max:"64"`
	TTL         time.Duration  `json:"ttl" doc:"After what time a code that has not arrived is given up, and paid back." min:"30s" max:"1h"`
	CallbackURL string         `json:"callback_url" doc:"Where the Gateway reports what became of codes: our public URL, /receipts/, and what this channel is called; empty asks for no reports." max:"256"`
	API         string         `json:"api" doc:"Where the Gateway is; another URL is for tests."`
}

func defaults() Config { return Config{TTL: 5 * time.Minute, API: "https://gatewayapi.telegram.org"} }

var senderShape = regexp.MustCompile(`^[A-Za-z0-9_]*$`)

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if c.Token.IsZero() {
		errs = append(errs, errors.New("token: required"))
	}
	if !senderShape.MatchString(c.Sender) {
		errs = append(errs, errors.New("sender: a user name without @"))
	}
	if c.TTL%time.Second != 0 {
		errs = append(errs, errors.New("ttl: not whole seconds"))
	}
	for key, value := range map[string]string{"callback_url": c.CallbackURL, "api": c.API} {
		if u, err := url.Parse(value); err != nil || value != "" && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			errs = append(errs, errors.New(key+": not a URL"))
		}
	}
	return errors.Join(errs...)
}
