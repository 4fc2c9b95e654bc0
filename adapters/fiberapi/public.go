package fiberapi

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/ports/channel"
)

// discoveryBody is what a user interface must know before it asks anything.
type discoveryBody struct {
	Brand    string        `json:"brand"`
	Tenant   string        `json:"tenant"`
	Channels []channelBody `json:"channels" nullable:"false"`
	SignUp   signUpBody    `json:"sign_up"`
	Identity identityBody  `json:"identity"`
	Password passwordBody  `json:"password"`
	Link     bool          `json:"link" doc:"Whether messages to e-mail addresses also carry a link to sign in by."`
	Code     codeBody      `json:"code"`
	TwoFA    modeBody      `json:"two_factor"`
	Locales  localesBody   `json:"locales"`
}

// channelBody is one enabled channel.
type channelBody struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Title     string `json:"title"`
	Address   string `json:"address,omitempty" enum:"email,phone,account" doc:"What kind of address it speaks to; absent if none."`
	Sends     bool   `json:"sends" doc:"Whether it sends messages."`
	Identify  bool   `json:"identify" doc:"Whether it tells by itself who somebody is."`
	Resistant bool   `json:"phishing_resistant"`
	Backup    bool   `json:"backup" doc:"Stands in for a lost device; nobody enrols it."`
	ClientID  string `json:"client_id,omitempty" doc:"By what the identity provider knows this service, for its own buttons and SDKs; absent if there is none."`
}

// signUpBody says who may become a user.
type signUpBody struct {
	Allowed    bool     `json:"allowed"`
	AutoCreate bool     `json:"auto_create" doc:"Whether answering a sign-in challenge makes an account."`
	Invite     bool     `json:"invite" doc:"Whether users may ask others in."`
	Required   []string `json:"required" enum:"email,phone,username" nullable:"false" doc:"What a new user must have: addresses proven, a user name chosen."`
}

// identityBody says by what people are found.
type identityBody struct {
	Fields  []string `json:"fields" enum:"email,phone,username" nullable:"false"`
	Profile []string `json:"profile" enum:"first_name,last_name" nullable:"false" doc:"Which names people may have."`
	Region  string   `json:"default_region" doc:"ISO 3166 region of phone numbers without a country code."`
}

// passwordBody says how passwords are used.
type passwordBody struct {
	Enabled   bool `json:"enabled"`
	MinLength int  `json:"min_length" doc:"In characters."`
}

// codeBody says what codes that are sent look like.
type codeBody struct {
	Length      int    `json:"length"`
	Alphabet    string `json:"alphabet" enum:"digits,crockford"`
	ExpiresIn   int    `json:"expires_in" doc:"Seconds that a code lasts."`
	Attempts    int    `json:"attempts"`
	ResendAfter int    `json:"resend_after" doc:"Seconds between two messages."`
}

// modeBody says how second factors are used.
type modeBody struct {
	Mode   string `json:"mode" enum:"off,optional,required"`
	MaxAge int    `json:"step_up_max_age" doc:"Seconds for which a proof counts as fresh."`
}

// localesBody lists languages.
type localesBody struct {
	Default string   `json:"default"`
	Offered []string `json:"offered" nullable:"false"`
}

// healthBody says that the process answers.
type healthBody struct {
	Status  string `json:"status" enum:"ok"`
	Version string `json:"version"`
}

// readyBody says that everything it depends on answers too.
type readyBody struct {
	Status string            `json:"status" enum:"ready"`
	Checks map[string]string `json:"checks" doc:"By dependency."`
}

// errNotReady is the answer of a process that had better not be sent requests.
var errNotReady = fault.New(fault.Unavailable, "not_ready", "Something that is needed does not answer.")

const (
	publicTag = "Discovery and operations"
	cacheable = "public, max-age=300"
)

