package telegramgateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// longestAnswer is how much of an answer is read, in bytes.
const longestAnswer = 64 << 10

type gateway struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
}

// request is what sendVerificationMessage takes (core.telegram.org/gateway/api).
type request struct {
	Phone    string `json:"phone_number"`
	Code     string `json:"code"`
	TTL      int    `json:"ttl"`
	Sender   string `json:"sender_username,omitempty"`
	Callback string `json:"callback_url,omitempty"`
}

// answer is what the Gateway says.
type answer struct {
	OK     bool   `json:"ok"`
	Error  string `json:"error"`
	Result struct {
		ID string `json:"request_id"`
	} `json:"result"`
}

// codeShape is what the Gateway can show.
var codeShape = regexp.MustCompile(`^[0-9]{4,8}$`)

// Send hands over the code. The text around it is Telegram's.
func (g *gateway) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	if !codeShape.MatchString(m.Code) {
		return channel.Receipt{}, fmt.Errorf("%w: the Gateway shows codes of 4 to 8 digits only", channel.ErrRefused)
	}
	a, err := g.call(ctx, "sendVerificationMessage", request{
		Phone: m.To, Code: m.Code, TTL: int(g.cfg.TTL.Seconds()), Sender: g.cfg.Sender, Callback: g.cfg.CallbackURL,
	})
	if err != nil {
		return channel.Receipt{}, fmt.Errorf("send: %w", err)
	}
	return channel.Receipt{ID: a.Result.ID}, nil
}

// call calls a method. Its errors show nothing that the Gateway writes.
func (g *gateway) call(ctx context.Context, method string, body any) (answer, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(g.cfg.API, "/")+"/"+method, bytes.NewReader(raw))
	if err != nil {
		return answer{}, fmt.Errorf("%w: there is no such URL", channel.ErrRefused)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+g.cfg.Token.Reveal())
	resp, err := g.client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return answer{}, fmt.Errorf("%w: %w", channel.ErrUnavailable, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is of no use
	if err := channel.StatusError(resp); err != nil {
		return answer{}, err
	}
	var a answer
	text, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	switch {
	case err != nil || json.Unmarshal(text, &a) != nil:
		return answer{}, fmt.Errorf("%w: the answer is not what it should be", channel.ErrUnavailable)
	case a.OK && a.Result.ID != "":
		return a, nil
	}
	return answer{}, trouble(a.Error)
}

// trouble understands the Gateway's words.
func trouble(said string) error {
	if rest, ok := strings.CutPrefix(said, "FLOOD_WAIT_"); ok {
		seconds, err := strconv.ParseUint(rest, 10, 16)
		if err != nil {
			seconds = 0
		}
		return &channel.ThrottledError{After: time.Duration(seconds) * time.Second}
	}
	switch {
	case strings.HasPrefix(said, "PHONE_NUMBER_"): // not a number, or nobody's at Telegram
		return fmt.Errorf("%w: Telegram knows nobody of this number", channel.ErrUndeliverable)
	case strings.HasPrefix(said, "ACCESS_TOKEN_"), strings.HasPrefix(said, "BALANCE_"), strings.HasPrefix(said, "SENDER_"),
		strings.HasPrefix(said, "CODE_"), strings.HasPrefix(said, "TTL_"), strings.HasPrefix(said, "CALLBACK_URL_"):
		word, _, _ := strings.Cut(said, "_")
		return fmt.Errorf("%w: it does not like our %s", channel.ErrRefused, strings.ToLower(word))
	}
	return fmt.Errorf("%w: the Gateway did not take the code", channel.ErrUnavailable)
}
