package app

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/countersign/countersign/adapters/configfile"
)

// Validate reports decisions that contradict each other.
func (p Policy) Validate() error {
	return errors.Join(
		twice("sign_up.required", p.SignUp.Required), twice("identity.fields", p.Identity.Fields), twice("identity.profile", p.Identity.Profile),
		p.checkRequired(), p.checkPassword(), p.checkDefer(),
	)
}

// twice reports what a list names more than once.
func twice(path string, names []string) error {
	var errs []error
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			errs = append(errs, configfile.Problem{Path: fmt.Sprintf("%s[%d]", path, i), Text: fmt.Sprintf("%q is named twice", n)})
		}
	}
	return errors.Join(errs...)
}

// checkRequired reports identifiers that new users must have and cannot.
func (p Policy) checkRequired() error {
	var errs []error
	for i, kind := range p.SignUp.Required {
		if !slices.Contains(p.Identity.Fields, kind) {
			errs = append(errs, configfile.Problem{
				Path: fmt.Sprintf("sign_up.required[%d]", i), Text: fmt.Sprintf("requires %q, which identity.fields does not have: nobody could sign up", kind),
				Hint: "Add it to identity.fields, or do not require it.",
			})
		}
	}
	return errors.Join(errs...)
}

// checkDefer reports sign-ups that lead to accounts which nobody could find again.
func (p Policy) checkDefer() error {
	byName := p.Password.Enabled && slices.Contains(p.Identity.Fields, "username")
	if !p.SignUp.Allowed || !p.Identity.Defer || p.Identity.AutoSend || byName {
		return nil
	}
	return configfile.Problem{
		Path: "identity.defer", Text: "leaves nothing by which somebody who signs up could sign in: no code goes out, and there are no user names with passwords",
		Hint: "Set identity.auto_send, or have user names and passwords.",
	}
}

// checkPassword reports passwords that could never be used.
func (p Policy) checkPassword() error {
	if !p.Password.Enabled || len(p.Identity.Fields) > 0 {
		return nil
	}
	return configfile.Problem{
		Path: "password.enabled", Text: "needs something that people are found by, and identity.fields is empty",
		Hint: "Add username, email or phone to identity.fields, or switch passwords off.",
	}
}

// honeypotForm is what names of fields look like.
var honeypotForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// realFields are those that people fill in; see POST /v1/users, /v1/challenges
// and /v1/sign-in/complete.
func realFields() []string {
	return []string{
		"username", "email", "phone", "password", "first_name", "last_name", "locale",
		"purpose", "to", "channel", "device_id", "return_to", "detail", "metadata", "identifier", "code", "token",
	}
}

func (r Rules) checkHoneypot() error {
	problem := configfile.Problem{Path: "honeypot_field"}
	switch {
	case r.Honeypot == "":
		return nil
	case !honeypotForm.MatchString(r.Honeypot):
		problem.Text = "is not the name of a field: use small letters, digits and underscores, such as website"
	case slices.Contains(realFields(), r.Honeypot):
		problem.Text, problem.Hint = "is a field that people fill in: they would all be blocked", "Use a name that no form has, such as website."
	default:
		return nil
	}
	return problem
}
