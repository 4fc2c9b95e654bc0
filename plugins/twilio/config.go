package twilio

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
)

// Config says whose account sends, and from which number.
type Config struct {
	Account   string         `json:"account" doc:"Account SID, AC and 32 hexadecimal digits."`
	Token     channel.Secret `json:"token" secret:"file" doc:"Auth token of the account. Reports on deliveries are signed with it: without it there are none."`
	KeySID    string         `json:"key_sid" doc:"SID of an API key, SK and 32 hexadecimal digits, to sign in with in place of the token."`
	KeySecret channel.Secret `json:"key_secret" secret:"file" doc:"Secret of that API key."`
	From      string         `json:"from" doc:"Number in E.164, short code or name that messages come from."`
	Service   string         `json:"service" doc:"SID of a Messaging Service, MG and 32 hexadecimal digits, which chooses the sender. It wins over from."`
	Callback  string         `json:"callback" doc:"URL where deliveries are reported; this server's public URL if empty."`
	API       string         `json:"api" doc:"Root of the API; another in some regions."`
}

func defaults() Config { return Config{API: "https://api.twilio.com"} }

// Validate implements channel.Config.
func (c Config) Validate() error {
	return errors.Join(c.validateLogin(), c.validateSender(), c.validateCallback(), at("api", provider.CheckURL(c.API)))
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

// fromForm is what messages can come from: a number, a short code, or a name of
// at most eleven letters and digits.
var fromForm = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 &_+-]{1,11})$`)

func (c Config) validateSender() error {
	switch {
	case c.Service != "" && !sid("MG", c.Service):
		return errors.New("service: MG and 32 hexadecimal digits")
	case c.Service == "" && !fromForm.MatchString(c.From):
		return errors.New("from: a number in E.164, a short code or a name; or give service")
	}
	return nil
}

func (c Config) validateCallback() error {
	if c.Callback == "" {
		return nil
	}
	u, err := url.Parse(c.Callback)
	switch {
	case err != nil, u.Scheme != "https", u.Host == "", u.User != nil, u.Fragment != "":
		return errors.New("callback: not a URL such as https://login.example.com/receipts/sms")
	case c.Token.IsZero():
		return errors.New("callback: needs the token, which reports are signed with")
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

// sid reports whether a text is an identifier of Twilio's.
func sid(kind, text string) bool {
	return strings.HasPrefix(text, kind) && sidForm.MatchString(text)
}

var sidForm = regexp.MustCompile(`^[A-Z]{2}[0-9a-fA-F]{32}$`)

func at(key string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}
