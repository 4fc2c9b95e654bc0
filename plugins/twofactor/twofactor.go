// Package twofactor sends codes through 2factor.in: ours, or codes that it makes
// and checks itself.
//
// Its API has the account's key, the number and the code in the path of GET
// requests. They are made by a client of our own, which no trace sees, and their
// URLs get into no error.
package twofactor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/dial"
	"github.com/countersign/countersign/ports/channel/provider"
)

// limit is how long one request may take.
const limit = 10 * time.Second

// Plugin is the channel.
func Plugin() channel.Plugin {
	return channel.Define(descriptor(), defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		a := account{cfg: cfg, client: dial.Client(limit, strings.HasPrefix(cfg.API, "http://"))} // which is for this machine only
		if cfg.Codes == "theirs" {
			return theirs{a}, nil
		}
		return ours{a, env.Codes}, nil
	})
}

func descriptor() channel.Descriptor {
	return channel.Descriptor{
		Type: "twofactor", Title: "Text message", Summary: "Sends a code by text message or call, through 2factor.in.",
		Address: channel.Phone, Form: channel.FormSMS, Factor: channel.Possession, MaxAAL: 2, AMR: []string{"sms"},
	}
}

// account asks 2factor.in.
type account struct {
	cfg    Config
	client *http.Client
}

// Describe is what the configuration makes of the channel.
func (a account) Describe() channel.Descriptor {
	d := descriptor()
	d.Costs = a.cfg.Codes == "theirs"
	if a.cfg.Via == "voice" {
		d.Title, d.Form, d.AMR = "Phone call", channel.FormVoice, []string{"tel"}
	}
	return d
}

// Close hangs up.
func (a account) Close(context.Context) error {
	a.client.CloseIdleConnections()
	return nil
}

// Probe asks for what is left of the account's messages.
func (a account) Probe(ctx context.Context) error {
	said, err := a.ask(ctx, "BAL", a.way())
	switch {
	case err != nil:
		return err
	case said.Status != success:
		return fmt.Errorf("%w: the account's balance is not told", channel.ErrRefused)
	case said.Details == "0":
		return fmt.Errorf("%w: no balance is left", channel.ErrRefused)
	}
	return nil
}

// send has a code sent: this one, or "AUTOGEN", which they make. It returns their
// name for it.
func (a account) send(ctx context.Context, address, code string) (session string, err error) {
	path := []string{a.way(), strings.TrimPrefix(address, "+"), code}
	if a.cfg.Template != "" {
		path = append(path, a.cfg.Template)
	}
	said, err := a.ask(ctx, path...)
	switch {
	case err != nil:
		return "", err
	case said.Status != success:
		return "", explain(said)
	case said.Details == "":
		return "", fmt.Errorf("%w: an answer that names no session", channel.ErrUnavailable)
	}
	return said.Details, nil
}

func (a account) way() string { return strings.ToUpper(a.cfg.Via) }

// success is the status of what worked, which says nothing about codes: one that
// has expired is a success too.
const success = "Success"

// answer is all that 2factor.in ever says.
type answer struct {
	Status  string
	Details string
}

// ask makes one request. Failures have HTTP status 400 and details.
func (a account) ask(ctx context.Context, path ...string) (answer, error) {
	at := a.cfg.API + "/" + a.cfg.Key.Reveal()
	for _, part := range path {
		at += "/" + url.PathEscape(part)
	}
	got, err := provider.Ask(ctx, a.client, provider.Question{Method: http.MethodGet, URL: at})
	if err != nil {
		return answer{}, err
	}
	if got.Err != nil {
		return answer{}, got.Err
	}
	var said answer
	if err := json.Unmarshal(got.Body, &said); err != nil || said.Status == "" {
		return answer{}, fmt.Errorf("%w: an answer that is not 2factor.in's, HTTP status %d", channel.ErrUnavailable, got.Status)
	}
	return said, nil
}

// explain puts the details of a failure to send into the core's words. They are
// prose that nobody promises, and may quote the number: what we do not know is
// the operator's business.
func explain(said answer) error {
	details := strings.ToLower(said.Details)
	switch {
	case strings.Contains(details, "invalid phone"), strings.Contains(details, "block"), strings.Contains(details, "dnd"):
		return fmt.Errorf("%w: 2factor.in takes the number for none, or for a blocked one", channel.ErrUndeliverable)
	case strings.Contains(details, "limit"), strings.Contains(details, "too many"):
		return &channel.ThrottledError{}
	case strings.Contains(details, "balance"), strings.Contains(details, "credit"):
		return fmt.Errorf("%w: no balance is left", channel.ErrRefused)
	case strings.Contains(details, "api key"):
		return fmt.Errorf("%w: the API key", channel.ErrRefused)
	}
	return fmt.Errorf("%w: for a reason that 2factor.in tells", channel.ErrRefused)
}
