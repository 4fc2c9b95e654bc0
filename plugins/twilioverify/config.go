package twilioverify

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
)

// Config says whose service makes, sends and checks the codes.
type Config struct {
	Account   string         `json:"account" doc:"Account SID, AC and 32 hexadecimal digits."`
	Token     channel.Secret `json:"token" secret:"file" doc:"Auth token of the account."`
	KeySID    string         `json:"key_sid" doc:"SID of an API key, SK and 32 hexadecimal digits, to sign in with in place of the token."`
	KeySecret channel.Secret `json:"key_secret" secret:"file" doc:"Secret of that API key."`
	Service   string         `json:"service" doc:"SID of the Verify service, VA and 32 hexadecimal digits."`
	Via       string         `json:"via" doc:"How codes reach people." enum:"sms,call,email,whatsapp"`
	Length    int            `json:"length" doc:"How many digits the service's codes have, as set at Twilio." min:"4" max:"10"`
	API       string         `json:"api" doc:"Root of the API."`
}

func defaults() Config { return Config{Via: "sms", Length: 6, API: "https://verify.twilio.com"} }

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if err := provider.CheckURL(c.API); err != nil {
		errs = append(errs, fmt.Errorf("api: %w", err))
	}
	if !sid("VA", c.Service) {
		errs = append(errs, errors.New("service: VA and 32 hexadecimal digits"))
	}
	return errors.Join(append(errs, c.validateLogin())...)
}

func (c Config) validateLogin() error {
	switch {
	case !sid("AC", c.Account):
		return errors.New("account: AC and 32 hexadecimal digits")
	case c.KeySID != "" && !sid("SK", c.KeySID):
		return errors.New("key_sid: SK and 32 hexadecimal digits")
	case (c.KeySID == "") != c.KeySecret.IsZero():
		return errors.New("key_secret: goes with key_sid, and key_sid with it")
	case c.KeySID == "" && c.Token.IsZero():
		return errors.New("token: required, or an API key")
	}
	return nil
}

// login is the name and the password of HTTP basic authentication.
func (c Config) login() (user, password string) {
	if c.KeySID != "" {
		return c.KeySID, c.KeySecret.Reveal()
	}
	return c.Account, c.Token.Reveal()
}

var sidForm = regexp.MustCompile(`^[A-Z]{2}[0-9a-fA-F]{32}$`)

// sid reports whether a text is an identifier of Twilio's.
func sid(kind, text string) bool {
	return strings.HasPrefix(text, kind) && sidForm.MatchString(text)
}
