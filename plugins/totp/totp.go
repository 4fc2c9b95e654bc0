// Package totp verifies codes from authenticator apps (RFC 6238).
package totp

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/countersign/countersign/ports/channel"
)

// secretBytes is 160 bits, what RFC 4226 section 4 recommends.
const secretBytes = 20

// Plugin is the TOTP channel.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "totp", Title: "Authenticator app", Summary: "Checks a code that an app computes.",
		Factor: channel.Possession, MaxAAL: 2, AMR: []string{"otp"},
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		if cfg.Issuer == "" {
			cfg.Issuer = env.Brand
		}
		if plain(cfg.Issuer) == "" {
			return nil, errors.New("issuer: required, because the deployment has no brand name")
		}
		return app{cfg, env}, nil
	})
}

type app struct {
	cfg Config
	env channel.Env
}

// device is what we remember of an authenticator.
type device struct {
	Secret string `json:"secret"` // base 32 without padding
	Step   int64  `json:"step"`   // the last step that was used; only later ones count
}

// Secrets that come from elsewhere may be shorter than ours, but not so short that
// they could be guessed: 80 bits is what many apps were set up with.
const (
	leastImported = 10
	mostImported  = 64
)

// Import takes the secret of an app that was set up elsewhere, with the same
// number of digits, hash and period.
func (a app) Import(secret []byte) (channel.Credential, error) {
	if len(secret) < leastImported || len(secret) > mostImported {
		return nil, fmt.Errorf("a secret has %d to %d bytes, not %d", leastImported, mostImported, len(secret))
	}
	credential, err := json.Marshal(device{Secret: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)})
	if err != nil {
		return nil, fmt.Errorf("keep the secret: %w", err)
	}
	return credential, nil
}

// Begin shows a new secret while enrolling, and otherwise just asks.
func (a app) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	prompt := channel.EnterCode(channel.Shape{Length: a.cfg.Digits, Alphabet: channel.Digits})
	if c.Purpose != channel.Enroll {
		return channel.Opening{Prompt: prompt}, nil
	}
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(a.env.Random, raw); err != nil {
		return channel.Opening{}, fmt.Errorf("make a secret: %w", err)
	}
	d := device{Secret: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)}
	state, err := json.Marshal(d)
	if err != nil {
		return channel.Opening{}, fmt.Errorf("keep the secret: %w", err)
	}
	return channel.Opening{Prompt: prompt.Showing(a.cfg.uri(d.Secret, c.Label)), State: state}, nil
}

// Verify compares the response with the code of every step in the window, and
// takes as long whether or not one of them matches.
func (a app) Verify(_ context.Context, c channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	known := []byte(c.Credential)
	if c.Purpose == channel.Enroll {
		known = s
	}
	var d device
	if err := json.Unmarshal(known, &d); err != nil || d.Secret == "" {
		return channel.Verdict{}, errors.New("stored authenticator is unreadable")
	}
	if !a.cfg.looksLikeCode(r.Code) {
		return channel.Reject(channel.Mismatch), nil
	}
	step, err := a.match(d.Secret, r.Code)
	switch {
	case err != nil:
		return channel.Verdict{}, err
	case step < 0:
		return channel.Reject(channel.Mismatch), nil
	case step <= d.Step:
		return channel.Reject(channel.Replayed), nil
	}
	next, err := json.Marshal(device{d.Secret, step})
	if err != nil {
		return channel.Verdict{}, fmt.Errorf("keep the step: %w", err)
	}
	return channel.Verdict{Outcome: channel.Verified, Credential: next}, nil
}

// match finds the latest step in the window that has this code, or -1.
func (a app) match(secret, code string) (int64, error) {
	found := int64(-1)
	now := a.env.Now().Unix() / int64(a.cfg.Period.Seconds())
	for step := max(0, now-int64(a.cfg.Skew)); step <= now+int64(a.cfg.Skew); step++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{
			Digits: otp.Digits(a.cfg.Digits), Algorithm: a.cfg.algorithm(),
		})
		if err != nil {
			return -1, errors.New("stored secret is unusable")
		}
		same := int64(subtle.ConstantTimeCompare([]byte(want), []byte(code)))
		found += same * (step - found)
	}
	return found, nil
}
