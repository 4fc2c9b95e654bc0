// Package vonage sends text messages through Vonage's SMS API, and hears what
// became of them.
package vonage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
)

// Plugin is the channel.
func Plugin() channel.Plugin {
	return channel.DefineSender(channel.Descriptor{
		Type: "vonage", Title: "Text message", Summary: "Sends a code by text message, through Vonage.",
		Address: channel.Phone, Form: channel.FormSMS, Factor: channel.Possession, MaxAAL: 2, AMR: []string{"sms"},
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Sender, error) {
		s := sender{cfg: cfg, env: env, callback: cfg.Callback}
		if s.callback == "" && !cfg.SignatureSecret.IsZero() {
			s.callback = env.Receipts
		}
		return s, nil
	})
}

type sender struct {
	cfg      Config
	env      channel.Env
	callback string // "" asks for no reports
}

// answer is what Vonage says, also of failures: with HTTP status 200, one entry
// for each part of a message that was too long for one.
type answer struct {
	Messages []struct {
		ID     string `json:"message-id"`
		Status string `json:"status"` // a number; 0 is success
	} `json:"messages"`
}

// Send hands one message to Vonage, which knows no idempotency key. Of a message
// in several parts, the first one's name is the receipt.
func (s sender) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	form := url.Values{
		"api_key": {s.cfg.Account}, "api_secret": {s.cfg.Secret.Reveal()}, "from": {strings.TrimPrefix(s.cfg.From, "+")},
		"to": {strings.TrimPrefix(m.To, "+")}, "text": {m.Text}, "client-ref": {m.Key},
	}
	if !gsm(m.Text) {
		form.Set("type", "unicode")
	}
	if s.callback != "" {
		form.Set("status-report-req", "1")
		form.Set("callback", s.callback)
	}
	a, err := provider.Ask(ctx, s.env.HTTP, provider.Question{Method: http.MethodPost, URL: s.cfg.API + "/sms/json", Form: form})
	switch {
	case err != nil:
		return channel.Receipt{}, err
	case a.Err != nil:
		return channel.Receipt{}, a.Err
	}
	return read(a)
}

func read(a provider.Answer) (channel.Receipt, error) {
	var said answer
	if err := json.Unmarshal(a.Body, &said); err != nil || len(said.Messages) == 0 {
		return channel.Receipt{}, fmt.Errorf("%w: an answer that is not Vonage's, HTTP status %d", channel.ErrUnavailable, a.Status)
	}
	for _, part := range said.Messages {
		if part.Status != "0" {
			return channel.Receipt{}, explain(part.Status)
		}
	}
	if said.Messages[0].ID == "" {
		return channel.Receipt{}, fmt.Errorf("%w: an answer that names no message", channel.ErrUnavailable)
	}
	return channel.Receipt{ID: said.Messages[0].ID}, nil
}

// Probe asks for the account's balance.
func (s sender) Probe(ctx context.Context) error {
	q := url.Values{"api_key": {s.cfg.Account}, "api_secret": {s.cfg.Secret.Reveal()}}
	a, err := provider.Ask(ctx, s.env.HTTP, provider.Question{Method: http.MethodGet, URL: s.cfg.API + "/account/get-balance?" + q.Encode()})
	switch {
	case err != nil:
		return err
	case a.Err != nil:
		return a.Err
	}
	var said struct {
		Value *json.Number `json:"value"`
	}
	if err := json.Unmarshal(a.Body, &said); err != nil || said.Value == nil {
		return fmt.Errorf("%w: an answer that is not Vonage's, HTTP status %d", channel.ErrUnavailable, a.Status)
	}
	if left, err := said.Value.Float64(); err == nil && left <= 0 {
		return fmt.Errorf("%w: no balance is left", channel.ErrRefused)
	}
	return nil
}

// gsm reports whether a text can be sent in the alphabet that phones have
// (3GPP TS 23.038), of which we count the part that all of them have. Any other
// text goes as Unicode, in which fewer characters fit.
func gsm(text string) bool {
	const more = "\n\r£¥èéùìòÇØøÅåÆæßÉ¡ÄÖÑÜ§¿äöñüà€"
	for _, r := range text {
		plain := r >= ' ' && r <= '~' && r != '`'
		if !plain && !strings.ContainsRune(more, r) {
			return false
		}
	}
	return true
}

// explain puts a status of the SMS API (https://developer.vonage.com/api-errors/sms)
// into the core's words.
func explain(status string) error {
	code, err := strconv.Atoi(status)
	if err != nil {
		return fmt.Errorf("%w: an answer that is not Vonage's", channel.ErrUnavailable)
	}
	switch code {
	case 1, 10: // too fast, too many connections
		return &channel.ThrottledError{}
	case 6, 7, 33: // no such prefix, barred, deactivated
		return fmt.Errorf("%w: Vonage status %d", channel.ErrUndeliverable, code)
	case 5, 13: // internal error, no connection
		return fmt.Errorf("%w: Vonage status %d", channel.ErrUnavailable, code)
	}
	// All else is about us: credentials, quota, parameters, the sender.
	return fmt.Errorf("%w: Vonage status %d", channel.ErrRefused, code)
}

// Interfaces that the host looks for.
var (
	_ channel.Sender  = sender{}
	_ channel.Prober  = sender{}
	_ channel.Tracker = sender{}
)