func (a *API) publicOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodGet, path: "/v1/discovery", id: "discover", tag: publicTag, caller: public, status: fiber.StatusOK,
			summary: "Learn what is switched on here", about: "Nothing in it is secret.",
		}, a.discover),
		{
			method: fiber.MethodGet, path: "/.well-known/jwks.json", id: "getKeys", tag: publicTag, caller: nobody, status: fiber.StatusOK,
			summary: "Get the public keys of access tokens (RFC 7517)", cache: cacheable,
			serve: func(*call) ([]byte, error) { return a.Keys.JWKS(), nil },
		},
		handle(operation{
			method: fiber.MethodGet, path: "/healthz", id: "getHealth", tag: publicTag, caller: nobody, status: fiber.StatusOK,
			summary: "Ask whether the process answers",
		}, func(*call, nothing) (healthBody, error) { return healthBody{Status: "ok", Version: a.Version}, nil }),
		handle(operation{
			method: fiber.MethodGet, path: "/readyz", id: "getReadiness", tag: publicTag, caller: nobody, status: fiber.StatusOK,
			summary: "Ask whether everything it depends on answers", faults: []*fault.Error{errNotReady},
		}, a.ready),
		{
			method: fiber.MethodGet, path: "/openapi.json", id: "getOpenAPI", tag: publicTag, caller: nobody, status: fiber.StatusOK,
			summary: "Get this document", cache: cacheable,
			serve: func(*call) ([]byte, error) { return a.Document() },
		},
		{
			method: fiber.MethodGet, path: "/docs", id: "readDocs", tag: publicTag, caller: nobody, status: fiber.StatusOK,
			summary: "Read this document", media: fiber.MIMETextHTMLCharsetUTF8, cache: cacheable,
			serve: a.docsPage,
		},
		{
			method: fiber.MethodGet, path: "/docs/problems/{id}", id: "explainProblem", tag: publicTag, caller: nobody, status: fiber.StatusOK,
			summary: "Read what a problem code means", media: fiber.MIMETextHTMLCharsetUTF8, cache: cacheable,
			faults: []*fault.Error{errNoPage}, serve: a.problemPage,
		},
	}
}

func (a *API) discover(c *call, _ nothing) (discoveryBody, error) {
	p := a.Tenants.Policy(c.tenant)
	out := discoveryBody{
		Brand: cmp.Or(a.Tenants.Brand(c.tenant).Name, a.Brand), Tenant: c.tenant, Channels: []channelBody{},
		SignUp: signUpBody{
			Allowed: p.SignUp.Allowed, AutoCreate: p.SignUp.Allowed && p.SignUp.AutoCreate, Invite: p.SignUp.Invite, Required: words(p.SignUp.Required),
		},
		Identity: identityBody{Fields: words(p.Identity.Fields), Profile: append([]string{}, p.Identity.Profile...), Region: p.Identity.Region},
		Password: passwordBody{Enabled: p.Password.Enabled, MinLength: p.Password.Rules.MinLength},
		Link:     p.Challenge.Link && len(a.Channels.Route(contact.Email)) > 0,
		Code: codeBody{
			Length: p.Challenge.Format.Length(), Alphabet: alphabet(p.Challenge.Format), ExpiresIn: whole(p.Challenge.Life),
			Attempts: p.Challenge.Attempts, ResendAfter: whole(p.Challenge.ResendAfter),
		},
		TwoFA:   modeBody{Mode: string(p.TwoFactor.Mode), MaxAge: whole(p.TwoFactor.StepUpMaxAge)},
		Locales: localesBody{Default: a.Locales.Match(a.Tenants.Locale(c.tenant)), Offered: a.Locales.Locales()},
	}
	for _, in := range a.Channels.All() {
		out.Channels = append(out.Channels, channelOf(in))
	}
	return out, nil
}

func channelOf(in channels.Instance) channelBody {
	out := channelBody{
		ID: in.ID, Type: in.Type, Title: in.Title, Address: string(in.Address), Sends: in.Sender != nil,
		Identify: in.Identify, Resistant: in.Phishing, Backup: in.Backup,
	}
	if known, ok := channel.As[channel.Announcer](in.Channel); ok {
		out.ClientID = known.Announce().ClientID
	}
	return out
}

func words(kinds []contact.Kind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return out
}

func alphabet(f challenge.Format) string {
	if f == challenge.Digits(f.Length()) {
		return string(channel.Digits)
	}
	return string(channel.Crockford)
}

// ready names what does not answer, but not why: that stands in the log.
func (a *API) ready(c *call, _ nothing) (readyBody, error) {
	out := readyBody{Status: "ready", Checks: map[string]string{}}
	var bad []fault.Field
	var cause error
	for name, err := range a.Ready(c.ctx) {
		out.Checks[name] = "ok"
		if err != nil {
			cause = errors.Join(cause, fmt.Errorf("%s: %w", name, err))
			bad = append(bad, fault.Field{Pointer: "/checks/" + name, Code: "unavailable", Detail: "This does not answer."})
		}
	}
	if bad == nil {
		return out, nil
	}
	slices.SortFunc(bad, func(x, y fault.Field) int { return strings.Compare(x.Pointer, y.Pointer) })
	return out, errNotReady.With(bad...).Because(cause)
}
