// Package policy decides: what a code looks like, how often things may happen,
// and what is needed next. Policies are data, decisions are pure functions.
package policy

import (
	"slices"
	"time"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
)

// Policy is everything that a tenant decides.
type Policy struct {
	SignUp    SignUp
	Identity  Identity
	Challenge Challenge
	Throttle  limit.Throttle
	Limits    Limits
	Rules     Rules
	TwoFactor TwoFactor
	Password  Password
	Tokens    Tokens
}

// SignUp says who may become a user.
type SignUp struct {
	Allowed    bool           // at all
	AutoCreate bool           // by answering a sign-in challenge to an unknown address
	Invite     bool           // whether users may invite; operators always may
	Required   []contact.Kind // what a new user must have: addresses proven, a user name chosen
	KeepIdle   time.Duration  // how long accounts are kept of which nothing came (user.Account.Idle); 0: for ever
}

// Identity says by what people are found.
type Identity struct {
	Fields           []contact.Kind // which kinds of identifiers there are
	Profile          []string       // which names people may have: ProfileFields
	Region           string         // ISO 3166 region of phone numbers without a country
	Defer            bool           // addresses given at sign-up are nobody's until they are proven
	AutoSend         bool           // codes go out to the addresses given at sign-up
	UpdateFromDevice bool           // an address that a device has proven becomes an identifier, if there is none of its kind
}

// ProfileFields are the names that people may have.
func ProfileFields() []string { return []string{FirstName, LastName} }

// The names that people may have.
const (
	FirstName = "first_name"
	LastName  = "last_name"
)

// Names reports whether people may have a name of that field here.
func (i Identity) Names(field string) bool { return slices.Contains(i.Profile, field) }

// Rules are the lists of who is not served.
type Rules struct {
	Book     rule.Book
	Honeypot string // a field that people do not see: who fills it in is a machine; "" is none
}

// Password says how passwords are used.
type Password struct {
	Enabled bool
	Rules   password.Rules
}

// Allows reports whether people are found by identifiers of this kind.
func (i Identity) Allows(k contact.Kind) bool {
	return slices.Contains(i.Fields, k)
}

// Challenge says what a code looks like and how long it lasts.
type Challenge struct {
	Anonymous   bool // whether anybody may have codes sent, or only who is signed in or knows the password
	PublicProof bool // whether anybody may have an address verified (purpose verify), or only API keys
	Link        bool // whether messages also carry a link
	Format      challenge.Format
	Life        time.Duration
	Attempts    int           // evaluations of one challenge
	ResendAfter time.Duration // between two messages to one destination; 0 means no wait
	Sends       int           // messages of one challenge
	Live        int           // challenges alive per destination; the oldest die first
}

// Limits are windows, charged by the transaction that starts a challenge unless
// they say otherwise.
type Limits struct {
	Recipient       []limit.Rule     // messages to one destination
	Address         []limit.Rule     // challenges from one client address
	AddressFailures []limit.Rule     // wrong answers from one client address
	Tenant          []limit.Rule     // challenges of the whole tenant
	Conversion      limit.Conversion // of messages to a range of phone numbers; charged when one goes out
}

// Mode says how second factors are used.
type Mode string

// The modes.
const (
	Off      Mode = "off"
	Optional Mode = "optional" // people decide for themselves
	Required Mode = "required" // whoever has a device is always asked for it
)

// TwoFactor is the policy of second factors.
type TwoFactor struct {
	Mode         Mode
	Remember     time.Duration // how long a browser that gave a second factor is not asked again; 0: always asked
	StepUpMaxAge time.Duration // how fresh a proof must be for what weakens an account
}

// Tokens says how long tokens last.
type Tokens struct {
	Access  time.Duration
	Refresh time.Duration // absolute life of a session
	Grace   time.Duration // in which the last refresh token is answered again
	Pending time.Duration // in which a second factor, or what else is missing, must follow
}

// AsksForSecond reports whether a sign-in needs a second factor. Whoever has no
// device cannot be asked for one.
func (p Policy) AsksForSecond(u user.User, devices int) bool {
	switch p.TwoFactor.Mode {
	case Off:
		return false
	case Required:
		return devices > 0
	case Optional:
	}
	return u.TwoFactor && devices > 0
}

// StepUp is what somebody must do before an account may be weakened.
type StepUp struct {
	ACR    string
	MaxAge time.Duration
}

// NeedsStepUp reports what is missing before an account may be weakened. Whoever
// is asked for a second factor when they sign in must have used one lately: a
// stolen token alone takes no lock off. For others any fresh proof does.
func (p Policy) NeedsStepUp(u user.User, evidence []assurance.Evidence, devices int, now time.Time) (StepUp, bool) {
	need := StepUp{ACR: assurance.AAL1.ACR(), MaxAge: p.TwoFactor.StepUpMaxAge}
	if p.AsksForSecond(u, devices) {
		need.ACR = assurance.AAL2.ACR()
		evidence = assurance.Devices(evidence)
	}
	return need, len(evidence) == 0 || now.Sub(assurance.Newest(evidence)) > need.MaxAge
}

// Default is the policy when nothing is configured.
func Default() Policy {
	return Policy{
		SignUp: SignUp{Allowed: true, AutoCreate: true, Invite: true, KeepIdle: 720 * time.Hour},
		Identity: Identity{
			Fields:  []contact.Kind{contact.Username, contact.Email, contact.Phone},
			Profile: ProfileFields(), Region: "GB", UpdateFromDevice: true,
		},
		Challenge: Challenge{
			Anonymous: true, Link: true, Format: challenge.Digits(6), Life: 5 * time.Minute, Attempts: 5,
			ResendAfter: 30 * time.Second, Sends: 3, Live: 3,
		},
		Throttle: limit.Throttle{Free: 5, Factor: 30 * time.Second, Cap: time.Hour, DisableAt: 50},
		Limits: Limits{
			Recipient:       []limit.Rule{{Max: 5, Window: time.Hour}, {Max: 10, Window: 24 * time.Hour}},
			Address:         []limit.Rule{{Max: 20, Window: 10 * time.Minute}},
			AddressFailures: []limit.Rule{{Max: 60, Window: 10 * time.Minute}},
			Conversion:      limit.Conversion{Sends: 20, Within: 10 * time.Minute, Below: 10, Block: time.Hour},
		},
		TwoFactor: TwoFactor{Mode: Optional, Remember: 720 * time.Hour, StepUpMaxAge: 5 * time.Minute},
		Password:  Password{Enabled: true, Rules: password.Rules{MinLength: 8, RefuseCommon: true}},
		Tokens: Tokens{
			Access: 10 * time.Minute, Refresh: 720 * time.Hour, Grace: 10 * time.Second, Pending: 5 * time.Minute,
		},
	}
}
