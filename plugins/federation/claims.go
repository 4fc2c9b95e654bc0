package federation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/countersign/countersign/ports/channel"
)

// Claims are what a provider says about a person, after its signature was found
// to be right. What is not of the expected type counts as absent.
type Claims map[string]any

// The longest token and the longest claim that are looked at, in bytes.
const (
	longestToken = 16 << 10
	longestClaim = 512
)

// farthest is the year 9999, after which times cannot be written any more.
const farthest = 253402300799

// skew is how far a provider's clock may be ahead of ours.
const skew = 30 * time.Second

// Text is a claim that is a text, or "".
func (c Claims) Text(name string) string {
	text, _ := c[name].(string)
	return short(text)
}

// short leaves out what is too long to be a name or an address.
func short(text string) string {
	if len(text) > longestClaim {
		return ""
	}
	return text
}

// True reports whether a claim is true: the JSON value and nothing else, because
// to others "false" is a text that is not empty.
func (c Claims) True(name string) bool {
	yes, _ := c[name].(bool)
	return yes
}

// Subject is the person's name at the provider, for ever theirs and nobody
// else's.
func (c Claims) Subject() string { return c.Text("sub") }

func (c Claims) time(name string) (time.Time, bool) {
	seconds, ok := c[name].(float64)
	if !ok || seconds < 0 || seconds > farthest {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// texts is a claim that is a text or a list of texts; nil if it is anything else.
func (c Claims) texts(name string) []string {
	switch v := c[name].(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, len(v))
		for i, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil
			}
			out[i] = text
		}
		return out
	}
	return nil
}

// Standard reads the claims of OpenID Connect Core 1.0 section 5.1.
func Standard(c Claims) (channel.Identity, bool) {
	return channel.Identity{
		Email: c.Text("email"), EmailVerified: c.Text("email") != "" && c.True("email_verified"),
		Phone: c.Text("phone_number"), PhoneVerified: c.Text("phone_number") != "" && c.True("phone_number_verified"),
		Username: c.Text("preferred_username"), Name: c.Text("name"), FirstName: c.Text("given_name"), LastName: c.Text("family_name"),
		Locale: strings.ReplaceAll(c.Text("locale"), "_", "-"),
	}, true
}

// Domain is what follows the only @ of an address, in lower case, or "".
func Domain(address string) string {
	name, domain, ok := strings.Cut(address, "@")
	if !ok || name == "" || strings.Contains(domain, "@") {
		return ""
	}
	return strings.ToLower(domain)
}

// claims reads a token, if it is the provider's, for us, and good now. Otherwise
// it says why not.
func (p *provider) claims(ctx context.Context, raw string) (Claims, channel.Reason, error) {
	if len(raw) > longestToken || strings.Count(raw, ".") != 2 {
		return nil, channel.Mismatch, nil
	}
	var asked error // what asking for the key has led to
	found := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods(p.opts.Algorithms), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
	_, err := parser.ParseWithClaims(raw, found, func(t *jwt.Token) (any, error) {
		if _, critical := t.Header["crit"]; critical {
			return nil, errNoKey // we understand no extensions (RFC 7515 section 4.1.11)
		}
		id, _ := t.Header["kid"].(string)
		var k key
		k, asked = p.key(ctx, id, t.Method.Alg()) // whatever keys and URLs the header names besides are none of ours
		return k.public, asked
	})
	switch {
	case err == nil:
	case asked != nil && !errors.Is(asked, errNoKey):
		return nil, "", asked
	default:
		return nil, channel.Mismatch, nil
	}
	c := Claims(found)
	return c, p.opts.judge(c, p.now()), nil
}

// judge says why true claims are not for us, or not good now (OpenID Connect Core
// 1.0 section 3.1.3.7); "" if they are.
func (o Options) judge(c Claims, now time.Time) channel.Reason {
	ours := append([]string{o.Client}, o.Audiences...)
	audience := c.texts("aud")
	party, named := c["azp"].(string)
	_, present := c["azp"]
	expires, hasExpiry := c.time("exp")
	issued, hasIssue := c.time("iat")
	begins, hasBegin := c.time("nbf")
	switch {
	case !slices.Contains(o.Issuers, c.Text("iss")), c.Subject() == "":
		return channel.Mismatch
	case len(audience) == 0, slices.ContainsFunc(audience, func(a string) bool { return !slices.Contains(ours, a) }):
		return channel.Mismatch
	case present && (!named || !slices.Contains(ours, party)), len(audience) > 1 && !present:
		return channel.Mismatch
	case !hasExpiry, !hasIssue, issued.After(now.Add(skew)), hasBegin && begins.After(now.Add(skew)):
		return channel.Mismatch
	case !now.Before(expires):
		return channel.Expired
	}
	return ""
}

// onceKey names a token. Only what is signed counts: signatures can be written in
// more ways than one.
func onceKey(token string) string {
	signed := token[:strings.LastIndexByte(token, '.')]
	sum := sha256.Sum256([]byte(signed))
	return hex.EncodeToString(sum[:])
}
