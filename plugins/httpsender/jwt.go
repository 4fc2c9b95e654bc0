package httpsender

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// jwt checks a token whose payload_hash is the body's SHA-256 (RFC 7515, HS256),
// and whose url_hash the address's, if the recipe wants that.
func (s *sender) jwt(g jwtHS256) (judge, error) {
	key, err := g.Key.fill(s.settings())
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, r report) error {
		token, ok := r.one(g.Header), true
		if g.Header == "" {
			token, ok = strings.CutPrefix(r.one("Authorization"), "Bearer ")
		}
		parts := strings.Split(token, ".")
		if !ok || len(parts) != 3 {
			return errUnsigned
		}
		given, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || subtle.ConstantTimeCompare(given, mac256([]byte(key), parts[0]+"."+parts[1])) != 1 {
			return errUnsigned
		}
		c, ok := readClaims(parts)
		if !ok || !c.cover(g, r.Inbound) {
			return errUnsigned
		}
		return s.timely(c)
	}, nil
}

// leeway is how far clocks may be apart.
const leeway = 5 * time.Minute

// claims are what a token says, in seconds since 1970 where it is about times.
type claims struct {
	Alg     string `json:"-"`
	Iss     string `json:"iss"`
	Iat     int64  `json:"iat"`
	Nbf     int64  `json:"nbf"`
	Exp     int64  `json:"exp"`
	Payload string `json:"payload_hash"`
	URL     string `json:"url_hash"`
}

func readClaims(parts []string) (c claims, ok bool) {
	var head struct {
		Alg string `json:"alg"`
	}
	for i, into := range []any{&head, &c} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return c, false
		}
	}
	c.Alg = head.Alg
	return c, true
}

// cover reports whether the token is about this request. A request without a
// body may have a token without its hash.
func (c claims) cover(g jwtHS256, in channel.Inbound) bool {
	if c.Alg != "HS256" || g.Issuer != "" && c.Iss != g.Issuer || g.URL && !hashes(c.URL, []byte(in.URL)) {
		return false
	}
	return g.URL && len(in.Body) == 0 && c.Payload == "" || hashes(c.Payload, in.Body)
}

func hashes(claimed string, of []byte) bool {
	sum := sha256.Sum256(of)
	return subtle.ConstantTimeCompare([]byte(strings.ToLower(claimed)), []byte(hex.EncodeToString(sum[:]))) == 1
}

// timely refuses tokens of other times. Where no end is given it is soon after
// they were made.
func (s *sender) timely(c claims) error {
	if c.Exp != 0 && s.env.Now().After(time.Unix(c.Exp, 0).Add(leeway)) {
		return errStale
	}
	return s.recent(cmp.Or(c.Iat, c.Nbf), leeway)
}
