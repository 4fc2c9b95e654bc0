// Package remote is a channel that runs elsewhere, in any language, and is spoken
// to by signed HTTP. Both halves are here: Plugin asks, and Handler answers for a
// channel that is written in Go. README.md beside this file is the protocol.
package remote

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/signature"
)

// Plugin is every channel that runs elsewhere. What it is there, its configuration
// says; see channel.Describer.
func Plugin() channel.Plugin { return channel.Define(general(), defaults, open) }

// general is what a remote channel may be at most.
func general() channel.Descriptor {
	return channel.Descriptor{
		Type: "remote", Title: "Remote", Summary: "Asks a service of yours that is spoken to by signed HTTP.",
		Factor: channel.Possession, MaxAAL: 2, AMR: []string{"otp"}, Identify: true,
	}
}

func open(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
	keys, err := signature.ParseKeys(cfg.Secret.Reveal())
	if err != nil {
		return nil, err
	}
	l := line{cfg: cfg, keys: keys, env: env}
	if cfg.Sends {
		return sender{l}, nil
	}
	return far{l}, nil
}

// What is sent and taken is bounded, in bytes.
const (
	mostCode  = 1 << 10
	mostData  = 64 << 10
	mostState = 16 << 10 // of State and of Credential
	mostShown = 16 << 10 // of a prompt
	mostRef   = 256
)

// Bodies of the requests: /begin is sent a channel.Challenge and gives a
// channel.Opening, /send a channel.Message and a channel.Receipt.
type verification struct {
	Challenge channel.Challenge `json:"challenge"`
	State     channel.State     `json:"state,omitempty"`
	Response  channel.Response  `json:"response"`
}

// far is a channel of its own elsewhere.
type far struct{ line }

// Describe is what the configuration makes of it.
func (f far) Describe() channel.Descriptor { return f.cfg.descriptor() }

// Begin asks the other side. It may not ask for codes of ours, which it could not
// compare: that is what sends is for.
func (f far) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	var o channel.Opening
	if err := f.ask(ctx, "/begin", c, &o); err != nil {
		return channel.Opening{}, err
	}
	if o.Deliver || !showable(o.Prompt) || len(o.State) > mostState || len(o.Credential) > mostState || o.Credential != nil && c.Purpose != channel.Enroll {
		return channel.Opening{}, fmt.Errorf("%w: what the remote channel opens a challenge with will not do", channel.ErrRefused)
	}
	return o, nil
}

// showable reports whether user interfaces could make something of a prompt.
func showable(p channel.Prompt) bool {
	n := len(p.URL) + len(p.API) + len(p.Options)
	for _, s := range p.Show {
		n += len(s)
	}
	switch p.Kind {
	case channel.KindEnterCode:
		return n <= mostShown && p.Length > 0 && p.Length <= mostCode && p.Alphabet.Characters() != ""
	case channel.KindRedirect:
		return n <= mostShown && len(p.URL) > 8 && p.URL[:8] == "https://"
	case channel.KindCallBrowser:
		return n <= mostShown && p.API != ""
	case channel.KindWait:
		return n <= mostShown
	}
	return false
}

// Verify asks the other side for its judgement, and takes from it what the
// configuration lets it say.
func (f far) Verify(ctx context.Context, c channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	if len(r.Code) > mostCode || len(r.Data) > mostData || r.Data != nil && !json.Valid(r.Data) {
		return channel.Reject(channel.Mismatch), nil
	}
	var v channel.Verdict
	if err := f.ask(ctx, "/verify", verification{c, s, r}, &v); err != nil {
		return channel.Verdict{}, err
	}
	if len(v.State) > mostState || len(v.Credential) > mostState || len(v.Ref) > mostRef || len(v.OnceKey) > mostRef {
		return channel.Verdict{}, fmt.Errorf("%w: the remote channel's verdict is too long", channel.ErrRefused)
	}
	switch v.Outcome {
	case channel.Verified:
		v.AMR, v.Reason, v.State = nil, "", nil // what it stands for, we have decided
		if !f.cfg.Identify {
			v.Identity = nil
		}
		return v, nil
	case channel.Pending:
		return channel.Verdict{Outcome: channel.Pending, State: v.State}, nil
	case channel.Rejected:
		switch v.Reason {
		case channel.Expired, channel.Replayed, channel.Denied, channel.Mismatch:
			return channel.Reject(v.Reason), nil
		}
		return channel.Reject(channel.Mismatch), nil
	}
	return channel.Verdict{}, fmt.Errorf("%w: the remote channel gives no verdict", channel.ErrRefused)
}

// sender is what only delivers elsewhere: codes are made and compared here.
type sender struct{ line }

// Describe is what the configuration makes of it.
func (s sender) Describe() channel.Descriptor { return s.cfg.descriptor() }

// Begin asks for a code of ours to be sent.
func (s sender) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	return channel.Opening{Prompt: channel.EnterCode(s.env.Codes.Shape(c)), Deliver: true}, nil
}

// Verify compares with the code that was sent.
func (s sender) Verify(_ context.Context, c channel.Challenge, _ channel.State, r channel.Response) (channel.Verdict, error) {
	if !s.env.Codes.Match(c, r.Code) {
		return channel.Reject(channel.Mismatch), nil
	}
	return channel.Verdict{Outcome: channel.Verified}, nil
}

// Send has one message delivered.
func (s sender) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	var r channel.Receipt
	if err := s.ask(ctx, "/send", m, &r); err != nil {
		return channel.Receipt{}, err
	}
	if len(r.ID) > mostRef {
		r.ID = ""
	}
	return r, nil
}
