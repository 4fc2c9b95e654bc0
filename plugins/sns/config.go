package sns

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
)

// Config says whose account sends, from where and under which name.
type Config struct {
	Region   string         `json:"region" doc:"AWS region that sends, such as eu-central-1."`
	KeyID    string         `json:"access_key_id" doc:"Access key; if empty, credentials are found where AWS's own tools find them, such as the role of the machine."`
	Secret   channel.Secret `json:"secret_access_key" secret:"file" doc:"Secret of that access key."`
	SenderID string         `json:"sender_id" doc:"Name that messages come from, where countries allow one."`
	Number   string         `json:"number" doc:"Number of the account's, in E.164, that messages come from."`
	MaxPrice float64        `json:"max_price" doc:"Most that one message may cost, in US dollars; 0 leaves it to the account." min:"0" max:"10"`
	Endpoint string         `json:"endpoint" doc:"Root of the API, if it is not AWS's own of the region."`
}

func defaults() Config { return Config{} }

var (
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9-]{1,11}$`)
	numberForm = regexp.MustCompile(`^\+?[0-9]{3,15}$`)
)

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if !regionForm.MatchString(c.Region) {
		errs = append(errs, errors.New("region: not one such as eu-central-1"))
	}
	if (c.KeyID == "") != c.Secret.IsZero() {
		errs = append(errs, errors.New("secret_access_key: goes with access_key_id, and access_key_id with it"))
	}
	if c.SenderID != "" && !nameForm.MatchString(c.SenderID) {
		errs = append(errs, errors.New("sender_id: at most 11 letters, digits and hyphens"))
	}
	if c.Number != "" && !numberForm.MatchString(c.Number) {
		errs = append(errs, errors.New("number: not in E.164"))
	}
	if c.Endpoint != "" {
		if err := provider.CheckURL(c.Endpoint); err != nil {
			errs = append(errs, fmt.Errorf("endpoint: %w", err))
		}
	}
	return errors.Join(errs...)
}
