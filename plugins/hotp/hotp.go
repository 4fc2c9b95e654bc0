// Package hotp verifies codes that a device counts through (RFC 4226): key fobs
// with a button, and authenticator apps that are set up so.
package hotp

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/countersign/countersign/ports/channel"
)

// secretBytes is 160 bits, what RFC 4226 section 4 recommends.
const secretBytes = 20

// Plugin is the HOTP channel.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "hotp", Title: "Code generator", Summary: "Checks the next code of a device that counts.",
		Factor: channel.Possession, MaxAAL: 2, AMR: []string{"otp"},
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		if cfg.Issuer == "" {
			cfg.Issuer = env.Brand
		}
		if plain(cfg.Issuer) == "" {
			return nil, errors.New("issuer: required, because the deployment has no brand name")
		}
		return fob{cfg, env}, nil
	})
}

type fob struct {
	cfg Config
	env channel.Env
}

// device is what we remember of a fob.
type device struct {
	Secret  string `json:"secret"`  // base 32 without padding
	Counter uint64 `json:"counter"` // of the next code that counts
}

// Begin shows a new secret while enrolling, and otherwise just asks.
func (f fob) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	prompt := channel.EnterCode(channel.Shape{Length: f.cfg.Digits, Alphabet: channel.Digits})
	if c.Purpose != channel.Enroll {
		return channel.Opening{Prompt: prompt}, nil
	}
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(f.env.Random, raw); err != nil {
		return channel.Opening{}, fmt.Errorf("make a secret: %w", err)
	}
	d := device{Secret: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)}
	state, err := json.Marshal(d)
	if err != nil {
		return channel.Opening{}, fmt.Errorf("keep the secret: %w", err)
	}
	return channel.Opening{Prompt: prompt.Showing(f.cfg.uri(d.Secret, c.Label)), State: state}, nil
}

// Verify compares the response with the next code and those that follow within
// the look-ahead. What was skipped is as good as used: the counter only goes
// forward. It takes as long whether or not one of them matches.
func (f fob) Verify(_ context.Context, c channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	known := []byte(c.Credential)
	if c.Purpose == channel.Enroll {
		known = s
	}
	var d device
	if err := json.Unmarshal(known, &d); err != nil || d.Secret == "" || d.Counter > math.MaxInt64 {
		return channel.Verdict{}, errors.New("stored code generator is unreadable")
	}
	if !f.cfg.looksLikeCode(r.Code) {
		return channel.Reject(channel.Mismatch), nil
	}
	at, ok, err := f.match(d, r.Code)
	if err != nil {
		return channel.Verdict{}, err
	}
	if !ok {
		return channel.Reject(channel.Mismatch), nil
	}
	next, err := json.Marshal(device{d.Secret, at + 1})
	if err != nil {
		return channel.Verdict{}, fmt.Errorf("keep the counter: %w", err)
	}
	return channel.Verdict{Outcome: channel.Verified, Credential: next}, nil
}

// match finds the first counter within the look-ahead that has this code.
func (f fob) match(d device, code string) (at uint64, ok bool, err error) {
	for n := d.Counter; n <= d.Counter+uint64(f.cfg.LookAhead); n++ { //nolint:gosec // at most a few
		want, err := hotp.GenerateCodeCustom(d.Secret, n, hotp.ValidateOpts{Digits: otp.Digits(f.cfg.Digits), Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, errors.New("stored secret is unusable")
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && !ok {
			at, ok = n, true
		}
	}
	return at, ok, nil
}
