package app

import (
	"time"

	"github.com/countersign/countersign/adapters/configfile"
	"github.com/countersign/countersign/domain/user"
)

// Policy is what the default tenant decides, and what other tenants decide
// unless they say otherwise.
type Policy struct {
	SignUp    SignUp    `yaml:"sign_up"`
	Identity  Identity  `yaml:"identity"`
	Challenge Challenge `yaml:"challenge"`
	Throttle  Throttle  `yaml:"throttle"`
	Limits    Limits    `yaml:"limits"`
	Rules     Rules     `yaml:"rules"`
	TwoFactor TwoFactor `yaml:"two_factor"`
	Password  Password  `yaml:"password"`
	Tokens    Tokens    `yaml:"tokens"`
}

// SignUp says who may become a user.
type SignUp struct {
	Allowed    bool     `yaml:"allowed" doc:"Whether new accounts can be made at all, other than by invitation."`
	AutoCreate bool     `yaml:"auto_create" doc:"Whether answering a sign-in challenge to an unknown address makes an account."`
	Invite     bool     `yaml:"invite" doc:"Whether users may invite others; operators always may."`
	Required   []string `yaml:"required" enum:"username,email,phone" doc:"The kinds of identifiers that a new user must have: addresses proven, a user name chosen. Nobody is let in for the first time without."`

	KeepIdle time.Duration `yaml:"keep_idle" min:"0s" max:"87600h" doc:"How long an account made by a form is kept if no address of it is ever proven and nobody signs in; 0s: for ever."`
}

// Validate reports accounts that would go while their addresses still wait.
func (s SignUp) Validate() error {
	if s.KeepIdle > 0 && s.KeepIdle < user.ChangeLife {
		return configfile.Problem{Path: "keep_idle", Text: "is shorter than the 24h for which an address may wait for its proof"}
	}
	return nil
}

// Identity says by what people are found.
type Identity struct {
	Fields           []string `yaml:"fields" enum:"username,email,phone" doc:"The kinds of identifiers that people may have."`
	Profile          []string `yaml:"profile" enum:"first_name,last_name" doc:"The names that people may have."`
	Region           string   `yaml:"default_region" min:"2" max:"2" doc:"ISO 3166 country of phone numbers that name none."`
	Defer            bool     `yaml:"defer" doc:"Whether addresses given at sign-up are nobody's until they are proven."`
	AutoSend         bool     `yaml:"auto_send" doc:"Whether codes go out at once to the addresses given at sign-up."`
	UpdateFromDevice bool     `yaml:"update_from_device" doc:"Whether an address that a device has proven becomes an identifier, if there is none of its kind."`
}

// Challenge says what a code looks like and how long it works.
type Challenge struct {
	Anonymous    bool          `yaml:"anonymous" doc:"Whether anybody may have codes sent, or only who is signed in or knows the password."`
	PublicVerify bool          `yaml:"public_verify" doc:"Whether anybody may have an address verified, or only API keys."`
	Link         bool          `yaml:"link" doc:"Whether messages also carry a link that answers."`
	Length       int           `yaml:"length" min:"4" max:"16" doc:"Characters of a code."`
	Alphabet     string        `yaml:"alphabet" enum:"digits,crockford" doc:"What codes are made of; crockford is base 32 without look-alikes."`
	Life         time.Duration `yaml:"life" min:"30s" max:"10m" doc:"How long a code works."`
	Attempts     int           `yaml:"attempts" min:"1" max:"10" doc:"How many answers are evaluated."`
	ResendAfter  time.Duration `yaml:"resend_after" min:"0s" max:"10m" doc:"The wait between two messages to one destination."`
	Sends        int           `yaml:"sends" min:"1" max:"10" doc:"How often one code is sent."`
	Live         int           `yaml:"live_per_destination" min:"1" max:"10" doc:"How many codes of one destination work at a time; the oldest die first."`
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

	Conversion Conversion `yaml:"prefix_conversion"`
}

// Conversion says when codes to a range of phone numbers are no longer sent.
type Conversion struct {
	Sends  int           `yaml:"sends" min:"0" max:"100000" doc:"Codes to numbers that differ only in their last four digits which nobody need answer; 0 switches this off."`
	Within time.Duration `yaml:"within" min:"1m" max:"24h" doc:"The spans in which they are counted."`
	Below  int           `yaml:"below_percent" min:"1" max:"100" doc:"If fewer percent of them are answered rightly, none is sent there for a while, and nobody is told."`
	Block  time.Duration `yaml:"block" min:"1m" max:"168h" doc:"How long that is."`
}

// TwoFactor says how second factors are used.
type TwoFactor struct {
	Mode         string        `yaml:"mode" enum:"off,optional,required" doc:"off: never; optional: as each person decides; required: whoever has a device is asked for it."`
	StepUpMaxAge time.Duration `yaml:"step_up_max_age" min:"30s" max:"24h" doc:"How fresh a proof must be for what weakens an account."`
	Remember     time.Duration `yaml:"remember_device" min:"0s" max:"8760h" doc:"How long a browser that gave a second factor is not asked again; 0s: always asked."`
}

// Password says how passwords are used.
type Password struct {
	Enabled   bool   `yaml:"enabled" doc:"Whether people may have a password and sign in with it."`
	MinLength int    `yaml:"min_length" min:"8" max:"128" doc:"The shortest password, in characters."`
	Breached  string `yaml:"breached" enum:"off,refuse_common" doc:"refuse_common: not one of the passwords that everybody uses."`
}

// Tokens says how long people stay signed in.
type Tokens struct {
	Access      time.Duration `yaml:"access" min:"1m" max:"1h" doc:"Life of an access token."`
	Refresh     time.Duration `yaml:"refresh" min:"1h" max:"8760h" doc:"Life of a session, whatever is refreshed."`
	RotateGrace time.Duration `yaml:"rotate_grace" min:"0s" max:"1m" doc:"How long the last refresh token is answered again."`
	Algorithm   string        `yaml:"algorithm" enum:"EdDSA,ES256" doc:"How new keys sign."`
}
