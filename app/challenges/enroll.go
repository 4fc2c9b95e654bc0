package challenges

import (
	"context"
	"errors"

	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// EnrollInput is a device that is to prove that it works.
type EnrollInput struct {
	Caller  sessions.Caller
	Account user.Account
	Device  store.Device
	Locale  string
	Client  string
}

// Enroll opens the challenge that a new device must answer.
func (s *Service) Enroll(ctx context.Context, in EnrollInput) (View, error) {
	a, err := s.aimDevice(challenge.Enroll, in.Account, in.Device)
	if err != nil {
		return View{}, err
	}
	o, err := s.open(ctx, StartInput{
		Tenant: in.Caller.Tenant, Purpose: challenge.Enroll, Locale: in.Locale, Client: in.Client, Caller: &in.Caller,
	}, a)
	if err != nil {
		return View{}, err
	}
	if o.credential != nil {
		return View{}, errors.New("the channel binds devices without a proof")
	}
	return o.View, nil
}

// Test opens a challenge to a device that is enrolled, outside any sign-in: a
// right answer renews the proof of the caller's session.
func (s *Service) Test(ctx context.Context, in EnrollInput) (View, error) {
	a, err := s.aimDevice(challenge.StepUp, in.Account, in.Device)
	if err != nil {
		return View{}, err
	}
	o, err := s.open(ctx, StartInput{
		Tenant: in.Caller.Tenant, Purpose: challenge.StepUp, Locale: in.Locale, Client: in.Client, Caller: &in.Caller,
	}, a)
	return o.View, err
}
