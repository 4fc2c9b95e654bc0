package fiberapi

import (
	"errors"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/user"
)

// outcomeBody is what an answer led to: exactly one of these.
type outcomeBody struct {
	signedIn  *signedInBody
	factor    *factorBody
	confirmed *confirmedBody
	pending   *challengeBody
	proven    *provenBody
	approved  *approvedBody
	missing   *missingBody
	changed   *changedBody
	reset     *resetAllowedBody
}

// signedInBody is what somebody gets who is signed in.
type signedInBody struct {
	Status       string   `json:"status" enum:"signed_in"`
	AccessToken  string   `json:"access_token" doc:"JWT (RFC 9068), to be checked with the JWKS."`
	TokenType    string   `json:"token_type" enum:"Bearer"`
	ExpiresIn    int      `json:"expires_in" doc:"Seconds that access_token lasts."`
	RefreshToken string   `json:"refresh_token" doc:"Opaque; good for one use."`
	SessionID    string   `json:"session_id"`
	NewUser      bool     `json:"new_user" doc:"Whether the account was made just now."`
	User         userBody `json:"user"`
	ReturnTo     string   `json:"return_to,omitempty" doc:"Where the browser goes next, if the challenge was started with it."`

	TrustedBrowser   string `json:"trusted_browser,omitempty" doc:"Token of this browser, which is remembered from now on. It signs nobody in by itself."`
	TrustedExpiresIn int    `json:"trusted_expires_in,omitempty" doc:"Seconds that trusted_browser lasts."`
}

// tokensBody is a pair of tokens.
type tokensBody struct {
	AccessToken  string `json:"access_token" doc:"JWT (RFC 9068), to be checked with the JWKS."`
	TokenType    string `json:"token_type" enum:"Bearer"`
	ExpiresIn    int    `json:"expires_in" doc:"Seconds that access_token lasts."`
	RefreshToken string `json:"refresh_token" doc:"Opaque; good for one use."`
	SessionID    string `json:"session_id"`
}

// factorBody is what somebody gets who must prove a second thing.
type factorBody struct {
	Status       string            `json:"status" enum:"factor_required"`
	PendingToken string            `json:"pending_token" doc:"Bearer token with which a second_factor challenge is started."`
	ExpiresIn    int               `json:"expires_in" doc:"Seconds that pending_token lasts."`
	Devices      []knownDeviceBody `json:"devices" nullable:"false" doc:"What may be asked."`
}

// knownDeviceBody is a device as somebody may see it who is not signed in yet.
type knownDeviceBody struct {
	ID          string `json:"id"`
	Channel     string `json:"channel"`
	Name        string `json:"name"`
	Destination string `json:"destination,omitempty" doc:"Masked."`
}

// confirmedBody is what the owner of a new device gets.
type confirmedBody struct {
	Status        string     `json:"status" enum:"device_confirmed"`
	Device        deviceBody `json:"device"`
	RecoveryCodes []string   `json:"recovery_codes,omitempty" nullable:"false" doc:"With the first device; shown now and never again."`
}

// provenBody is what somebody gets who had an address verified.
type provenBody struct {
	Status      string `json:"status" enum:"verified"`
	Destination string `json:"destination" doc:"In full for the API key that asked, else masked."`
	Channel     string `json:"channel"`
	Receipt     string `json:"receipt" doc:"JWS, to be checked with the JWKS; its destination is in full."`
}

// approvedBody is what somebody gets who had a transaction approved.
type approvedBody struct {
	Status  string `json:"status" enum:"approved"`
	Channel string `json:"channel"`
	Receipt string `json:"receipt" doc:"JWS, to be checked with the JWKS; detail_sha256 is the hash of what was shown."`
}

// missingBody is what somebody new gets who lacks an identifier.
type missingBody struct {
	Status       string            `json:"status" enum:"identifier_required"`
	PendingToken string            `json:"pending_token" doc:"Bearer token with which POST /v1/sign-in/complete goes on."`
	ExpiresIn    int               `json:"expires_in" doc:"Seconds that pending_token lasts."`
	Missing      []string          `json:"missing" enum:"email,phone,username" nullable:"false"`
	Profile      map[string]string `json:"profile" doc:"What is known already."`
}

// changedBody is how far a change of an identifier has come.
type changedBody struct {
	Status     string         `json:"status" enum:"identifier_changed,identifier_pending"`
	Identifier identifierBody `json:"identifier"`
	WaitingFor []string       `json:"waiting_for,omitempty" enum:"new,current" nullable:"false" doc:"identifier_pending: whose proof is missing."`
}

// resetAllowedBody is what somebody gets who may choose a new password.
type resetAllowedBody struct {
	Status       string `json:"status" enum:"password_reset_allowed"`
	PendingToken string `json:"pending_token" doc:"Bearer token for PUT /v1/password."`
	ExpiresIn    int    `json:"expires_in" doc:"Seconds that pending_token lasts."`
}

var errOutcome = errors.New("an outcome that is none of the known ones")

