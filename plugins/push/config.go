package push

import (
	"errors"
	"fmt"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
	"github.com/countersign/countersign/ports/signature"
)

// Config says who wakes phones.
type Config struct {
	Gateway string         `json:"gateway" doc:"URL of your gateway, which wakes people's phones, such as https://push.example.com/notify."`
	Secret  channel.Secret `json:"secret" doc:"Secret that requests to the gateway are signed with: whsec_ and base64 of 24 to 64 bytes; two of them while one is being replaced." secret:"file"`
}

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if err := provider.CheckURL(c.Gateway); err != nil {
		errs = append(errs, fmt.Errorf("gateway: %w", err))
	}
	if _, err := signature.ParseKeys(c.Secret.Reveal()); err != nil {
		errs = append(errs, fmt.Errorf("secret: %w", err))
	}
	return errors.Join(errs...)
}
