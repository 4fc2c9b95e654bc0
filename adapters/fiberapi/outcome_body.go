package fiberapi

import (
	"errors"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/sessions"
)

// outcomeBody is what an answer led to: exactly one of these.
type outcomeBody struct {
	signedIn  *signedInBody
	factor    *factorBody
	confirmed *confirmedBody
	pending   *challengeBody
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
	}
	return nil, errOutcome
}

// Schema describes the choice.
func (outcomeBody) Schema(r huma.Registry) *huma.Schema {
	s := &huma.Schema{Description: "What the answer led to: see status."}
	for _, t := range []reflect.Type{
		reflect.TypeFor[signedInBody](), reflect.TypeFor[factorBody](), reflect.TypeFor[confirmedBody](), reflect.TypeFor[challengeBody](),
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
	}
	return outcomeBody{}, errOutcome
}
