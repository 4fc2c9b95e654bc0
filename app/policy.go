package app

import (
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/adapters/configfile"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/policy"
)

// Policy is what the default tenant decides.
type Policy struct {
	SignUp    SignUp    `yaml:"sign_up"`
	Identity  Identity  `yaml:"identity"`
	Challenge Challenge `yaml:"challenge"`
	Throttle  Throttle  `yaml:"throttle"`
	Limits    Limits    `yaml:"limits"`
	TwoFactor TwoFactor `yaml:"two_factor"`
	Tokens    Tokens    `yaml:"tokens"`
}

// SignUp says who may become a user.
type SignUp struct {
	Allowed    bool `yaml:"allowed" doc:"Whether new accounts can be made at all."`
	AutoCreate bool `yaml:"auto_create" doc:"Whether answering a sign-in challenge to an unknown address makes an account."`
}

// Identity says by what people are found.
type Identity struct {
	Fields []string `yaml:"fields" enum:"username,email,phone" doc:"The kinds of identifiers that people may have."`
	Region string   `yaml:"default_region" min:"2" max:"2" doc:"ISO 3166 country of phone numbers that name none."`
}

// Challenge says what a code looks like and how long it works.
type Challenge struct {
	Length      int           `yaml:"length" min:"4" max:"16" doc:"Characters of a code."`
	Alphabet    string        `yaml:"alphabet" enum:"digits,crockford" doc:"What codes are made of; crockford is base 32 without look-alikes."`
	Life        time.Duration `yaml:"life" min:"30s" max:"10m" doc:"How long a code works."`
	Attempts    int           `yaml:"attempts" min:"1" max:"10" doc:"How many answers are evaluated."`
	ResendAfter time.Duration `yaml:"resend_after" min:"0s" max:"10m" doc:"The wait between two messages to one destination."`
	Sends       int           `yaml:"sends" min:"1" max:"10" doc:"How often one code is sent."`
	Live        int           `yaml:"live_per_destination" min:"1" max:"10" doc:"How many codes of one destination work at a time; the oldest die first."`
}

// Throttle says how wrong answers slow down those that follow.
type Throttle struct {
	Free      int           `yaml:"free" min:"0" max:"20" doc:"Failures in a row without a wait."`
	Factor    time.Duration `yaml:"factor" min:"0s" max:"1h" doc:"The first wait; each further one is twice as long."`
	Cap       time.Duration `yaml:"cap" min:"1s" max:"24h" doc:"The longest wait."`
	DisableAt int           `yaml:"disable_at" min:"1" max:"100" doc:"Failures in a row after which nothing is evaluated any more."`
}

// Limits are windows: "5/1h" allows five within an hour.
type Limits struct {
	Recipient  []string `yaml:"recipient" doc:"Messages to one destination."`
	IP         []string `yaml:"ip" doc:"Challenges from one client address."`
	IPFailures []string `yaml:"ip_failures" doc:"Wrong answers from one client address."`
	Tenant     []string `yaml:"tenant" doc:"Challenges of the whole tenant."`
}

// TwoFactor says how second factors are used.
type TwoFactor struct {
	Mode         string        `yaml:"mode" enum:"off,optional,required" doc:"off: never; optional: as each person decides; required: whoever has a device is asked for it."`
	StepUpMaxAge time.Duration `yaml:"step_up_max_age" min:"30s" max:"24h" doc:"How fresh a proof must be for what weakens an account."`
}

// Tokens says how long people stay signed in.
type Tokens struct {
	Access      time.Duration `yaml:"access" min:"1m" max:"1h" doc:"Life of an access token."`
	Refresh     time.Duration `yaml:"refresh" min:"1h" max:"8760h" doc:"Life of a session, whatever is refreshed."`
	RotateGrace time.Duration `yaml:"rotate_grace" min:"0s" max:"1m" doc:"How long the last refresh token is answered again."`
	Algorithm   string        `yaml:"algorithm" enum:"EdDSA,ES256" doc:"How new keys sign."`
}

