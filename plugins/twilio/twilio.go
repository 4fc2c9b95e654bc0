// Package twilio sends text messages through Twilio's Programmable Messaging, and
// hears what became of them.
package twilio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
)

// Plugin is the channel.
func Plugin() channel.Plugin {
	return channel.DefineSender(channel.Descriptor{
		Type: "twilio", Title: "Text message", Summary: "Sends a code by text message, through Twilio.",
		Address: channel.Phone, Form: channel.FormSMS, Factor: channel.Possession, MaxAAL: 2, AMR: []string{"sms"},
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Sender, error) {
		s := sender{cfg: cfg, env: env, callback: cfg.Callback}
		if s.callback == "" && !cfg.Token.IsZero() {
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

// answer is what we read of Twilio's answers: of a message, or of an error.
type answer struct {
	SID       string          `json:"sid"`
	Status    json.RawMessage `json:"status"`     // a word, or in errors the HTTP status
	ErrorCode int             `json:"error_code"` // of a message that was taken and failed
	Code      int             `json:"code"`       // of a request that was refused
}

func (a answer) is(status string) bool { return string(a.Status) == `"`+status+`"` }

// Send hands one message to Twilio. Twilio knows no idempotency key: after a
// time-out nobody can tell whether a message was taken, and it is sent again.
func (s sender) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	form := url.Values{"To": {m.To}, "Body": {m.Text}}
	if s.cfg.Service != "" {
		form.Set("MessagingServiceSid", s.cfg.Service)
	} else {
		form.Set("From", s.cfg.From)
	}
	if s.callback != "" {
		form.Set("StatusCallback", s.callback)
	}
	said, err := s.ask(ctx, http.MethodPost, "/Messages.json", form)
	switch {
	case err != nil:
		return channel.Receipt{}, err
	case said.ErrorCode != 0, said.is("failed"), said.is("undelivered"):
		return channel.Receipt{}, explain(said.ErrorCode)
	case said.SID == "":
		return channel.Receipt{}, fmt.Errorf("%w: an answer that names no message", channel.ErrUnavailable)
	}
	return channel.Receipt{ID: said.SID}, nil
}

// Probe signs in and looks at the account.
func (s sender) Probe(ctx context.Context) error {
	said, err := s.ask(ctx, http.MethodGet, ".json", nil)
	switch {
	case err != nil:
		return err
	case !said.is("active"):
		return fmt.Errorf("%w: the account is not active", channel.ErrRefused)
	}
	return nil
}

// ask makes one request about the account.
func (s sender) ask(ctx context.Context, method, path string, form url.Values) (answer, error) {
	user, password := s.cfg.login()
	a, err := provider.Ask(ctx, s.env.HTTP, provider.Question{
		Method: method, URL: s.cfg.API + "/2010-04-01/Accounts/" + s.cfg.Account + path, Form: form, User: user, Password: password,
	})
	if err != nil {
		return answer{}, err
	}
	if a.Err != nil {
		return answer{}, a.Err
	}
	var said answer
	if err := json.Unmarshal(a.Body, &said); err != nil {
		return answer{}, fmt.Errorf("%w: an answer that is not Twilio's, HTTP status %d", channel.ErrUnavailable, a.Status)
	}
	if a.Status >= http.StatusBadRequest {
		return answer{}, explain(said.Code)
	}
	return said, nil
}

// Interfaces that the host looks for.
var (
	_ channel.Sender  = sender{}
	_ channel.Prober  = sender{}
	_ channel.Tracker = sender{}
)
