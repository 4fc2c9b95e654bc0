package vonage

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
)

// Config says whose account sends, and under which name.
type Config struct {
	Account         string         `json:"account" doc:"API key of the account, eight letters and digits; it is no secret."`
	Secret          channel.Secret `json:"secret" secret:"file" doc:"API secret of the account."`
	From            string         `json:"from" doc:"Number or name that messages come from."`
	SignatureSecret channel.Secret `json:"signature_secret" secret:"file" doc:"What reports on deliveries are signed with. Without it there are none."`
	SignatureMethod string         `json:"signature_method" doc:"How reports are signed; choose the same at Vonage." enum:"sha256,sha512"`
	Callback        string         `json:"callback" doc:"URL where deliveries are reported; this server's public URL if empty."`
	API             string         `json:"api" doc:"Root of the API."`
}

func defaults() Config { return Config{SignatureMethod: "sha256", API: "https://rest.nexmo.com"} }

var (
	accountForm = regexp.MustCompile(`^[0-9A-Za-z]{4,32}$`)
	fromForm    = regexp.MustCompile(`^(\+?[1-9][0-9]{4,14}|[A-Za-z0-9 ]{1,11})$`)
)

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if !accountForm.MatchString(c.Account) {
		errs = append(errs, errors.New("account: the API key, letters and digits"))
	}
	if c.Secret.IsZero() {
		errs = append(errs, errors.New("secret: required"))
	}
	if !fromForm.MatchString(c.From) {
		errs = append(errs, errors.New("from: a number, or a name of at most 11 letters and digits"))
	}
	if err := provider.CheckURL(c.API); err != nil {
		errs = append(errs, fmt.Errorf("api: %w", err))
	}
	return errors.Join(append(errs, c.validateCallback())...)
}

func (c Config) validateCallback() error {
	if c.Callback == "" {
		return nil
	}
	u, err := url.Parse(c.Callback)
	switch {
	case err != nil, u.Scheme != "https", u.Host == "", u.User != nil, u.Fragment != "":
		return errors.New("callback: not a URL such as https://login.example.com/receipts/sms")
	case c.SignatureSecret.IsZero():
		return errors.New("callback: needs the signature_secret, which reports are signed with")
	}
	return nil
}
