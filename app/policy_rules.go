package app

import (
	"errors"
	"fmt"

	"github.com/countersign/countersign/adapters/configfile"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
)

// Rules are the lists of who is not served. Allowing overrides blocking.
type Rules struct {
	Block    Lists  `yaml:"block"`
	Allow    Lists  `yaml:"allow"`
	Honeypot string `yaml:"honeypot_field" max:"40" doc:"A field of sign-up forms that people do not see: whoever fills it in is a machine and is blocked for a day. Empty: none."`
}

// Lists are rules by what they are about.
type Lists struct {
	Email    []string `yaml:"email" doc:"Regular expressions (RE2), searched in the canonical address."`
	Phone    []string `yaml:"phone_prefix" doc:"How numbers begin, such as +1900."`
	Username []string `yaml:"username" doc:"Regular expressions (RE2), searched in the canonical name."`
	IP       []string `yaml:"ip" doc:"Networks and addresses of clients, such as 192.0.2.0/24."`
}

// Validate reports rules that cannot be read, so that none is silently without
// effect.
func (r Rules) Validate() error {
	_, err := r.domain()
	return errors.Join(err, r.checkHoneypot())
}

func (r Rules) domain() (policy.Rules, error) {
	blocking, bad := r.Block.lines(rule.Block, "block")
	allowing, worse := r.Allow.lines(rule.Allow, "allow")
	return policy.Rules{Book: rule.NewBook(append(blocking, allowing...)...), Honeypot: r.Honeypot}, errors.Join(bad, worse)
}

// part is one of the lists.
type part struct {
	subject rule.Subject
	texts   []string
}

func (l Lists) parts() []part {
	return []part{{rule.Email, l.Email}, {rule.Phone, l.Phone}, {rule.Username, l.Username}, {rule.IP, l.IP}}
}

// lines compiles the rules of a list.
func (l Lists) lines(list rule.List, path string) (out []rule.Line, err error) {
	var errs []error
	for _, part := range l.parts() {
		for i, text := range part.texts {
			line, err := rule.Compile(list, part.subject, text)
			if err != nil {
				errs = append(errs, configfile.Problem{Path: fmt.Sprintf("%s.%s[%d]", path, part.subject, i), Text: unreadable(part.subject, err)})
				continue
			}
			out = append(out, line)
		}
	}
	return out, errors.Join(errs...)
}

// unreadable says what a rule should have looked like, and what the reader of
// patterns found wrong with it.
func unreadable(s rule.Subject, err error) string {
	text := "is not a regular expression (RE2)"
	switch s {
	case rule.Phone:
		text = "is not how a number begins, such as +1900"
	case rule.IP:
		text = "is not a network such as 192.0.2.0/24, or an address"
	case rule.Email, rule.Username:
	}
	if cause := errors.Unwrap(err); cause != nil {
		text += ": " + cause.Error()
	}
	return text
}
