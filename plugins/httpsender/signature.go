package httpsender

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio's signatures are HMAC-SHA1, which still holds
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	errUnsigned = errors.New("the signature does not hold")
	errStale    = errors.New("the signature is not fresh")
)

// judge says what is wrong with a report, if it does not come from whom it says.
// channel.ErrUnavailable means that nobody can tell now.
type judge func(ctx context.Context, r report) error

// verifier checks reports in the recipe's way. It is nil if the recipe has none,
// or the params that it needs are not set.
func (s *sender) verifier() (judge, error) {
	if s.recipe.Receipts == nil {
		return nil, nil
	}
	g := s.recipe.Receipts.Signature
	check, err := s.scheme(g)
	if _, unset := errors.AsType[missingError](err); unset || absent(err) {
		return nil, nil
	}
	if err != nil || g.Fresh == nil {
		return check, err
	}
	return func(ctx context.Context, r report) error {
		if err := check(ctx, r); err != nil {
			return err
		}
		return s.fresh(*g.Fresh, r)
	}, nil
}

func (s *sender) scheme(g signature) (judge, error) {
	switch {
	case g.Basic != nil:
		return s.basic(*g.Basic)
	case g.HMAC != nil:
		return s.hmac(*g.HMAC)
	case g.ECDSA != nil:
		return s.keyed(*g.ECDSA, func(key any, over, sig []byte) bool {
			k, ok := key.(*ecdsa.PublicKey)
			sum := sha256.Sum256(over)
			return ok && ecdsa.VerifyASN1(k, sum[:], sig)
		})
	case g.Ed25519 != nil:
		return s.keyed(*g.Ed25519, func(key any, over, sig []byte) bool {
			k, ok := key.(ed25519.PublicKey)
			return ok && ed25519.Verify(k, over, sig)
		})
	case g.SNS != nil:
		return s.sns(*g.SNS)
	default:
		return s.jwt(*g.JWT)
	}
}

// parts is the scope of a report's parts.
func parts(r report) scope {
	return scope{value: func(name string) (string, error) {
		switch kind, rest, _ := strings.Cut(name, "."); kind {
		case "body":
			return string(r.Body), nil
		case "url":
			return r.URL, nil
		case "form":
			return r.sorted(), nil
		case "header":
			return r.one(rest), nil
		default:
			return word(r.fields, rest), nil
		}
	}}
}

// sorted is a form's keys and values, one behind the other, in the order of keys.
func (r report) sorted() string {
	all, _ := r.fields.(map[string]any)
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		v, _ := all[key].(string)
		b.WriteString(key + v)
	}
	return b.String()
}

func (s *sender) basic(g basic) (judge, error) {
	user, err := g.Username.fill(s.settings())
	if err != nil {
		return nil, err
	}
	password, err := g.Password.fill(s.settings())
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, r report) error {
		u, p, ok := r.authorization()
		if same := subtle.ConstantTimeCompare([]byte(u), []byte(user)) & subtle.ConstantTimeCompare([]byte(p), []byte(password)); !ok || same != 1 {
			return errUnsigned
		}
		return nil
	}, nil
}

func (s *sender) hmac(g mac) (judge, error) {
	text, err := g.Key.fill(s.settings())
	if err != nil {
		return nil, err
	}
	key := []byte(text)
	if g.KeyEncoding == "whsec" { // https://www.standardwebhooks.com
		if key, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_")); err != nil || len(key) < 16 {
			return nil, errors.New("what signs the reports is not whsec_<base64>")
		}
	}
	algorithm := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New}[g.Hash]
	return func(_ context.Context, r report) error {
		over, err := g.Over.fill(parts(r))
		if err != nil {
			return errUnsigned
		}
		value, err := g.Value.fill(parts(r))
		if err != nil {
			return errUnsigned
		}
		h := hmac.New(algorithm, key)
		h.Write([]byte(over))
		for _, one := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' }) {
			if given, ok := strings.CutPrefix(one, g.Prefix); ok && hmac.Equal(unpack(g.Encoding, given), h.Sum(nil)) {
				return nil
			}
		}
		return errUnsigned
	}, nil
}

// unpack decodes a signature; nil, which equals none, if it is not well-formed.
func unpack(encoding, text string) []byte {
	decode := base64.StdEncoding.DecodeString
	if encoding == "hex" {
		decode = hex.DecodeString
	}
	raw, err := decode(text)
	if err != nil {
		return nil
	}
	return raw
}

// keyed checks with a public key: SubjectPublicKeyInfo in base64, as dashboards
// show it, or in PEM.
func (s *sender) keyed(g keyed, holds func(key any, over, sig []byte) bool) (judge, error) {
	text, err := g.Key.fill(s.settings())
	if err != nil {
		return nil, err
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the key that signs the reports is not base64")
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("the key that signs the reports is no public key")
	}
	return func(_ context.Context, r report) error {
		over, err := g.Over.fill(parts(r))
		if err != nil {
			return errUnsigned
		}
		value, err := g.Value.fill(parts(r))
		if err != nil || !holds(key, []byte(over), unpack("base64", value)) {
			return errUnsigned
		}
		return nil
	}, nil
}

// fresh refuses what was signed too long ago, or will be.
func (s *sender) fresh(g fresh, r report) error {
	text, err := g.Value.fill(parts(r))
	if err != nil {
		return errStale
	}
	at, err := strconv.ParseInt(text, 10, 48)
	if err != nil {
		return fmt.Errorf("%w: no time", errStale)
	}
	return s.recent(at, g.Within)
}

func (s *sender) recent(at int64, within time.Duration) error {
	if d := s.env.Now().Sub(time.Unix(at, 0)); d > within || d < -within {
		return errStale
	}
	return nil
}
