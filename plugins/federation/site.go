package federation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"

	"github.com/countersign/countersign/ports/channel"
)

// Site is a provider that speaks OAuth 2.0 and an API of its own, but no OpenID
// Connect: whose an access token is, only the provider knows.
type Site struct {
	AccessTokens bool           // whether those that apps bring are accepted
	Shape        *regexp.Regexp // what an access token may be made of
	// Exchange turns a code into an access token (RFC 6749 section 4.1.3).
	Exchange func(ctx context.Context, t Trip, code string) (string, channel.Reason, error)
	// Identify asks whose a token is. One that an app brought has a key in once, and
	// counts only if it was made for us.
	Identify func(ctx context.Context, token, once string) (channel.Verdict, error)
}

// Verify judges what came back: a code that a browser was sent away for, which is
// exchanged, or a token that an app brings, which is good once. It is safe for
// concurrent use if the functions are.
func (s Site) Verify(ctx context.Context, state channel.State, r channel.Response) (channel.Verdict, error) {
	var a struct {
		Return

		AccessToken string `json:"access_token"`
	}
	if r.Data == nil || json.Unmarshal(r.Data, &a) != nil {
		return channel.Reject(channel.Mismatch), nil
	}
	if len(state) > 0 {
		trip, err := Remembered(state)
		if err != nil {
			return channel.Verdict{}, err
		}
		if v, ok := a.Refused(); ok {
			return v, nil
		}
		token, why, err := s.Exchange(ctx, trip, a.Code)
		if err != nil || why != "" {
			return channel.Reject(why), err
		}
		return s.Identify(ctx, token, "")
	}
	if !s.AccessTokens || !s.Shape.MatchString(a.AccessToken) {
		return channel.Reject(channel.Mismatch), nil
	}
	sum := sha256.Sum256([]byte(a.AccessToken))
	return s.Identify(ctx, a.AccessToken, hex.EncodeToString(sum[:]))
}
