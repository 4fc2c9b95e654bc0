// Package telegram signs people in by what Telegram's login widget and its Mini
// Apps hand over: fields that are signed with a bot's token.
package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// issuer is who says so.
const issuer = "https://telegram.org"

// ahead is how far Telegram's clock may be ahead of ours.
const ahead = 30 * time.Second

// Plugin is the channel for the login widget and for Mini Apps.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "telegram", Title: "Telegram", Summary: "Signs in by Telegram's login widget, or out of a Mini App.",
		Factor: channel.Possession, MaxAAL: 1, Identify: true,
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		return widget{cfg, keysOf(cfg.BotToken.Reveal()), env.Now}, nil
	})
}

// Config is what BotFather shows.
type Config struct {
	BotToken channel.Secret `json:"bot_token" doc:"Token of the bot that people sign in through." secret:"file"`
	BotName  string         `json:"bot_name" doc:"Name of the bot, without @; the widget wants it." max:"64"`
	MaxAge   time.Duration  `json:"max_age" doc:"How old what Telegram hands over may be." min:"30s" max:"1h"`
}

func defaults() Config { return Config{MaxAge: 5 * time.Minute} }

var (
	tokenShape = regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{20,}$`)
	nameShape  = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
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
	return errors.Join(errs...)
}

// botID is the part of the token that anybody may know.
func (c Config) botID() string {
	id, _, _ := strings.Cut(c.BotToken.Reveal(), ":")
	return id
}

type widget struct {
	cfg  Config
	keys keys
	now  func() time.Time
}

// Announce tells the bot's id, which the widget is set up with.
func (w widget) Announce() channel.Announcement {
	return channel.Announcement{ClientID: w.cfg.botID()}
}

// Begin asks the browser to show the widget.
func (w widget) Begin(ctx context.Context, _ channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	options, err := json.Marshal(map[string]string{"bot_id": w.cfg.botID(), "bot_name": w.cfg.BotName})
	return channel.Opening{Prompt: channel.CallBrowser("telegram_login", options)}, err
}

// Verify judges what Telegram has signed. No nonce of ours is in it, so it is
// accepted once, and only while it is young.
func (w widget) Verify(_ context.Context, _ channel.Challenge, _ channel.State, r channel.Response) (channel.Verdict, error) {
	s, ok := read(r.Data)
	if !ok || !w.keys.signed(s) {
		return channel.Reject(channel.Mismatch), nil
	}
	who, ok := s.person()
	made, err := strconv.ParseInt(s.fields["auth_date"], 10, 64)
	if !ok || err != nil || !number.MatchString(s.fields["auth_date"]) {
		return channel.Reject(channel.Mismatch), nil
	}
	switch age := w.now().Unix() - made; {
	case age < -int64(ahead.Seconds()):
		return channel.Reject(channel.Mismatch), nil
	case age > int64(w.cfg.MaxAge.Seconds()):
		return channel.Reject(channel.Expired), nil
	}
	return channel.Verdict{
		Outcome: channel.Verified, Ref: who.ID.String(), OnceKey: strings.ToLower(s.hash),
		Identity: &channel.Identity{Issuer: issuer, Username: who.Username, FirstName: who.First, LastName: who.Last, Locale: who.Language},
	}, nil
}

// person is somebody as Telegram knows them. The number is theirs for ever; the
// names are what they like.
type person struct {
	ID       json.Number `json:"id"`
	First    string      `json:"first_name"`
	Last     string      `json:"last_name"`
	Username string      `json:"username"`
	Language string      `json:"language_code"`
	Bot      bool        `json:"is_bot"`
}

// number is a number as Telegram writes them, of at most 52 bits.
var number = regexp.MustCompile(`^[1-9][0-9]{0,15}$`)

// person reads who signs in.
func (s signed) person() (person, bool) {
	p := person{
		ID: json.Number(s.fields["id"]), First: s.fields["first_name"], Last: s.fields["last_name"], Username: s.fields["username"],
	}
	if s.app {
		p = person{}
		if json.Unmarshal([]byte(s.fields["user"]), &p) != nil {
			return p, false
		}
	}
	return p, number.MatchString(p.ID.String()) && !p.Bot
}
