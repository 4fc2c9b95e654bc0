package app

import (
	"errors"
	"fmt"

	"github.com/countersign/countersign/adapters/configfile"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/policy"
)

// What the values that are words mean.
const (
	crockford    = "crockford"
	digits       = "digits"
	breachedOff  = "off"
	refuseCommon = "refuse_common"
)

func defaultPolicy() Policy {
	d := policy.Default()
	return Policy{
		SignUp: SignUp{
			Allowed: d.SignUp.Allowed, AutoCreate: d.SignUp.AutoCreate, Invite: d.SignUp.Invite, Required: kindNames(d.SignUp.Required),
			KeepIdle: d.SignUp.KeepIdle,
		},
		Identity: Identity{
			Fields: kindNames(d.Identity.Fields), Profile: d.Identity.Profile, Region: d.Identity.Region, Defer: d.Identity.Defer,
			AutoSend: d.Identity.AutoSend, UpdateFromDevice: d.Identity.UpdateFromDevice,
		},
		Challenge: Challenge{
			Anonymous: d.Challenge.Anonymous, PublicVerify: d.Challenge.PublicProof, Link: d.Challenge.Link,
			Length: d.Challenge.Format.Length(), Alphabet: digits, Life: d.Challenge.Life, Attempts: d.Challenge.Attempts,
			ResendAfter: d.Challenge.ResendAfter, Sends: d.Challenge.Sends, Live: d.Challenge.Live,
		},
		Throttle: Throttle{Free: d.Throttle.Free, Factor: d.Throttle.Factor, Cap: d.Throttle.Cap, DisableAt: d.Throttle.DisableAt},
		Limits: Limits{
			Recipient: ruleNames(d.Limits.Recipient), IP: ruleNames(d.Limits.Address),
			IPFailures: ruleNames(d.Limits.AddressFailures), Tenant: ruleNames(d.Limits.Tenant), Conversion: Conversion(d.Limits.Conversion),
		},
		TwoFactor: TwoFactor{Mode: string(d.TwoFactor.Mode), StepUpMaxAge: d.TwoFactor.StepUpMaxAge, Remember: d.TwoFactor.Remember},
		Password:  Password{Enabled: d.Password.Enabled, MinLength: d.Password.Rules.MinLength, Breached: refuseCommon},
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
	out.Conversion = limit.Conversion(l.Conversion)
	return out, errors.Join(errs...)
}

// domain is the policy as the core sees it.
func (p Policy) domain() (policy.Policy, error) {
	limits, bad := p.Limits.domain()
	rules, worse := p.Rules.domain()
	return policy.Policy{
		SignUp: policy.SignUp{
			Allowed: p.SignUp.Allowed, AutoCreate: p.SignUp.AutoCreate, Invite: p.SignUp.Invite, Required: kinds(p.SignUp.Required),
			KeepIdle: p.SignUp.KeepIdle,
		},
		Identity: policy.Identity{
			Fields: kinds(p.Identity.Fields), Profile: p.Identity.Profile, Region: p.Identity.Region, Defer: p.Identity.Defer,
			AutoSend: p.Identity.AutoSend, UpdateFromDevice: p.Identity.UpdateFromDevice,
		},
		Challenge: p.Challenge.domain(),
		Throttle:  limit.Throttle{Free: p.Throttle.Free, Factor: p.Throttle.Factor, Cap: p.Throttle.Cap, DisableAt: p.Throttle.DisableAt},
		Limits:    limits,
		Rules:     rules,
		TwoFactor: policy.TwoFactor{Mode: policy.Mode(p.TwoFactor.Mode), Remember: p.TwoFactor.Remember, StepUpMaxAge: p.TwoFactor.StepUpMaxAge},
		Password: policy.Password{
			Enabled: p.Password.Enabled,
			Rules:   password.Rules{MinLength: p.Password.MinLength, RefuseCommon: p.Password.Breached == refuseCommon},
		},
		Tokens: policy.Tokens{
			Access: p.Tokens.Access, Refresh: p.Tokens.Refresh, Grace: p.Tokens.RotateGrace, Pending: policy.Default().Tokens.Pending,
		},
	}, errors.Join(bad, worse)
}

func (c Challenge) domain() policy.Challenge {
	format := challenge.Digits(c.Length)
	if c.Alphabet == crockford {
		format = challenge.Crockford(c.Length)
	}
	return policy.Challenge{
		Anonymous: c.Anonymous, PublicProof: c.PublicVerify, Link: c.Link, Format: format, Life: c.Life, Attempts: c.Attempts,
		ResendAfter: c.ResendAfter, Sends: c.Sends, Live: c.Live,
	}
}

func kinds(names []string) []contact.Kind {
	var out []contact.Kind
	for _, n := range names {
		out = append(out, contact.Kind(n))
	}
	return out
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
