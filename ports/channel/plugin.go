package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"time"
)

// Plugin is a kind of channel that can be configured any number of times.
// Make one with Define or DefineSender; the zero value opens nothing.
type Plugin struct {
	Descriptor

	config   reflect.Type
	defaults func() any
	sender   bool // made with DefineSender
	open     func(context.Context, Decode, Env) (Channel, error)
}

// Descriptor is what the core, the administrator and the documentation know
// about a plugin before it runs.
type Descriptor struct {
	Type     string      `json:"type"`           // stable name in configuration: "totp", "twilio_verify"
	Title    string      `json:"title"`          // what people call it
	Summary  string      `json:"summary"`        // one sentence
	Address  AddressKind `json:"address"`        // what kind of address it needs, if any
	Form     Form        `json:"form,omitempty"` // how what it sends is written; empty: as the kind of address suggests
	Factor   Factor      `json:"factor"`
	MaxAAL   AAL         `json:"max_aal"`                      // NIST SP 800-63B; policy may lower it, never raise it
	AMR      []string    `json:"amr"`                          // RFC 8176 values that success stands for
	Identify bool        `json:"identify,omitempty"`           // can answer "who is this?", not only "is this them?"
	Phishing bool        `json:"phishing_resistant,omitempty"` // verifier impersonation fails
	Backup   bool        `json:"backup,omitempty"`             // stands in for a lost device; alone it is no second factor
	Costs    bool        `json:"costs,omitempty"`              // Begin itself reaches the person, or costs money: it is paid for first
}

type (
	// AddressKind is what sort of address a channel sends to.
	AddressKind string

	// Form is how a message reaches the reader: what fits, and what can be shown.
	Form string

	// Factor is what sort of thing success proves (NIST SP 800-63).
	Factor string

	// AAL is an authenticator assurance level, 0 to 3.
	AAL int
)

// The kinds of address.
const (
	NoAddress AddressKind = ""
	Email     AddressKind = "email"
	Phone     AddressKind = "phone"   // E.164
	Account   AddressKind = "account" // an identifier at the provider, learnt while enrolling
)

// Check refuses a kind that there is not.
func (k AddressKind) Check() error {
	switch k {
	case NoAddress, Email, Phone, Account:
		return nil
	}
	return fmt.Errorf("address kind %q is unknown. There are Phone, Email, NoAddress and Account, which is any name of a person at a provider", string(k))
}

// The forms, spelled as those of package message.
const (
	FormEmail Form = "email" // subject, text and HTML
	FormSMS   Form = "sms"   // short text
	FormChat  Form = "chat"  // text of any length
	FormVoice Form = "voice" // text to be read aloud
)

// The factors.
const (
	Knowledge  Factor = "knowledge"
	Possession Factor = "possession"
	Inherence  Factor = "inherence"
)

// Config is a plugin's typed configuration: a struct whose exported fields
// carry these tags, from which strict decoding, documentation and the JSON
// schema are made.
//
//	json:"name"      the key; every field has one
//	doc:"Sentence."  what it means; every field has one
//	min:"1" max:"9"  bounds, inclusive: of a number, a duration ("5s"), or a text's length in bytes
//	enum:"a,b"       the allowed values of a text, or of each text in a list
//	secret:"file"    on a Secret: name_file may be given in its place
//
// Durations are written as in Go, "5s".
type Config interface {
	// Validate reports every problem at once, joined, each starting with the
	// key it is about. It checks what tags cannot say.
	Validate() error
}

// Decode fills a configuration from wherever it is kept: into points to the
// plugin's struct, which holds the defaults. Unknown keys are errors.
type Decode func(into any) error

// Env is what the host lends to a plugin. It may gain fields.
type Env struct {
	Instance string           // the configured name, unique in this deployment
	Brand    string           // the deployment's name, as people know it
	Origin   string           // where browsers find it: scheme, host and port, "https://login.example.com"
	Log      *slog.Logger     // already labelled with the instance
	HTTP     *http.Client     // traced, with a timeout
	Now      func() time.Time // the only clock
	Random   io.Reader        // cryptographically strong; the only source of chance
	Codes    Codes            // one-time codes under the deployment's policy
	Receipts string           // URL where a carrier's reports reach this instance; empty if nobody outside can
	_        struct{}         // forces keyed literals
}

// Define makes a plugin from its defaults and its constructor.
func Define[C Config](d Descriptor, defaults func() C, open func(context.Context, C, Env) (Channel, error)) Plugin {
	return Plugin{
		Descriptor: d,
		config:     reflect.TypeFor[C](),
		defaults:   func() any { return defaults() },
		open: func(ctx context.Context, decode Decode, env Env) (Channel, error) {
			cfg := defaults()
			if err := decode(&cfg); err != nil {
				return nil, err
			}
			if err := cfg.Validate(); err != nil {
				return nil, err
			}
			return open(ctx, cfg, env)
		},
	}
}

// DefineSender makes a plugin from something that only delivers messages. The
// core makes and compares the codes; what the sender can do besides, such as
// Closer or Tracker, is found by As.
func DefineSender[C Config](d Descriptor, defaults func() C, open func(context.Context, C, Env) (Sender, error)) Plugin {
	p := Define(d, defaults, func(ctx context.Context, cfg C, env Env) (Channel, error) {
		s, err := open(ctx, cfg, env)
		if err != nil {
			return nil, err
		}
		return codeChannel{s, env.Codes}, nil
	})
	p.sender = true
	return p
}

// Check says what a plugin is that it cannot be. A catalogue takes none of which
// it says anything.
func (p Plugin) Check() error {
	if err := p.Address.Check(); err != nil {
		return fmt.Errorf("channel plugin %q: %w", p.Type, err)
	}
	if p.sender && p.Address == Account {
		return fmt.Errorf("channel plugin %q is made with DefineSender for an Account: nobody could enrol, because codes go nowhere before the account is known. "+
			"Make it with Define, and enrol by what a Callback brings; if its address is a number or a mailbox, it is Phone or Email", p.Type)
	}
	return nil
}

// OnlySends reports whether the plugin was made with DefineSender.
func (p Plugin) OnlySends() bool { return p.sender }

// Open builds a channel from its configuration.
func (p Plugin) Open(ctx context.Context, decode Decode, env Env) (Channel, error) {
	if p.open == nil {
		return nil, errors.New("plugin was not made with Define")
	}
	ch, err := p.open(ctx, decode, env)
	if err != nil {
		return nil, fmt.Errorf("open channel %q: %w", env.Instance, err)
	}
	return ch, nil
}

// Wrap is the plugin with everything that it opens put through f, which gets the
// channel and what the host lent to it.
func (p Plugin) Wrap(f func(Channel, Env) Channel) Plugin {
	inner := p.open
	if inner == nil {
		return p
	}
	p.open = func(ctx context.Context, decode Decode, env Env) (Channel, error) {
		ch, err := inner(ctx, decode, env)
		if err != nil {
			return nil, err
		}
		return f(ch, env), nil
	}
	return p
}

// Defaults is the configuration when nothing is configured, of ConfigType.
// It is nil if the plugin was not made with Define.
func (p Plugin) Defaults() any {
	if p.defaults == nil {
		return nil
	}
	return p.defaults()
}

// ConfigType is the struct that documentation and JSON schema are made from.
func (p Plugin) ConfigType() reflect.Type { return p.config }
