package remote

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
	"github.com/countersign/countersign/ports/signature"
)

// Config says where a channel runs, and what it may be. Nothing that the other
// side says makes it more.
type Config struct {
	URL      string         `json:"url" doc:"Where the channel runs, such as https://matrix.internal.example.com; /begin, /verify and /send are below it."`
	Secret   channel.Secret `json:"secret" doc:"Secret that both sides sign with: whsec_ and base64 of 24 to 64 bytes; two of them while one is being replaced." secret:"file"`
	Title    string         `json:"title" doc:"What people call it." min:"1" max:"64"`
	Sends    bool           `json:"sends" doc:"The other side only delivers messages with codes of ours, so it is asked nothing but /send."`
	Address  string         `json:"address" doc:"What kind of address it needs, if any." enum:"email,phone,account"`
	Form     string         `json:"form" doc:"How what it sends is written; as the kind of address suggests if empty." enum:"email,sms,chat,voice"`
	Factor   string         `json:"factor" doc:"What success proves." enum:"knowledge,possession,inherence"`
	AMR      []string       `json:"amr" doc:"Values of RFC 8176 that success stands for."`
	MaxAAL   int            `json:"max_aal" doc:"Assurance level that success may lift to; 1 makes it no second factor for what needs level 2." min:"0" max:"2"`
	Identify bool           `json:"identify" doc:"Whether the other side may say who somebody is. It could then sign in as anybody whom it has enrolled."`
}

func defaults() Config {
	return Config{Title: "Remote", Factor: string(channel.Possession), AMR: []string{"otp"}, MaxAAL: 1}
}

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if err := provider.CheckURL(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	}
	if _, err := signature.ParseKeys(c.Secret.Reveal()); err != nil {
		errs = append(errs, fmt.Errorf("secret: %w", err))
	}
	if strings.TrimSpace(c.Title) == "" {
		errs = append(errs, errors.New("title: required"))
	}
	for _, v := range c.AMR {
		if !slices.Contains(methods(), v) {
			errs = append(errs, fmt.Errorf("amr: %q is not of RFC 8176", v))
		}
	}
	if c.Address == string(channel.Email) && c.MaxAAL > 1 {
		errs = append(errs, errors.New("max_aal: what is sent by e-mail never lifts beyond 1"))
	}
	if c.Sends && (c.Identify || c.Address == "") {
		errs = append(errs, errors.New("sends: needs an address, and identifies nobody"))
	}
	return errors.Join(errs...)
}

// methods lists the values of RFC 8176, in the order of its section 2.
func methods() []string {
	return strings.Fields("face fpt geo hwk iris kba mca mfa otp pin pwd rba retina sc sms swk tel user vbm wia")
}

func (c Config) descriptor() channel.Descriptor {
	d := general()
	d.Title, d.Address, d.Form, d.Factor = c.Title, channel.AddressKind(c.Address), channel.Form(c.Form), channel.Factor(c.Factor)
	d.AMR, d.MaxAAL, d.Identify = c.AMR, channel.AAL(c.MaxAAL), c.Identify
	return d
}