// MarshalJSON writes the one that is there.
func (o outcomeBody) MarshalJSON() ([]byte, error) {
	switch {
	case o.signedIn != nil:
		return fiberkit.Encode(o.signedIn)
	case o.factor != nil:
		return fiberkit.Encode(o.factor)
	case o.confirmed != nil:
		return fiberkit.Encode(o.confirmed)
	case o.pending != nil:
		return fiberkit.Encode(o.pending)
	case o.proven != nil:
		return fiberkit.Encode(o.proven)
	case o.approved != nil:
		return fiberkit.Encode(o.approved)
	case o.missing != nil:
		return fiberkit.Encode(o.missing)
	case o.changed != nil:
		return fiberkit.Encode(o.changed)
	case o.reset != nil:
		return fiberkit.Encode(o.reset)
	}
	return nil, errOutcome
}

// Schema describes the choice.
func (outcomeBody) Schema(r huma.Registry) *huma.Schema {
	s := &huma.Schema{Description: "What the answer led to: see status."}
	for _, t := range []reflect.Type{
		reflect.TypeFor[signedInBody](), reflect.TypeFor[factorBody](), reflect.TypeFor[confirmedBody](), reflect.TypeFor[challengeBody](),
		reflect.TypeFor[provenBody](), reflect.TypeFor[approvedBody](), reflect.TypeFor[missingBody](), reflect.TypeFor[changedBody](),
		reflect.TypeFor[resetAllowedBody](),
	} {
		s.OneOf = append(s.OneOf, r.Schema(t, true, ""))
	}
	return s
}

func tokens(t sessions.Tokens) tokensBody {
	return tokensBody{
		AccessToken: t.Access, TokenType: "Bearer", ExpiresIn: t.ExpiresIn, RefreshToken: t.Refresh, SessionID: t.Session,
	}
}

func (a *API) outcome(o challenges.Outcome) (outcomeBody, error) {
	switch o.Status {
	case challenges.SignedIn:
		t := tokens(*o.Tokens)
		return outcomeBody{signedIn: &signedInBody{
			Status: string(o.Status), AccessToken: t.AccessToken, TokenType: t.TokenType, ExpiresIn: t.ExpiresIn,
			RefreshToken: t.RefreshToken, SessionID: t.SessionID, NewUser: o.NewUser, User: a.userBody(*o.Account),
			TrustedBrowser: o.Trusted, TrustedExpiresIn: whole(o.TrustedIn),
		}}, nil
	case challenges.FactorRequired:
		b := &factorBody{
			Status: string(o.Status), PendingToken: o.Pending, ExpiresIn: whole(o.ExpiresIn), Devices: []knownDeviceBody{},
		}
		for _, d := range o.Devices {
			b.Devices = append(b.Devices, knownDeviceBody{ID: d.ID, Channel: d.Channel, Name: d.Name, Destination: a.masked(d)})
		}
		return outcomeBody{factor: b}, nil
	case challenges.DeviceConfirmed:
		return outcomeBody{confirmed: &confirmedBody{
			Status: string(o.Status), Device: ownDevice(o.Devices[0]), RecoveryCodes: o.Recovery,
		}}, nil
	case challenges.StillPending:
		b, err := a.challengeBody(*o.Challenge)
		return outcomeBody{pending: &b}, err
	default:
		return otherOutcome(o)
	}
}

// otherOutcome is about the purposes that sign nobody in.
func otherOutcome(o challenges.Outcome) (outcomeBody, error) {
	status := string(o.Status)
	switch o.Status {
	case challenges.Proven:
		b := &provenBody{Status: status, Destination: o.Destination.Mask(), Channel: o.Channel, Receipt: o.Receipt}
		if o.Unmasked {
			b.Destination = o.Destination.Value
		}
		return outcomeBody{proven: b}, nil
	case challenges.Approved:
		return outcomeBody{approved: &approvedBody{Status: status, Channel: o.Channel, Receipt: o.Receipt}}, nil
	case challenges.IdentifierRequired:
		b := &missingBody{Status: status, PendingToken: o.Pending, ExpiresIn: whole(o.ExpiresIn), Missing: []string{}, Profile: o.Profile}
		for _, k := range o.Missing {
			b.Missing = append(b.Missing, string(k))
		}
		return outcomeBody{missing: b}, nil
	case challenges.IdentifierChanged, challenges.IdentifierPending:
		b := &changedBody{Status: status, WaitingFor: o.Waiting, Identifier: changing(*o.Change)}
		return outcomeBody{changed: b}, nil
	case challenges.ResetAllowed:
		return outcomeBody{reset: &resetAllowedBody{Status: status, PendingToken: o.Pending, ExpiresIn: whole(o.ExpiresIn)}}, nil
	case challenges.SignedIn, challenges.FactorRequired, challenges.DeviceConfirmed, challenges.StillPending:
	}
	return outcomeBody{}, errOutcome
}

// changing is an identifier as its owner sees it who is changing it: their own,
// so in full.
func changing(c user.Change) identifierBody {
	b := identifierBody{Kind: string(c.Kind), Value: c.Value, Verified: c.Done()}
	if !c.Done() && !c.Claim() {
		b.Value, b.Verified, b.Pending = c.Replaces, c.NeedsCurrent, c.Value
	}
	return b
}
