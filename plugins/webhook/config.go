package webhook

import (
	"errors"
	"fmt"
	"strings"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
	"github.com/countersign/countersign/ports/signature"
)

// Config says where messages are handed over.
type Config struct {
	URL     string         `json:"url" doc:"Where every message is posted, such as https://hooks.example.com/codes."`
	Secret  channel.Secret `json:"secret" doc:"Secret that requests are signed with: whsec_ and base64 of 24 to 64 bytes; two of them while one is being replaced." secret:"file"`
	Address string         `json:"address" doc:"What kind of address you send to." enum:"email,phone"`
	Form    string         `json:"form" doc:"How messages are written; as the kind of address suggests if empty." enum:"email,sms,chat,voice"`
	Title   string         `json:"title" doc:"What people call it." min:"1" max:"64"`
}

func defaults() Config { return Config{Title: "Message"} }

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if err := provider.CheckURL(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	}
	if _, err := signature.ParseKeys(c.Secret.Reveal()); err != nil {
		errs = append(errs, fmt.Errorf("secret: %w", err))
	}
	email := channel.AddressKind(c.Address) == channel.Email
	if !email && channel.AddressKind(c.Address) != channel.Phone {
		errs = append(errs, errors.New("address: required, email or phone"))
	}
	if form := channel.Form(c.Form); form != "" && email != (form == channel.FormEmail) {
		errs = append(errs, fmt.Errorf("form: %q is not for addresses of the kind %q", c.Form, c.Address))
	}
	if strings.TrimSpace(c.Title) == "" {
		errs = append(errs, errors.New("title: required"))
	}
	return errors.Join(errs...)
}
