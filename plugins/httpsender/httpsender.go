// Package httpsender sends codes through any HTTP gateway. How a gateway is
// spoken to is data, a recipe: see README.md beside this file.
package httpsender

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/dial"
)

const pluginType = "httpsender"

// Plugin is the channel of every gateway that has a recipe. What kind of address
// it needs is the recipe's to say; see channel.Describer.
func Plugin() channel.Plugin {
	return channel.DefineSender(channel.Descriptor{
		Type: pluginType, Title: "HTTP gateway", Summary: "Sends a code through a gateway for e-mail, text messages, calls or chats.",
		Factor: channel.Possession, MaxAAL: 2, AMR: []string{"otp"},
	}, defaults, open)
}

func open(_ context.Context, cfg Config, env channel.Env) (channel.Sender, error) {
	r, err := cfg.recipe()
	if err != nil {
		return nil, err
	}
	values, err := cfg.values(r)
	if err != nil {
		return nil, err
	}
	s := &sender{recipe: r, params: values, cfg: cfg, env: env}
	if s.endpoint, err = s.locate(); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if s.sign, err = s.signer(); err != nil {
		return nil, err
	}
	s.client = dial.Client(cfg.Timeout, cfg.AllowPrivate)
	if s.judge, err = s.verifier(); err != nil {
		return nil, err
	}
	if r.Receipts == nil {
		return s, nil
	}
	return &tracked{s}, nil
}

// sender speaks with one gateway.
type sender struct {
	recipe   *recipe
	params   map[string]string
	cfg      Config
	env      channel.Env
	endpoint *url.URL
	client   *http.Client
	sign     func(r *http.Request, body []byte) error // shows who we are
	judge    judge                                    // says whether a report is authentic; nil if nobody can
}

// locate is where the gateway is.
func (s *sender) locate() (*url.URL, error) {
	at := s.cfg.Endpoint
	if at == "" {
		var err error
		if at, err = s.recipe.Endpoint.fill(s.settings()); err != nil {
			return nil, err
		}
	}
	return checkEndpoint(strings.TrimSuffix(at, "/"), s.cfg.AllowPrivate)
}

// settings is the scope of the recipe's params.
func (s *sender) settings() scope {
	return scope{value: func(name string) (string, error) { return s.params[name], nil }, tables: s.recipe.Tables}
}

// message is the scope of one message.
func (s *sender) message(m channel.Message) scope {
	values := map[string]string{
		"to": m.To, "text": m.Text, "html": m.HTML, "subject": m.Subject, "code": m.Code, "link": m.Link,
		"locale": m.Locale, "key": m.Key, "brand": s.env.Brand, "receipts_url": s.env.Receipts,
	}
	return scope{value: func(name string) (string, error) {
		if v, ok := values[name]; ok {
			return v, nil
		}
		return s.params[name], nil
	}, tables: s.recipe.Tables}
}

// Describe says what the recipe makes of the channel.
func (s *sender) Describe() channel.Descriptor { return s.recipe.descriptor() }

// Send makes the request of the recipe, and sorts the answer by it.
func (s *sender) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	if err := s.acceptable(m); err != nil {
		return channel.Receipt{}, err
	}
	r, err := s.request(ctx, m)
	if err != nil {
		return channel.Receipt{}, err
	}
	a, err := s.do(ctx, r)
	if err != nil {
		return channel.Receipt{}, err
	}
	return s.sort(a)
}

// Close hangs up on the gateway.
func (s *sender) Close(context.Context) error {
	s.client.CloseIdleConnections()
	return nil
}

// Interfaces that the host looks for.
var (
	_ channel.Sender    = (*sender)(nil)
	_ channel.Describer = (*sender)(nil)
	_ channel.Closer    = (*sender)(nil)
	_ channel.Tracker   = (*tracked)(nil)
)
