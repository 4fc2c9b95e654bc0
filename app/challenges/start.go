package challenges

import (
	"context"
	"net/netip"
	"strings"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// Refusals of requests that cannot be made into a challenge.
var (
	ErrRequest      = fault.New(fault.Invalid, "invalid_request", "Something in the request will not do.")
	ErrAmbiguous    = fault.New(fault.Malformed, "ambiguous_destination", `Say either "to" or "device_id", not both and not neither.`)
	ErrUnavailable  = fault.New(fault.Unavailable, "delivery_unavailable", "Messages cannot be sent this way at the moment. Try another way, or try again soon.")
	ErrUnauthorized = fault.New(fault.Unauthenticated, "unauthorized_otp_request", "Codes are sent here only to people who are signed in, or who give their password.")
	ErrForbidden    = fault.New(fault.Forbidden, "forbidden", "You may not do that.")
)

// StartInput is a wish to prove something.
type StartInput struct {
	Tenant   string
	Purpose  challenge.Purpose
	To       string // an address or user name, as typed
	Channel  string // empty: the policy's route decides
	Device   string
	Locale   string     // that was asked for; empty: the person's own
	Prefers  string     // that the client prefers, for people who have none of their own
	Client   string     // in words: "Firefox on Windows"
	Address  string     // the client's network as limits see it
	IP       netip.Addr // the client's network address
	Pending  *session.SignIn
	Caller   *sessions.Caller
	Key      *apikey.Key
	Detail   []challenge.Fact  // Approve
	ReturnTo string            // where a browser goes after a link
	Browser  []byte            // SHA-256 of the secret that the browser keeps which asks; nil if there is none
	Metadata map[string]string // handed on with events
	Trapped  bool              // a machine asks: it is answered, and nothing happens
	Known    bool              // the caller gave the password of To
}

// aim is whom a challenge is for and how it reaches them.
type aim struct {
	purpose challenge.Purpose
	via     channels.Instance
	account user.Account // zero if nobody is identified
	device  *store.Device
	to      contact.Contact // where messages go; zero if none do
	shown   string          // masked form of what the caller named
	decoy   bool
	counter string // whose failures in a row count; "": those of the device or address
	extra   challenge.Extra
}

// Start opens a challenge. An unknown person gets one that behaves alike to the
// end and sends nothing.
func (s *Service) Start(ctx context.Context, in StartInput) (View, error) {
	if in.Purpose == "" {
		in.Purpose = challenge.SignIn
	}
	if in.Trapped {
		if err := s.Gate.Trap(ctx, in.Tenant, in.IP, s.Tenants.Policy(in.Tenant).Rules.Honeypot); err != nil {
			return View{}, err
		}
	}
	extra, err := s.extra(in)
	if err != nil {
		return View{}, err
	}
	a, err := s.aim(ctx, in)
	if err != nil {
		return View{}, err
	}
	a.extra = extra
	opened, err := s.open(ctx, in, a)
	return opened.View, err
}

// Limits of the caller's own data, in bytes.
const (
	maxMetadata = 16
	maxKey      = 64
	maxValue    = 256
)

// extra checks and collects what only some challenges carry.
func (s *Service) extra(in StartInput) (challenge.Extra, error) {
	var bad []fault.Field
	e := challenge.Extra{Metadata: in.Metadata}
	if in.Purpose == challenge.Approve {
		e.Detail = in.Detail
		if err := challenge.CheckFacts(in.Detail); err != nil {
			bad = append(bad, fault.Field{Pointer: "/detail", Code: challenge.ErrFacts.Code, Detail: challenge.ErrFacts.Text})
		}
	} else if in.Detail != nil {
		bad = append(bad, fault.Field{Pointer: "/detail", Code: "not_allowed", Detail: "Only what is approved has details."})
	}
	if in.Purpose == challenge.SignIn {
		e.Browser = in.Browser
		if in.ReturnTo != "" && !s.Tenants.Returns(in.Tenant, in.ReturnTo) {
			bad = append(bad, fault.Field{Pointer: "/return_to", Code: "invalid_return_to", Detail: "Use a path of this site, such as /orders/7, or an address at one of the configured origins."})
		}
		e.ReturnTo = in.ReturnTo
	}
	if in.Key != nil {
		e.Key = in.Key.ID
	}
	if !fitting(in.Metadata) {
		bad = append(bad, fault.Field{Pointer: "/metadata", Code: "invalid_metadata", Detail: "Use at most 16 entries, with keys of at most 64 and values of at most 256 bytes."})
	}
	if bad != nil {
		return e, ErrRequest.With(bad...)
	}
	return e, nil
}

func fitting(m map[string]string) bool {
	for k, v := range m {
		if k == "" || len(k) > maxKey || len(v) > maxValue || strings.ContainsFunc(k+v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return false
		}
	}
	return len(m) <= maxMetadata
}

func (s *Service) aim(ctx context.Context, in StartInput) (aim, error) {
	switch in.Purpose {
	case challenge.SignIn:
		if err := s.mayAsk(in); err != nil {
			return aim{}, err
		}
		return s.aimAtStranger(ctx, in)
	case challenge.ResetPassword:
		if !s.Tenants.Policy(in.Tenant).Password.Enabled {
			return aim{}, channels.ErrNotConfigured
		}
		return s.aimAtStranger(ctx, in)
	case challenge.Verify:
		return s.aimAtAddress(in)
	case challenge.Approve:
		return s.aimAtApprover(ctx, in)
	case challenge.SecondFactor:
		if in.Pending == nil {
			return aim{}, session.ErrUnauthenticated
		}
		if in.To != "" || in.Device == "" {
			return aim{}, ErrAmbiguous.Saying(`Say which device: "device_id" is one of those that were listed.`)
		}
		return s.aimAtSecond(ctx, in)
	case challenge.StepUp:
		if in.Caller == nil {
			return aim{}, session.ErrUnauthenticated
		}
		return s.aimAtCaller(ctx, in)
	case challenge.Enroll, challenge.ChangeIdentifier:
	}
	return aim{}, ErrRequest.With(fault.Field{Pointer: "/purpose", Code: "unknown_value", Detail: "Choose sign_in, verify, second_factor, step_up, reset_password or approve."})
}

// mayAsk reports whether the caller may have a code sent to sign in with.
func (s *Service) mayAsk(in StartInput) error {
	if s.Tenants.Policy(in.Tenant).Challenge.Anonymous || in.Caller != nil || in.Key != nil || in.Known {
		return nil
	}
	return ErrUnauthorized
}
