package policy

import (
	"slices"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/rule"
)

// Door is a way of becoming a user.
type Door string

// The doors.
const (
	ByForm       Door = "form"       // POST /v1/users
	ByCode       Door = "code"       // by answering a sign-in challenge to an unknown address
	ByProvider   Door = "provider"   // somebody else says who they are
	ByInvitation Door = "invitation" // somebody asked them in
)

// Reason explains a decision to operators. Reasons are stable.
type Reason string

// The reasons.
const (
	Fine         Reason = "allowed"
	Closed       Reason = "sign_up_closed"    // sign_up.allowed is false
	NoAutoCreate Reason = "no_auto_create"    // sign_up.auto_create is false
	NoInvites    Reason = "invites_off"       // sign_up.invite is false
	BlockedBy    Reason = "blocked_by_rule"   // a list says so
	AllowedBy    Reason = "allowed_by_rule"   // a list overrides another one
	WrongKind    Reason = "kind_not_used"     // identity.fields lacks the kind
	NameOnly     Reason = "name_proves_none"  // a user name cannot be proven
	Missing      Reason = "identifier_needed" // sign_up.required is not met
)

// Decision is what a policy says, and why. Why holds rules and names of fields,
// nothing about anybody.
type Decision struct {
	OK      bool
	Reason  Reason
	Why     string         // the rule or field that decided
	Missing []contact.Kind // what must be there first
}

// Serve decides whether an address or name may be used at all, from the client
// that asks. More are rules that were added while the server ran.
func (p Policy) Serve(q rule.Asked, more rule.Book) Decision {
	if !q.Contact.IsZero() && !p.Identity.Allows(q.Contact.Kind) {
		return Decision{Reason: WrongKind, Why: string(q.Contact.Kind)}
	}
	switch d := p.Rules.Book.With(more).Decide(q); {
	case d.Blocked:
		return Decision{Reason: BlockedBy, Why: d.Rule}
	case d.Rule != "":
		return Decision{OK: true, Reason: AllowedBy, Why: d.Rule}
	}
	return Decision{OK: true, Reason: Fine}
}

// Admit decides whether somebody may become a user through a door, by what they
// have proven or, for names, chosen.
func (p Policy) Admit(d Door, has []contact.Kind) Decision {
	switch {
	case d == ByInvitation: // was allowed when it was made
	case !p.SignUp.Allowed:
		return Decision{Reason: Closed, Why: "sign_up.allowed"}
	case d == ByCode && !p.SignUp.AutoCreate:
		return Decision{Reason: NoAutoCreate, Why: "sign_up.auto_create"}
	case d == ByCode && !slices.ContainsFunc(has, provable):
		return Decision{Reason: NameOnly}
	}
	if d == ByForm { // who signs up by a form proves what is required at their first sign-in
		return Decision{OK: true, Reason: Fine}
	}
	if missing := p.Lacks(has); len(missing) > 0 {
		return Decision{Reason: Missing, Why: "sign_up.required", Missing: missing}
	}
	return Decision{OK: true, Reason: Fine}
}

// Lacks lists the kinds of identifiers that new users must have and that are not
// among those given, in the order of the policy.
func (p Policy) Lacks(has []contact.Kind) []contact.Kind {
	var out []contact.Kind
	for _, k := range p.SignUp.Required {
		if !slices.Contains(has, k) {
			out = append(out, k)
		}
	}
	return out
}

func provable(k contact.Kind) bool { return k != contact.Username }

// Invites decides whether users may ask others in.
func (p Policy) Invites() Decision {
	if !p.SignUp.Invite {
		return Decision{Reason: NoInvites, Why: "sign_up.invite"}
	}
	return Decision{OK: true, Reason: Fine}
}
