package twofactor

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
)

// Config says whose account sends, and who makes the codes.
type Config struct {
	Key      channel.Secret `json:"api_key" secret:"file" doc:"API key of the account."`
	Codes    string         `json:"codes" doc:"Who makes and checks codes: ours sends those of this deployment, theirs leaves both to 2factor.in." enum:"ours,theirs"`
	Via      string         `json:"via" doc:"How codes reach people: a text message or a call." enum:"sms,voice"`
	Template string         `json:"template" doc:"Approved template of the text; the account's default if empty."`
	Length   int            `json:"length" doc:"How many digits codes of theirs have." min:"4" max:"6"`
	API      string         `json:"api" doc:"Root of the API."`
}

func defaults() Config {
	return Config{Codes: "ours", Via: "sms", Length: 6, API: "https://2factor.in/API/V1"}
}

var (
	keyForm      = regexp.MustCompile(`^[0-9A-Za-z-]{8,64}$`)
	templateForm = regexp.MustCompile(`^[0-9A-Za-z_ +.-]{1,64}$`)
)

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if !keyForm.MatchString(c.Key.Reveal()) {
		errs = append(errs, errors.New("api_key: letters, digits and hyphens"))
	}
	if c.Template != "" && (!templateForm.MatchString(c.Template) || c.Template == "." || c.Template == "..") {
		errs = append(errs, errors.New("template: not the name of one"))
	}
	if c.Template != "" && c.Via == "voice" {
		errs = append(errs, errors.New("template: calls have none"))
	}
	if err := provider.CheckURL(c.API); err != nil {
		errs = append(errs, fmt.Errorf("api: %w", err))
	}
	return errors.Join(errs...)
}
