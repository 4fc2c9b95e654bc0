package telegrambot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// longestAnswer is how much of an answer is read, in bytes.
const longestAnswer = 64 << 10

type bot struct {
	cfg    Config
	env    channel.Env
	client *http.Client
}

// calm is a client that follows no redirects: the token is in the URL.
func calm(c *http.Client) *http.Client {
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// answer is what the Bot API says.
type answer struct {
	OK          bool   `json:"ok"`
	Code        int    `json:"error_code"`
	Description string `json:"description"`
	Parameters  struct {
		RetryAfter int `json:"retry_after"`
	} `json:"parameters"`
	Result struct {
		MessageID int64 `json:"message_id"`
	} `json:"result"`
}

// Send writes to the chat. Telegram is asked not to let the message be forwarded.
func (b *bot) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	a, err := b.call(ctx, "sendMessage", map[string]any{
		"chat_id": m.To, "text": m.Text, "protect_content": true, "link_preview_options": map[string]bool{"is_disabled": true},
	})
	if err != nil {
		return channel.Receipt{}, fmt.Errorf("send: %w", err)
	}
	return channel.Receipt{ID: strconv.FormatInt(a.Result.MessageID, 10)}, nil
}

// Probe asks whether Telegram knows the bot.
func (b *bot) Probe(ctx context.Context) error {
	_, err := b.call(ctx, "getMe", map[string]any{})
	return err
}

// call calls a method of the Bot API. Its errors do not show the URL, in which the
// token is, nor what Telegram writes.
func (b *bot) call(ctx context.Context, method string, body any) (answer, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	target := strings.TrimSuffix(b.cfg.API, "/") + "/bot" + b.cfg.BotToken.Reveal() + "/" + method
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(raw))
	if err != nil {
		return answer{}, fmt.Errorf("%w: there is no such URL", channel.ErrRefused)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return answer{}, fmt.Errorf("%w: %w", channel.ErrUnavailable, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is of no use
	var a answer
	text, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	if err != nil || json.Unmarshal(text, &a) != nil {
		a = answer{}
	}
	return a, a.err(resp)
}

// gone is what Telegram says of chats that will not come back.
var gone = []string{"chat not found", "user not found", "PEER_ID_INVALID", "bot was blocked by the user", "user is deactivated", "bot can't initiate conversation"}

// err says what is wrong. Telegram answers 403 for people who do not want to hear
// from the bot any more, and 404 for tokens that it does not know.
func (a answer) err(resp *http.Response) error {
	switch code := resp.StatusCode; {
	case a.OK && code == http.StatusOK:
		return nil
	case code == http.StatusTooManyRequests && a.Parameters.RetryAfter > 0:
		return &channel.ThrottledError{After: time.Duration(a.Parameters.RetryAfter) * time.Second}
	case code == http.StatusBadRequest || code == http.StatusForbidden:
		for _, words := range gone {
			if strings.Contains(a.Description, words) {
				return fmt.Errorf("%w: the chat is gone", channel.ErrUndeliverable)
			}
		}
		return fmt.Errorf("%w: HTTP status %d", channel.ErrRefused, code)
	case code == http.StatusNotFound:
		return fmt.Errorf("%w: the token is unknown", channel.ErrRefused)
	}
	if err := channel.StatusError(resp); err != nil {
		return err
	}
	return fmt.Errorf("%w: the answer is not what it should be", channel.ErrUnavailable)
}
