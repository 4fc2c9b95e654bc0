package federation

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// Departure says where the browser is sent, and with what.
type Departure struct {
	Endpoint string // the provider's authorization endpoint
	Client   string // our client id
	Params   url.Values
	Nonce    bool // a nonce goes along, to be found in the ID token
	Plain    bool // the provider knows no PKCE
}

// Trip is what we remember of a browser that was sent away.
type Trip struct {
	Nonce    string `json:"nonce,omitempty"`
	Verifier string `json:"verifier"` // RFC 7636; made even where no provider asks for it
	Redirect string `json:"redirect"` // where it comes back, exactly as the provider was told
}

// Leave opens a challenge that sends the browser away. Its handle is the state,
// so that the return says which challenge it answers.
func Leave(random io.Reader, q channel.Challenge, d Departure) (channel.Opening, error) {
	if q.Callback == "" {
		return channel.Opening{}, errors.New("nobody said where browsers come back")
	}
	trip := Trip{Redirect: q.Callback}
	var err error
	if trip.Verifier, err = chance(random); err != nil {
		return channel.Opening{}, err
	}
	target, err := url.Parse(d.Endpoint)
	if err != nil {
		return channel.Opening{}, fmt.Errorf("%w: the authorization endpoint is no URL", channel.ErrUnavailable)
	}
	params := target.Query()
	maps.Copy(params, d.Params)
	params.Set("response_type", "code")
	params.Set("client_id", d.Client)
	params.Set("redirect_uri", trip.Redirect)
	params.Set("state", q.Handle)
	if d.Nonce {
		if trip.Nonce, err = chance(random); err != nil {
			return channel.Opening{}, err
		}
		params.Set("nonce", trip.Nonce)
	}
	if !d.Plain {
		sum := sha256.Sum256([]byte(trip.Verifier))
		params.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		params.Set("code_challenge_method", "S256")
	}
	target.RawQuery = params.Encode()
	state, err := json.Marshal(trip)
	return channel.Opening{Prompt: channel.Redirect(target.String()), State: state}, err
}

// chance is 256 random bits, as RFC 7636 section 4.1 wants them written.
func chance(random io.Reader) (string, error) {
	raw := make([]byte, 32)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Remembered reads the state that Leave has made.
func Remembered(s channel.State) (Trip, error) {
	var t Trip
	if err := json.Unmarshal(s, &t); err != nil || t.Verifier == "" || t.Redirect == "" {
		return Trip{}, errors.New("stored trip is unreadable")
	}
	return t, nil
}

// Return is what a browser brings back.
type Return struct {
	Code   string `json:"code,omitempty"`
	Error  string `json:"error,omitempty"`
	Issuer string `json:"iss,omitempty"`  // RFC 9207
	User   string `json:"user,omitempty"` // Apple: JSON with the name, at the first sign-in
}

// The longest values that are looked at.
const (
	longestCode  = 4 << 10
	longestState = 256
)

// Refused is the verdict on a return without a code that could be exchanged.
func (r Return) Refused() (channel.Verdict, bool) {
	switch {
	case r.Error == "access_denied", r.Error == "user_cancelled_authorize":
		return channel.Reject(channel.Denied), true
	case r.Error != "", !visible(r.Code, longestCode):
		return channel.Reject(channel.Mismatch), true
	}
	return channel.Verdict{}, false
}

// names are what Apple's form says. Nobody has signed it: it is good for a name,
// and for nothing else.
func (r Return) names() (first, last string) {
	var user struct {
		Name struct {
			First string `json:"firstName"`
			Last  string `json:"lastName"`
		} `json:"name"`
	}
	if r.User == "" || json.Unmarshal([]byte(r.User), &user) != nil {
		return "", ""
	}
	return short(user.Name.First), short(user.Name.Last)
}

// Receive reads the return from an inbound request: its query, or the form that a
// provider lets the browser post. Anybody can bring one; what it is worth shows
// when the code is exchanged.
func Receive(in channel.Inbound) (handle string, r channel.Response, err error) {
	values := in.Query
	if in.Method == http.MethodPost {
		if values, err = url.ParseQuery(string(in.Body)); err != nil {
			return "", channel.Response{}, errNoReturn
		}
	}
	for _, all := range values {
		if len(all) != 1 {
			return "", channel.Response{}, errNoReturn // two answers are none
		}
	}
	back := Return{Code: values.Get("code"), Error: values.Get("error"), Issuer: values.Get("iss"), User: values.Get("user")}
	handle = values.Get("state")
	if !visible(handle, longestState) || (back.Code == "") == (back.Error == "") {
		return "", channel.Response{}, errNoReturn
	}
	data, err := json.Marshal(back)
	return handle, channel.Response{Data: data}, err
}

// errNoReturn means that an inbound request is no browser's return.
var errNoReturn = fmt.Errorf("%w: no answer of a provider", channel.ErrForged)

// visible reports whether text is printable ASCII without spaces, and neither
// empty nor long: what RFC 6749 appendix A lets codes and states be.
func visible(text string, longest int) bool {
	if text == "" || len(text) > longest {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// same compares in constant time. Nothing is the same as nothing.
func same(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func join(scopes []string) string { return strings.Join(scopes, " ") }
