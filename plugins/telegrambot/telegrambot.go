// Package telegrambot sends codes by a Telegram bot, to people who have greeted it.
package telegrambot

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"

	"github.com/countersign/countersign/ports/channel"
)

// Plugin is the channel of a bot. Telegram shows its chats on every device of an
// account, as mailboxes do, so like those it does not count towards AAL2 (NIST SP
// 800-63B-4, 3.1.3.1).
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "telegram_bot", Title: "Telegram", Summary: "Sends a code by a Telegram bot, once it was greeted.",
		Address: channel.Account, Form: channel.FormChat, Factor: channel.Possession, MaxAAL: 1, AMR: []string{"otp"},
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		return &bot{cfg: cfg, env: env, client: calm(env.HTTP)}, nil
	})
}

// Config is what BotFather shows, and what we have told Telegram.
type Config struct {
	BotToken      channel.Secret `json:"bot_token" doc:"Token of the bot." secret:"file"`
	BotName       string         `json:"bot_name" doc:"Name of the bot, without @." max:"64"`
	WebhookSecret channel.Secret `json:"webhook_secret" doc:"The secret_token that setWebhook was called with: how we know that an update is Telegram's." secret:"file"`
	API           string         `json:"api" doc:"Where the Bot API is; another URL is for a server of one's own, and for tests."`
}

func defaults() Config { return Config{API: "https://api.telegram.org"} }

var (
	tokenShape  = regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{20,}$`)
	nameShape   = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	secretShape = regexp.MustCompile(`^[A-Za-z0-9_-]+$`) // without a count, which would be as many parts
)

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if !tokenShape.MatchString(c.BotToken.Reveal()) {
		errs = append(errs, errors.New("bot_token: not a token as BotFather makes them"))
	}
	if !nameShape.MatchString(c.BotName) {
		errs = append(errs, errors.New("bot_name: required, without @"))
	}
	if s := c.WebhookSecret.Reveal(); len(s) < 16 || len(s) > 256 || !secretShape.MatchString(s) {
		errs = append(errs, errors.New("webhook_secret: not 16 to 256 letters, digits, _ and -"))
	}
	if u, err := url.Parse(c.API); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		errs = append(errs, errors.New("api: not a URL"))
	}
	return errors.Join(errs...)
}

// Begin asks a new person to greet the bot, because bots may not speak first.
// Later, codes go to the chat.
func (b *bot) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	if c.Purpose == channel.Enroll {
		return channel.Opening{Prompt: channel.Redirect("https://t.me/" + b.cfg.BotName + "?start=" + url.QueryEscape(c.Handle))}, nil
	}
	return channel.Opening{Prompt: channel.EnterCode(b.env.Codes.Shape(c)), Deliver: true}, nil
}

// greeting is who has greeted the bot. Receive signs it, because a response may
// also come from somebody who says so.
type greeting struct {
	Chat string `json:"chat"`
	MAC  string `json:"mac"`
}

// Verify takes a greeting while enrolling, and a code later.
func (b *bot) Verify(_ context.Context, c channel.Challenge, _ channel.State, r channel.Response) (channel.Verdict, error) {
	if c.Purpose != channel.Enroll {
		if r.Code == "" || c.Address == "" || !b.env.Codes.Match(c, r.Code) {
			return channel.Reject(channel.Mismatch), nil
		}
		return channel.Verdict{Outcome: channel.Verified, Ref: c.Address}, nil
	}
	if r.Code == "" && r.Data == nil {
		return channel.Verdict{Outcome: channel.Pending}, nil
	}
	var g greeting
	if r.Data == nil || json.Unmarshal(r.Data, &g) != nil || g.Chat == "" || !hmac.Equal([]byte(g.MAC), []byte(b.mac(c.Handle, g.Chat))) {
		return channel.Reject(channel.Mismatch), nil
	}
	return channel.Verdict{Outcome: channel.Verified, Ref: g.Chat}, nil
}

// mac binds a chat to the challenge that it has answered.
func (b *bot) mac(handle, chat string) string {
	key := sha256.Sum256([]byte("countersign greeting\n" + b.cfg.WebhookSecret.Reveal()))
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(handle + "\n" + chat)) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}
