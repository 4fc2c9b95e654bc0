package httpsender

import (
	"regexp"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// recipe is how one provider is spoken to. README.md describes the format for
// those who write one; readRecipe reads it.
type recipe struct {
	At       position
	Name     string                       `yaml:"name"`
	Title    string                       `yaml:"title"`
	Summary  string                       `yaml:"summary"`
	Docs     string                       `yaml:"docs"`
	Address  string                       `yaml:"address" enum:"email,phone"`
	Form     string                       `yaml:"form" enum:"email,sms,chat,voice"`
	Params   map[string]param             `yaml:"params"`
	Tables   map[string]map[string]string `yaml:"tables"`
	Endpoint text                         `yaml:"endpoint"`
	Request  request                      `yaml:"request"`
	Success  []condition                  `yaml:"success"`
	Receipt  receipt                      `yaml:"receipt"`
	Errors   []rule                       `yaml:"errors"`
	Receipts *receipts                    `yaml:"receipts"`
}

// param is what an operator has to say, or may.
type param struct {
	At       position
	Doc      string `yaml:"doc"`
	Kind     string `yaml:"kind" enum:"text,host,sender,pem"`
	Secret   bool   `yaml:"secret"`
	Optional bool   `yaml:"optional"`
	Default  string `yaml:"default"`
	Pattern  string `yaml:"pattern"`
}

// request is what is sent.
type request struct {
	At      position
	Method  string          `yaml:"method" enum:"GET,POST,PUT"`
	Path    path            `yaml:"path"`
	Query   map[string]text `yaml:"query"`
	Headers map[string]text `yaml:"headers"`
	Auth    auth            `yaml:"auth"`
	JSON    *body           `yaml:"json"`
	Form    map[string]text `yaml:"form"`
}

// auth is how we show who we are; at most one of them. Providers that want a
// header of their own get it with the others.
type auth struct {
	At     position
	Basic  *basic  `yaml:"basic"`
	Bearer *text   `yaml:"bearer"`
	SigV4  *sigV4  `yaml:"aws_sigv4"`
	JWT    *signed `yaml:"jwt_rs256"`
}

type basic struct {
	Username text `yaml:"username"`
	Password text `yaml:"password"`
}

type sigV4 struct {
	AccessKey    text  `yaml:"access_key"`
	SecretKey    text  `yaml:"secret_key"`
	SessionToken *text `yaml:"session_token"`
	Region       text  `yaml:"region"`
	Service      text  `yaml:"service"`
}

type signed struct {
	Key    text            `yaml:"key"`
	Claims map[string]text `yaml:"claims"`
	Life   time.Duration   `yaml:"life"`
}

// condition is about an answer, or a report: all that is given must hold.
type condition struct {
	At      position
	Status  []int            `yaml:"status"`
	JSON    map[string]match `yaml:"json"`
	Headers map[string]match `yaml:"headers"`
}

// receipt is where an answer names the message.
type receipt struct {
	At     position
	Header string `yaml:"header"`
	JSON   string `yaml:"json"`
}

// rule sorts answers that are no success.
type rule struct {
	condition

	Class string `yaml:"class" enum:"unavailable,throttled,undeliverable,refused"`
	After after  `yaml:"after"`
	Help  string `yaml:"help"`
}

// after is where a throttled answer says how long to wait; Retry-After if it does
// not say otherwise.
type after struct {
	Header string `yaml:"header"`
	Unit   string `yaml:"unit" enum:"seconds,epoch"`
}

// receipts is how a provider reports what became of messages.
type receipts struct {
	At        position
	Content   string    `yaml:"content" enum:"json,form,query"`
	Signature signature `yaml:"signature"`
	Greeting  *greeting `yaml:"greeting"`
	Inside    string    `yaml:"inside"`
	Each      string    `yaml:"each"`
	ID        reference `yaml:"id"`
	Outcomes  []outcome `yaml:"outcomes"`
}

// greeting is how a provider asks whether the address for reports is ours: a GET
// request whose query has all that When says. It is answered with a field of it,
// if another one holds what was agreed.
type greeting struct {
	At     position
	When   map[string]match `yaml:"when"`
	Token  string           `yaml:"token"`
	Key    text             `yaml:"key"`
	Answer string           `yaml:"answer"`
}

// reference is where a report names the message.
type reference struct {
	At    position
	Field string `yaml:"field"`
	Until string `yaml:"until"`
}

// outcome sorts reports; those that no outcome matches are not the end yet.
type outcome struct {
	At      position
	Fields  map[string]match `yaml:"fields"`
	Outcome string           `yaml:"outcome" enum:"delivered,complained,unavailable,throttled,undeliverable,refused"`
}

// signature is how a report shows who sent it; exactly one of them.
type signature struct {
	At      position
	Basic   *basic    `yaml:"basic"`
	HMAC    *mac      `yaml:"hmac"`
	ECDSA   *keyed    `yaml:"ecdsa"`
	Ed25519 *keyed    `yaml:"ed25519"`
	JWT     *jwtHS256 `yaml:"jwt_hs256"`
	SNS     *notary   `yaml:"aws_sns"`
	Fresh   *fresh    `yaml:"fresh"`
}

type mac struct {
	Hash        string `yaml:"hash" enum:"sha1,sha256"`
	Key         text   `yaml:"key"`
	KeyEncoding string `yaml:"key_encoding" enum:"text,whsec"`
	Over        text   `yaml:"over"`
	Value       text   `yaml:"value"`
	Prefix      string `yaml:"prefix"`
	Encoding    string `yaml:"encoding" enum:"hex,base64"`
}

type keyed struct {
	Key   text `yaml:"key"`
	Over  text `yaml:"over"`
	Value text `yaml:"value"`
}

// jwtHS256 is a token in a header, with the hash of what was sent and the time.
type jwtHS256 struct {
	Key    text   `yaml:"key"`
	Header string `yaml:"header"` // that holds the token alone; Authorization, behind Bearer, if empty
	Issuer string `yaml:"issuer"`
	URL    bool   `yaml:"url"` // the hash of the URL is in it too
}

// notary is Amazon SNS, which signs what is published to a topic with a
// certificate that it names.
type notary struct {
	Topic text `yaml:"topic"`
}

// fresh is where a report says when it was signed, in seconds since 1970.
type fresh struct {
	Value  text          `yaml:"value"`
	Within time.Duration `yaml:"within"`
}

// descriptor is what a channel is that is made from the recipe. What it proves
// follows from how messages reach people, so no recipe can claim more.
func (r *recipe) descriptor() channel.Descriptor {
	d := channel.Descriptor{
		Type: pluginType, Title: r.Title, Summary: r.Summary, Address: channel.AddressKind(r.Address), Form: channel.Form(r.Form),
		Factor: channel.Possession, MaxAAL: 2, AMR: []string{"otp"},
	}
	if d.Address == channel.Email {
		d.MaxAAL = 1
	}
	switch d.Form { // RFC 8176 section 2
	case channel.FormSMS:
		d.AMR = []string{"sms"}
	case channel.FormVoice:
		d.AMR = []string{"tel"}
	case channel.FormEmail, channel.FormChat:
	}
	return d
}

// names of recipes, params and tables.
var names = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,39}$`)
