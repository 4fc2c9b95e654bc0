package telegrambot

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// secretHeader is how Telegram shows that an update is its own.
const secretHeader = "X-Telegram-Bot-Api-Secret-Token" //nolint:gosec // the name of a header

// update is what we look at of an update (core.telegram.org/bots/api#update).
type update struct {
	Message struct {
		Text string `json:"text"`
		Chat struct {
			ID   int64  `json:"id"`
			Type string `json:"type"`
		} `json:"chat"`
		From struct {
			ID  int64 `json:"id"`
			Bot bool  `json:"is_bot"`
		} `json:"from"`
	} `json:"message"`
}

// hello is how a bot is greeted through a link: its parameter is the handle.
var hello = regexp.MustCompile(`^/start ([A-Za-z0-9_-]{8,64})$`)

// Receive reads an update. Groups, other bots and small talk answer nothing.
func (b *bot) Receive(_ context.Context, in channel.Inbound) (string, channel.Response, error) {
	if !b.authentic(in.Header) {
		return "", channel.Response{}, channel.ErrForged
	}
	var u update
	if json.Unmarshal(in.Body, &u) != nil {
		return "", channel.Response{}, channel.ErrIrrelevant
	}
	m := u.Message
	greeted := hello.FindStringSubmatch(m.Text)
	if greeted == nil || m.Chat.Type != "private" || m.Chat.ID <= 0 || m.Chat.ID != m.From.ID || m.From.Bot {
		return "", channel.Response{}, channel.ErrIrrelevant
	}
	handle, chat := greeted[1], strconv.FormatInt(m.Chat.ID, 10)
	data, err := json.Marshal(greeting{Chat: chat, MAC: b.mac(handle, chat)})
	return handle, channel.Response{Data: data}, err
}

// authentic compares in constant time, whatever the length.
func (b *bot) authentic(header map[string][]string) bool {
	var got []string
	for name, values := range header {
		if strings.EqualFold(name, secretHeader) {
			got = append(got, values...)
		}
	}
	if len(got) != 1 {
		return false
	}
	mine, theirs := sha256.Sum256([]byte(b.cfg.WebhookSecret.Reveal())), sha256.Sum256([]byte(got[0]))
	return subtle.ConstantTimeCompare(mine[:], theirs[:]) == 1
}
