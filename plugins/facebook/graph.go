package facebook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/countersign/countersign/plugins/federation"
	"github.com/countersign/countersign/ports/channel"
)

// shape is what a token may be made of. A pattern that counts as well would be
// made of as many parts.
var shape = regexp.MustCompile(`^[A-Za-z0-9_|.-]+$`)

func shaped(token string) bool {
	return len(token) >= 8 && len(token) <= 1000 && shape.MatchString(token)
}

// bearer is the token that a call is made with.
type bearer struct {
	token string
	ours  bool // made of our secret, and not somebody's
}

// failure reads an error of the Graph API: what was brought is wrong, or something
// is with us or with Facebook.
func failure(a federation.Answer, by bearer) (channel.Reason, error) {
	var said struct {
		Error struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(a.Body, &said) != nil {
		return "", fmt.Errorf("%w: HTTP status %d", channel.ErrUnavailable, a.Status)
	}
	switch code := said.Error.Code; {
	case code == 100, code == 190 && !by.ours: // a code, or a token, that is not good
		return channel.Mismatch, nil
	case code == 4, code == 17, code == 32, code == 613: // too many calls
		return "", &channel.ThrottledError{}
	case code == 2:
		return "", fmt.Errorf("%w: Graph API error 2", channel.ErrUnavailable)
	}
	return "", fmt.Errorf("%w: Graph API error %d", channel.ErrRefused, said.Error.Code)
}

// ask calls the Graph API, and reads its answer.
func (f face) ask(ctx context.Context, path string, query url.Values, by bearer, into any) (channel.Reason, error) {
	a, err := f.caller.Get(ctx, f.cfg.Graph+path+"?"+query.Encode(), by.token)
	if err != nil {
		return "", err
	}
	if a.Status == http.StatusBadRequest {
		return failure(a, by)
	}
	return "", a.Read(into)
}

// exchange turns a code into an access token.
func (f face) exchange(ctx context.Context, t federation.Trip, code string) (string, channel.Reason, error) {
	a, err := f.caller.Post(ctx, f.cfg.Graph+"/oauth/access_token", url.Values{
		"client_id": {f.cfg.ClientID}, "client_secret": {f.cfg.ClientSecret.Reveal()}, "code": {code}, "redirect_uri": {t.Redirect},
	}, "", "")
	if err != nil {
		return "", "", fmt.Errorf("exchange of a code: %w", err)
	}
	if a.Status == http.StatusBadRequest {
		why, err := failure(a, bearer{})
		return "", why, err
	}
	var got struct {
		Token string `json:"access_token"`
	}
	if err := a.Read(&got); err != nil {
		return "", "", fmt.Errorf("exchange of a code: %w", err)
	}
	if !shaped(got.Token) {
		return "", "", fmt.Errorf("%w: exchange of a code: no token came back", channel.ErrUnavailable)
	}
	return got.Token, "", nil
}

// inspection is what Facebook says about a token.
type inspection struct {
	Data struct {
		App     string `json:"app_id"`
		Type    string `json:"type"`
		User    string `json:"user_id"`
		Valid   bool   `json:"is_valid"`
		Expires int64  `json:"expires_at"` // 0 is never
		Issued  int64  `json:"issued_at"`  // 0 where Facebook does not say
	} `json:"data"`
}

// judge says why a token is not good for signing in here. One that an app brings
// must be young; those that Facebook does not date are short-lived.
func (f face) judge(i inspection, brought bool) channel.Reason {
	now, d := f.env.Now(), i.Data
	switch {
	case !d.Valid, d.App != f.cfg.ClientID, d.Type != "USER", d.User == "":
		return channel.Mismatch
	case d.Expires != 0 && !now.Before(time.Unix(d.Expires, 0)):
		return channel.Expired
	case brought && d.Issued != 0 && now.Sub(time.Unix(d.Issued, 0)) > f.cfg.MaxAge:
		return channel.Expired
	}
	return ""
}

// identify asks whose token it is, and first of all whom it was made for.
func (f face) identify(ctx context.Context, token, once string) (channel.Verdict, error) {
	var i inspection
	app := bearer{token: f.cfg.ClientID + "|" + f.cfg.ClientSecret.Reveal(), ours: true}
	why, err := f.ask(ctx, "/debug_token", url.Values{"input_token": {token}}, app, &i)
	if err != nil {
		return channel.Verdict{}, fmt.Errorf("check of a token: %w", err)
	}
	if why == "" {
		why = f.judge(i, once != "")
	}
	if why != "" {
		return channel.Reject(why), nil
	}
	var who struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		First string `json:"first_name"`
		Last  string `json:"last_name"`
		Email string `json:"email"`
	}
	why, err = f.ask(ctx, "/me", url.Values{"fields": {"id,name,first_name,last_name,email"}, "appsecret_proof": {f.proof(token)}}, bearer{token: token}, &who)
	switch {
	case err != nil:
		return channel.Verdict{}, fmt.Errorf("me: %w", err)
	case why != "":
		return channel.Reject(why), nil
	case who.ID != i.Data.User:
		return channel.Verdict{}, fmt.Errorf("%w: me: somebody else", channel.ErrUnavailable)
	}
	return channel.Verdict{Outcome: channel.Verified, Ref: who.ID, OnceKey: once, Identity: &channel.Identity{
		Issuer: issuer, Email: who.Email, // Facebook does not say whether it has checked it
		Name: who.Name, FirstName: who.First, LastName: who.Last,
	}}, nil
}

// proof shows that whoever uses the token knows our secret.
func (f face) proof(token string) string {
	h := hmac.New(sha256.New, []byte(f.cfg.ClientSecret.Reveal()))
	h.Write([]byte(token)) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}
