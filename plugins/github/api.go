package github

import (
	"bytes"
	"context"
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
var shape = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

func shaped(token string) bool {
	return len(token) >= 8 && len(token) <= 255 && shape.MatchString(token)
}

// exchange turns a code into an access token. GitHub answers 200 whatever happens.
func (h hub) exchange(ctx context.Context, t federation.Trip, code string) (string, channel.Reason, error) {
	a, err := h.caller.Post(ctx, h.cfg.Site+"/login/oauth/access_token", url.Values{
		"client_id": {h.cfg.ClientID}, "client_secret": {h.cfg.ClientSecret.Reveal()},
		"code": {code}, "redirect_uri": {t.Redirect}, "code_verifier": {t.Verifier},
	}, "", "")
	if err != nil {
		return "", "", fmt.Errorf("exchange of a code: %w", err)
	}
	var got struct {
		Error string `json:"error"`
		Token string `json:"access_token"`
	}
	if err := a.Read(&got); err != nil {
		return "", "", fmt.Errorf("exchange of a code: %w", err)
	}
	switch {
	case got.Error == "incorrect_client_credentials", got.Error == "redirect_uri_mismatch", got.Error == "application_suspended":
		return "", "", fmt.Errorf("%w: exchange of a code: %s", channel.ErrRefused, got.Error)
	case got.Error != "":
		return "", channel.Mismatch, nil
	case !shaped(got.Token):
		return "", "", fmt.Errorf("%w: exchange of a code: no token came back", channel.ErrUnavailable)
	}
	return got.Token, "", nil
}

// examine asks GitHub whether a token was made for us, and for whom.
func (h hub) examine(ctx context.Context, token string) (id int64, why channel.Reason, err error) {
	body, err := json.Marshal(map[string]string{"access_token": token})
	if err != nil {
		return 0, "", err
	}
	target := h.cfg.API + "/applications/" + url.PathEscape(h.cfg.ClientID) + "/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("%w: there is no such URL", channel.ErrRefused)
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(h.cfg.ClientID, h.cfg.ClientSecret.Reveal())
	a, err := h.caller.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("check of a token: %w", err)
	}
	if a.Status == http.StatusNotFound || a.Status == http.StatusUnprocessableEntity {
		return 0, channel.Mismatch, nil // nobody's, or another app's
	}
	var said struct {
		App struct {
			ClientID string `json:"client_id"`
		} `json:"app"`
		User    account   `json:"user"`
		Created time.Time `json:"created_at"`
	}
	if err := a.Read(&said); err != nil {
		return 0, "", fmt.Errorf("check of a token: %w", err)
	}
	switch {
	case said.App.ClientID != h.cfg.ClientID, said.User.ID <= 0:
		return 0, channel.Mismatch, nil
	case h.env.Now().Sub(said.Created) > h.cfg.MaxAge:
		return 0, channel.Expired, nil
	}
	return said.User.ID, "", nil
}

// account is somebody as GitHub knows them.
type account struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name"`
}

// identify asks whose token it is; a number that is known already must be theirs.
// The address is the primary one, if GitHub has checked it. Others are of no use:
// people collect them.
func (h hub) identify(ctx context.Context, token, once string, known int64) (channel.Verdict, error) {
	var who account
	if err := h.get(ctx, "/user", token, &who); err != nil {
		return channel.Verdict{}, fmt.Errorf("user: %w", err)
	}
	if who.ID <= 0 || known != 0 && known != who.ID {
		return channel.Verdict{}, fmt.Errorf("%w: user: nobody, or somebody else", channel.ErrUnavailable)
	}
	var addresses []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	if err := h.get(ctx, "/user/emails?per_page=100", token, &addresses); err != nil {
		return channel.Verdict{}, fmt.Errorf("addresses: %w", err)
	}
	id := channel.Identity{Issuer: h.cfg.Site, Username: who.Login, Name: who.Name}
	for _, a := range addresses {
		if a.Primary && a.Verified {
			id.Email, id.EmailVerified = a.Email, true
		}
	}
	return channel.Verdict{Outcome: channel.Verified, Ref: h.ref(who.ID), Identity: &id, OnceKey: once}, nil
}

func (h hub) get(ctx context.Context, path, token string, into any) error {
	a, err := h.caller.Get(ctx, h.cfg.API+path, token)
	if err != nil {
		return err
	}
	return a.Read(into)
}