func defaultPolicy() Policy {
	d := policy.Default()
	return Policy{
		SignUp:   SignUp{Allowed: d.SignUp.Allowed, AutoCreate: d.SignUp.AutoCreate},
		Identity: Identity{Fields: kindNames(d.Identity.Fields), Region: d.Identity.Region},
		Challenge: Challenge{
			Length: d.Challenge.Format.Length(), Alphabet: "digits", Life: d.Challenge.Life, Attempts: d.Challenge.Attempts,
			ResendAfter: d.Challenge.ResendAfter, Sends: d.Challenge.Sends, Live: d.Challenge.Live,
		},
		Throttle: Throttle{Free: d.Throttle.Free, Factor: d.Throttle.Factor, Cap: d.Throttle.Cap, DisableAt: d.Throttle.DisableAt},
		Limits: Limits{
			Recipient: ruleNames(d.Limits.Recipient), IP: ruleNames(d.Limits.Address),
			IPFailures: ruleNames(d.Limits.AddressFailures), Tenant: ruleNames(d.Limits.Tenant),
		},
		TwoFactor: TwoFactor{Mode: string(d.TwoFactor.Mode), StepUpMaxAge: d.TwoFactor.StepUpMaxAge},
		Tokens: Tokens{
			Access: d.Tokens.Access, Refresh: d.Tokens.Refresh, RotateGrace: d.Tokens.Grace, Algorithm: "EdDSA",
		},
	}
}

// Validate reports limits that cannot be read.
func (l Limits) Validate() error {
	_, err := l.domain()
	return err
}

func (l Limits) domain() (out policy.Limits, err error) {
	var errs []error
	read := func(path string, texts []string) (rules []limit.Rule) {
		for i, text := range texts {
			r, err := limit.ParseRule(text)
			if err != nil {
				errs = append(errs, configfile.Problem{Path: fmt.Sprintf("%s[%d]", path, i), Text: `does not read like "5/1h": how many, a slash, and within what time`})
			}
			rules = append(rules, r)
		}
		return rules
	}
	out.Recipient, out.Address = read("recipient", l.Recipient), read("ip", l.IP)
	out.AddressFailures, out.Tenant = read("ip_failures", l.IPFailures), read("tenant", l.Tenant)
	return out, errors.Join(errs...)
}

// domain is the policy as the core sees it.
func (p Policy) domain() (policy.Policy, error) {
	limits, err := p.Limits.domain()
	out := policy.Policy{
		SignUp:   policy.SignUp{Allowed: p.SignUp.Allowed, AutoCreate: p.SignUp.AutoCreate},
		Identity: policy.Identity{Region: p.Identity.Region},
		Challenge: policy.Challenge{
			Format: challenge.Digits(p.Challenge.Length), Life: p.Challenge.Life, Attempts: p.Challenge.Attempts,
			ResendAfter: p.Challenge.ResendAfter, Sends: p.Challenge.Sends, Live: p.Challenge.Live,
		},
		Throttle:  limit.Throttle{Free: p.Throttle.Free, Factor: p.Throttle.Factor, Cap: p.Throttle.Cap, DisableAt: p.Throttle.DisableAt},
		Limits:    limits,
		TwoFactor: policy.TwoFactor{Mode: policy.Mode(p.TwoFactor.Mode), StepUpMaxAge: p.TwoFactor.StepUpMaxAge},
		Tokens: policy.Tokens{
			Access: p.Tokens.Access, Refresh: p.Tokens.Refresh, Grace: p.Tokens.RotateGrace, Pending: policy.Default().Tokens.Pending,
		},
	}
	if p.Challenge.Alphabet == "crockford" {
		out.Challenge.Format = challenge.Crockford(p.Challenge.Length)
	}
	for _, f := range p.Identity.Fields {
		out.Identity.Fields = append(out.Identity.Fields, contact.Kind(f))
	}
	return out, err
}

func kindNames(kinds []contact.Kind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return out
}

func ruleNames(rules []limit.Rule) []string {
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = r.String()
	}
	return out
}
