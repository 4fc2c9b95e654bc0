package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// errShape means that a success does not look as the contract says.
var errShape = errors.New("the answer is not what the contract says")

// Challenge is a challenge as the contract shows it.
type Challenge struct {
	ID           string `json:"id"`
	Status       string `json:"status"`
	AttemptsLeft int    `json:"attempts_left"`
	Prompt       struct {
		Kind   string   `json:"kind"`
		Length int      `json:"length"`
		Show   []string `json:"show"`
	} `json:"prompt"`
}

func (c *Challenge) check() error {
	if c.ID == "" || c.Status != "pending" || c.Prompt.Kind != "enter_code" || c.Prompt.Length != 6 {
		return fmt.Errorf("%w: a challenge with status %q and prompt %q of length %d", errShape, c.Status, c.Prompt.Kind, c.Prompt.Length)
	}
	return nil
}

// Outcome is what an answer led to, as the contract shows it.
type Outcome struct {
	Status       string   `json:"status"`
	Access       string   `json:"access_token"`
	Refresh      string   `json:"refresh_token"`
	Session      string   `json:"session_id"`
	NewUser      bool     `json:"new_user"`
	Pending      string   `json:"pending_token"`
	Devices      []Device `json:"devices"`
	RecoveryList []string `json:"recovery_codes"`
}

// Device is an enrolled device.
type Device struct {
	ID      string `json:"id"`
	Channel string `json:"channel"`
}

func (o *Outcome) check(want string) error {
	if o.Status != want {
		return fmt.Errorf("%w: status %q, want %q", errShape, o.Status, want)
	}
	switch want {
	case "signed_in":
		if strings.Count(o.Access, ".") != 2 || o.Refresh == "" || o.Session == "" {
			return fmt.Errorf("%w: signed in without its tokens", errShape)
		}
	case "factor_required":
		if o.Pending == "" || len(o.Devices) == 0 {
			return fmt.Errorf("%w: a factor is required, but not said which", errShape)
		}
	}
	return nil
}

// Wish is a request for a challenge: either To or Device.
type Wish struct {
	Purpose string `json:"purpose,omitempty"`
	To      string `json:"to,omitempty"`
	Device  string `json:"device_id,omitempty"`
	Bearer  string `json:"-"`
	From    string `json:"-"`
}

// Start opens a challenge.
func (c *Client) Start(w Wish) (Challenge, error) {
	var out Challenge
	body, err := json.Marshal(w)
	if err != nil {
		return out, fmt.Errorf("write a wish: %w", err)
	}
	err = c.do(call{fasthttp.MethodPost, "/v1/challenges", w.Bearer, w.From, body, fasthttp.StatusAccepted}, &out)
	if err != nil {
		return out, err
	}
	return out, out.check()
}

// Answer is a response to a challenge.
type Answer struct {
	ID, Code string
	Claim    string // of somebody who signed up by a form; may be empty
	From     string
	Want     string // the outcome's status
}

// Verify answers a challenge.
func (c *Client) Verify(a Answer) (Outcome, error) {
	var out Outcome
	body := []byte(`{"code":"` + a.Code + `"}`)
	if a.Claim != "" {
		body = []byte(`{"code":"` + a.Code + `","claim":"` + a.Claim + `"}`)
	}
	err := c.do(call{fasthttp.MethodPost, "/v1/challenges/" + a.ID + "/verify", "", a.From, body, fasthttp.StatusOK}, &out)
	if err != nil {
		return out, err
	}
	return out, out.check(a.Want)
}

// Tokens are what a refresh gives.
type Tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// Rotate exchanges a refresh token.
func (c *Client) Rotate(refresh, from string) (Tokens, error) {
	var out Tokens
	body := []byte(`{"refresh_token":"` + refresh + `"}`)
	err := c.do(call{fasthttp.MethodPost, "/v1/tokens/refresh", "", from, body, fasthttp.StatusOK}, &out)
	if err == nil && (strings.Count(out.Access, ".") != 2 || out.Refresh == "") {
		err = fmt.Errorf("%w: refreshed without tokens", errShape)
	}
	return out, err
}

// Enrollment is an authenticator app that waits for its proof.
type Enrollment struct {
	Device    Device    `json:"device"`
	Challenge Challenge `json:"challenge"`
}

// Secret is the authenticator's key, base 32.
func (e Enrollment) Secret() (string, error) {
	for _, shown := range e.Challenge.Prompt.Show {
		u, err := url.Parse(shown)
		if err == nil && u.Scheme == "otpauth" && u.Query().Get("secret") != "" {
			return u.Query().Get("secret"), nil
		}
	}
	return "", fmt.Errorf("%w: an enrolment that shows no secret", errShape)
}

// Enroll begins to bind an authenticator app.
func (c *Client) Enroll(bearer, from string) (Enrollment, error) {
	var out Enrollment
	err := c.do(call{fasthttp.MethodPost, "/v1/me/devices", bearer, from, []byte(`{"channel":"totp"}`), fasthttp.StatusCreated}, &out)
	if err != nil {
		return out, err
	}
	return out, out.Challenge.check()
}

// TestDevice asks an enrolled device again, which steps the session up.
func (c *Client) TestDevice(device, bearer, from string) (Challenge, error) {
	var out Challenge
	err := c.do(call{fasthttp.MethodPost, "/v1/me/devices/" + device + "/challenge", bearer, from, nil, fasthttp.StatusAccepted}, &out)
	if err != nil {
		return out, err
	}
	return out, out.check()
}

// RequireSecond switches the second factor on.
func (c *Client) RequireSecond(bearer, from string) error {
	var out struct {
		Required bool `json:"required"`
	}
	err := c.do(call{fasthttp.MethodPatch, "/v1/me/two-factor", bearer, from, []byte(`{"required":true}`), fasthttp.StatusOK}, &out)
	if err == nil && !out.Required {
		err = fmt.Errorf("%w: the second factor stayed off", errShape)
	}
	return err
}

// Form is what somebody fills in to sign up.
type Form struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// Register makes an account by a form. The claim shows later who filled it in;
// servers before it came give none.
func (c *Client) Register(f Form, from string) (claim string, err error) {
	body, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("write a form: %w", err)
	}
	var out struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
		Claim string `json:"claim"`
	}
	err = c.do(call{fasthttp.MethodPost, "/v1/users", "", from, body, fasthttp.StatusCreated}, &out)
	if err == nil && out.User.ID == "" {
		err = fmt.Errorf("%w: registered without a user", errShape)
	}
	return out.Claim, err
}

// Credentials are what somebody signs in with who has a password.
type Credentials struct {
	Identifier string `json:"identifier"`
	Password   string `json:"password"`
}

// SignIn signs in by a password. Want is the outcome's status.
func (c *Client) SignIn(k Credentials, from, want string) (Outcome, error) {
	var out Outcome
	body, err := json.Marshal(k)
	if err != nil {
		return out, fmt.Errorf("write credentials: %w", err)
	}
	if err := c.do(call{fasthttp.MethodPost, "/v1/sign-in/password", "", from, body, fasthttp.StatusOK}, &out); err != nil {
		return out, err
	}
	return out, out.check(want)
}
