// Package twilioverify leaves codes to Twilio Verify, which makes, sends and
// checks them: we never hold one.
package twilioverify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
)

// Plugin is the channel.
func Plugin() channel.Plugin {
	d := descriptor()
	return channel.Define(d, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		return verifier{cfg, env}, nil
	})
}

func descriptor() channel.Descriptor {
	return channel.Descriptor{
		Type: "twilio_verify", Title: "Text message", Summary: "Has Twilio Verify make, send and check a code.",
		Address: channel.Phone, Form: channel.FormSMS, Factor: channel.Possession, MaxAAL: 2, AMR: []string{"sms"}, Costs: true,
	}
}

type verifier struct {
	cfg Config
	env channel.Env
}

// Describe is what the configured way makes of it.
func (v verifier) Describe() channel.Descriptor {
	d := descriptor()
	switch v.cfg.Via {
	case "call":
		d.Title, d.Form, d.AMR = "Phone call", channel.FormVoice, []string{"tel"}
	case "whatsapp":
		d.Title, d.Form, d.AMR = "WhatsApp", channel.FormChat, []string{"otp"}
	case "email":
		d.Title, d.Form, d.AMR = "E-mail", channel.FormEmail, []string{"otp"}
		d.Address, d.MaxAAL = channel.Email, 1
	}
	return d
}

// Preview asks for a code of the service's length.
func (v verifier) Preview(channel.Challenge) channel.Prompt {
	return channel.EnterCode(channel.Shape{Length: v.cfg.Length, Alphabet: channel.Digits})
}

// Begin has Twilio send a code. Twilio keeps one verification for an address, and
// gives it to whoever asks within ten minutes: its code would answer challenges of
// any purpose. So the first round ends what is pending and begins anew. Further
// rounds send the same code again.
func (v verifier) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if c.Round <= 1 {
		if err := v.end(ctx, c.Address); err != nil {
			return channel.Opening{}, err
		}
	}
	status, said, err := v.create(ctx, c)
	switch {
	case err != nil:
		return channel.Opening{}, err
	case status >= http.StatusBadRequest:
		return channel.Opening{}, explain(said.Code)
	case !sid("VE", said.SID):
		return channel.Opening{}, fmt.Errorf("%w: an answer that names no verification", channel.ErrUnavailable)
	}
	return channel.Opening{Prompt: v.Preview(c), State: channel.State(said.SID)}, nil
}

// create asks for a message, in the person's language if Twilio knows it.
func (v verifier) create(ctx context.Context, c channel.Challenge) (status int, said answer, err error) {
	form := url.Values{"To": {c.Address}, "Channel": {v.cfg.Via}}
	if l := locale(c.Locale); l != "" {
		form.Set("Locale", l)
		if status, said, err = v.ask(ctx, "/Verifications", form); err != nil || status != http.StatusNotFound {
			return status, said, err
		}
		form.Del("Locale") // which Twilio does not find; it chooses by the number
	}
	return v.ask(ctx, "/Verifications", form)
}

// end cancels what is pending for an address.
func (v verifier) end(ctx context.Context, address string) error {
	status, said, err := v.ask(ctx, "/Verifications/"+url.PathEscape(address), url.Values{"Status": {"canceled"}})
	switch {
	case err != nil:
		return err
	case status == http.StatusNotFound && said.Code == notFound: // nothing is pending
		return nil
	case status >= http.StatusBadRequest:
		return explain(said.Code)
	case said.Status == "":
		return fmt.Errorf("%w: an answer that is not Twilio's, HTTP status %d", channel.ErrUnavailable, status)
	}
	return nil
}

// Verify has Twilio check a code. What cannot be one is not asked about.
func (v verifier) Verify(ctx context.Context, _ channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	if !sid("VE", string(s)) {
		return channel.Verdict{}, errors.New("stored verification is unreadable")
	}
	if !v.looksLikeCode(r.Code) {
		return channel.Reject(channel.Mismatch), nil
	}
	status, said, err := v.ask(ctx, "/VerificationCheck", url.Values{"VerificationSid": {string(s)}, "Code": {r.Code}})
	switch {
	case err != nil:
		return channel.Verdict{}, err
	case status < http.StatusBadRequest:
		return judge(said)
	case status == http.StatusNotFound && said.Code == notFound, // expired, canceled or used
		said.Code == tooManyChecks: // no code will be right any more
		return channel.Reject(channel.Expired), nil
	}
	return channel.Verdict{}, explain(said.Code)
}

// judge reads the status of a verification after a check.
func judge(said answer) (channel.Verdict, error) {
	switch said.Status {
	case "approved":
		return channel.Verdict{Outcome: channel.Verified}, nil
	case "pending":
		return channel.Reject(channel.Mismatch), nil
	case "canceled", "expired", "deleted", "failed", "max_attempts_reached":
		return channel.Reject(channel.Expired), nil
	}
	return channel.Verdict{}, fmt.Errorf("%w: a verification in a state that we do not know", channel.ErrUnavailable)
}

func (v verifier) looksLikeCode(code string) bool {
	if len(code) != v.cfg.Length {
		return false
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}

// Probe signs in and looks at the service.
func (v verifier) Probe(ctx context.Context) error {
	status, said, err := v.ask(ctx, "", nil)
	switch {
	case err != nil:
		return err
	case status >= http.StatusBadRequest:
		return explain(said.Code)
	case said.SID != v.cfg.Service:
		return fmt.Errorf("%w: an answer that is not Twilio's, HTTP status %d", channel.ErrUnavailable, status)
	}
	return nil
}

// answer is what we read of Twilio's answers: of a verification, or of an error.
type answer struct {
	SID    string `json:"sid"`
	Status word   `json:"status"`
	Code   int    `json:"code"` // of a request that was refused
}

// word is a status; errors have a number there, which we take from HTTP.
type word string

// UnmarshalJSON takes texts, and leaves all else out.
func (w *word) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*w = word(text)
	}
	return nil
}

// ask makes one request about the service. One HTTP status stands for too many
// requests and for too many checks, another for a wrong password and for a
// landline: where Verify has a code of its own, the code decides.
func (v verifier) ask(ctx context.Context, path string, form url.Values) (status int, said answer, err error) {
	user, password := v.cfg.login()
	q := provider.Question{Method: http.MethodPost, URL: v.cfg.API + "/v2/Services/" + v.cfg.Service + path, Form: form, User: user, Password: password}
	if form == nil {
		q.Method = http.MethodGet
	}
	a, err := provider.Ask(ctx, v.env.HTTP, q)
	if err != nil {
		return 0, answer{}, err
	}
	unreadable := json.Unmarshal(a.Body, &said)
	switch {
	case a.Err != nil && said.Code < firstOfVerify:
		return 0, answer{}, a.Err
	case unreadable != nil:
		return 0, answer{}, fmt.Errorf("%w: an answer that is not Twilio's, HTTP status %d", channel.ErrUnavailable, a.Status)
	}
	return a.Status, said, nil
}

// Interfaces that the host looks for.
var (
	_ channel.Channel   = verifier{}
	_ channel.Previewer = verifier{}
	_ channel.Describer = verifier{}
	_ channel.Prober    = verifier{}
)
