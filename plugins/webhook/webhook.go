// Package webhook hands messages to one URL of the operator, for those who send
// themselves.
package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
	"github.com/countersign/countersign/ports/signature"
)

// Plugin is the channel of whatever stands behind a URL. What kind of address it
// needs, its configuration says; see channel.Describer.
func Plugin() channel.Plugin {
	return channel.DefineSender(general(), defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Sender, error) {
		keys, err := signature.ParseKeys(cfg.Secret.Reveal())
		if err != nil {
			return nil, err
		}
		return hook{cfg, keys, env}, nil
	})
}

func general() channel.Descriptor {
	return channel.Descriptor{
		Type: "webhook", Title: "Message", Summary: "Hands messages to a URL of yours, which sends them.",
		Factor: channel.Possession, MaxAAL: 2, AMR: []string{"otp"},
	}
}

type hook struct {
	cfg  Config
	keys []signature.Key
	env  channel.Env
}

// Describe is what the configuration makes of it: a text message or a call says so,
// and what goes by e-mail lifts to level 1 only.
func (h hook) Describe() channel.Descriptor {
	d := general()
	d.Title, d.Address, d.Form = h.cfg.Title, channel.AddressKind(h.cfg.Address), channel.Form(h.cfg.Form)
	switch {
	case d.Address == channel.Email:
		d.MaxAAL = 1
	case d.Form == channel.FormVoice:
		d.AMR = []string{"tel"}
	case d.Address == channel.Phone && d.Form != channel.FormChat:
		d.AMR = []string{"sms"}
	}
	return d
}

// posted is the body. Type comes first, for those who take other webhooks of ours
// at the same URL.
type posted struct {
	Type    string `json:"type"`
	Channel string `json:"channel"`
	channel.Message
}

// mostID bounds what is kept of an answer, in bytes.
const mostID = 256

// Send posts one message. Its Webhook-Id is the same for every retry.
func (h hook) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	body, err := json.Marshal(posted{Type: "message.send", Channel: h.env.Instance, Message: m})
	if err != nil {
		return channel.Receipt{}, errors.New("write the message: it has no form in JSON") // the error may quote it
	}
	a, err := provider.Ask(ctx, h.env.HTTP, provider.Question{
		Method: http.MethodPost, URL: h.cfg.URL, JSON: body, Header: signature.Sign(h.keys, "msg_"+m.Key, body, h.env.Now()),
	})
	switch {
	case err != nil:
		return channel.Receipt{}, err
	case a.Err != nil:
		return channel.Receipt{}, a.Err
	case a.Status == http.StatusUnprocessableEntity:
		return channel.Receipt{}, fmt.Errorf("%w: HTTP status %d", channel.ErrUndeliverable, a.Status)
	case a.Status >= http.StatusBadRequest:
		return channel.Receipt{}, fmt.Errorf("%w: HTTP status %d", channel.ErrRefused, a.Status)
	}
	var r channel.Receipt // whoever wants to tell us more gives an id; nobody must
	if json.Unmarshal(a.Body, &r) != nil || len(r.ID) > mostID {
		r.ID = ""
	}
	return r, nil
}
