// Package push lets people approve on their phone, after they have typed there the
// number that they see where they sign in.
package push

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
	"github.com/countersign/countersign/ports/signature"
)

// Plugin is the push channel.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "push", Title: "Approval on a phone", Summary: "Asks for a yes on the person's phone, and for the number that they see.",
		Factor: channel.Possession, MaxAAL: 2, AMR: []string{"swk"}, Costs: true,
	}, func() Config { return Config{} }, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		keys, err := signature.ParseKeys(cfg.Secret.Reveal())
		if err != nil {
			return nil, err
		}
		return bell{cfg.Gateway, keys, env}, nil
	})
}

const (
	nameBytes = 16 // of a phone
	keyBytes  = 32 // of a pairing key, and of the key that seals
)

type bell struct {
	gateway string
	keys    []signature.Key
	env     channel.Env
}

// phone is the credential, and while enrolling the state: one phone.
type phone struct {
	Name string `json:"name"` // ours for it, and its Ref
	Key  []byte `json:"key"`  // that it signs with, and that its questions are sealed with
	To   string `json:"to"`   // what the gateway calls it
}

// question is the state while authenticating.
type question struct {
	Number string `json:"number"` // that has to be typed on the phone
}

// Preview is the prompt, without what is shown.
func (b bell) Preview(channel.Challenge) channel.Prompt { return channel.Wait() }

// Begin shows what a phone scans to be paired. Later it asks that phone, and shows
// the number that has to be typed there. The number goes no other way: who has not
// asked does not know it, and who is asked out of the blue has nothing to type.
func (b bell) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	if c.Purpose == channel.Enroll {
		return b.pair(c)
	}
	p, err := read(c.Credential)
	if err != nil {
		return channel.Opening{}, err
	}
	number, err := b.number()
	if err != nil {
		return channel.Opening{}, err
	}
	state, err := json.Marshal(question{number})
	if err != nil {
		return channel.Opening{}, fmt.Errorf("keep the number: %w", err)
	}
	if err := b.ring(ctx, c, p); err != nil {
		return channel.Opening{}, err
	}
	return channel.Opening{Prompt: channel.Wait().Showing(number), State: state}, nil
}

// pair makes a key for a phone. The phone learns it from the screen, by eye.
func (b bell) pair(c channel.Challenge) (channel.Opening, error) {
	raw := make([]byte, nameBytes+keyBytes)
	if _, err := io.ReadFull(b.env.Random, raw); err != nil {
		return channel.Opening{}, fmt.Errorf("make a pairing key: %w", err)
	}
	p := phone{Name: base64.RawURLEncoding.EncodeToString(raw[:nameBytes]), Key: raw[nameBytes:]}
	state, err := json.Marshal(p)
	if err != nil {
		return channel.Opening{}, fmt.Errorf("keep the pairing key: %w", err)
	}
	scan := url.Values{
		"handle": {c.Handle}, "callback": {c.Callback}, "device": {p.Name}, "key": {p.secret()}, "issuer": {b.env.Brand}, "account": {c.Label},
	}
	return channel.Opening{Prompt: channel.Wait().Showing("countersign://pair?" + scan.Encode()), State: state}, nil
}

// secret is the pairing key as Standard Webhooks writes keys.
func (p phone) secret() string { return "whsec_" + base64.StdEncoding.EncodeToString(p.Key) }

// number draws two digits, each pair as likely as any other.
func (b bell) number() (string, error) {
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(b.env.Random, one); err != nil {
			return "", fmt.Errorf("draw a number: %w", err)
		}
		if one[0] < 200 {
			return fmt.Sprintf("%02d", one[0]%100), nil
		}
	}
}

// asked is what the phone reads. All of it is sealed on its way.
type asked struct {
	Handle   string    `json:"handle"`
	Callback string    `json:"callback"`
	Issuer   string    `json:"issuer"`
	Account  string    `json:"account,omitempty"`
	Detail   string    `json:"detail,omitempty"` // what is approved; to be shown word for word
	Locale   string    `json:"locale,omitempty"`
	Expires  time.Time `json:"expires_at"`
}

// notice is what the gateway reads: whom to wake, and nothing about what.
type notice struct {
	Type    string    `json:"type"`
	To      string    `json:"to"`
	Device  string    `json:"device"`
	Sealed  []byte    `json:"sealed"`
	Expires time.Time `json:"expires_at"`
}

// ring asks the gateway to wake the phone.
func (b bell) ring(ctx context.Context, c channel.Challenge, p phone) error {
	sealed, err := p.seal(b.env.Random, asked{
		Handle: c.Handle, Callback: c.Callback, Issuer: b.env.Brand, Account: c.Label, Detail: c.Detail, Locale: c.Locale, Expires: c.ExpiresAt,
	})
	if err != nil {
		return err
	}
	body, err := json.Marshal(notice{Type: "push.asked", To: p.To, Device: p.Name, Sealed: sealed, Expires: c.ExpiresAt})
	if err != nil {
		return fmt.Errorf("write to the gateway: %w", err)
	}
	id, err := messageID(b.env.Random)
	if err != nil {
		return err
	}
	a, err := provider.Ask(ctx, b.env.HTTP, provider.Question{
		Method: http.MethodPost, URL: b.gateway, JSON: body, Header: signature.Sign(b.keys, id, body, b.env.Now()),
	})
	switch {
	case err != nil:
		return err
	case a.Err != nil:
		return a.Err
	case a.Status == http.StatusNotFound || a.Status == http.StatusGone:
		return fmt.Errorf("%w: the gateway does not know the phone any more", channel.ErrUndeliverable)
	case a.Status >= http.StatusBadRequest:
		return fmt.Errorf("%w: HTTP status %d", channel.ErrRefused, a.Status)
	}
	var said struct{ ID string }
	if err := json.Unmarshal(a.Body, &said); err != nil || said.ID == "" {
		return fmt.Errorf("%w: the gateway does not say that it has taken the message", channel.ErrUnavailable)
	}
	return nil
}

// messageID names one request.
func messageID(random io.Reader) (string, error) {
	raw := make([]byte, nameBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("name a message: %w", err)
	}
	return "msg_" + base64.RawURLEncoding.EncodeToString(raw), nil
}

func read(stored []byte) (phone, error) {
	var p phone
	if err := json.Unmarshal(stored, &p); err != nil || p.Name == "" || len(p.Key) != keyBytes {
		return phone{}, errors.New("stored phone is unreadable")
	}
	return p, nil
}
