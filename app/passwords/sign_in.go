package passwords

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
)

// SignInInput is somebody who says who they are, and what they know.
type SignInInput struct {
	Tenant     string
	Identifier string // an address or user name, as typed
	Password   string
	Code       *string // of a second factor that needs no message; nil if none was given
	Device     string  // whose code it is
	Trusted    string  // token of a browser that was remembered
	Locale     string
	Client     string
	Address    string     // the client's network as limits see it
	IP         netip.Addr // the client's network address
}

// SignIn signs in by a password. A wrong one, an unknown or blocked person, an
// address that nobody has proven, a wrong second factor: all of them are
// password.ErrCredentials, and take the same time.
func (s *Service) SignIn(ctx context.Context, in SignInInput) (challenges.Outcome, error) {
	out, err := s.prove(ctx, in, false)
	if err != nil || in.Code == nil {
		return out, err
	}
	return s.second(ctx, in, out)
}

// Know refuses with password.ErrCredentials whoever does not know the password.
// It signs nobody in.
func (s *Service) Know(ctx context.Context, in SignInInput) error {
	in.Code, in.Trusted = nil, ""
	_, err := s.prove(ctx, in, true)
	return err
}

// claim is who somebody says they are. Without an account there is nobody who
// could sign in by a password, and everything happens all the same.
type claim struct {
	account user.Account
	record  password.Record
	counter string
}

func (s *Service) prove(ctx context.Context, in SignInInput, only bool) (challenges.Outcome, error) {
	if err := s.enabled(in.Tenant); err != nil {
		return challenges.Outcome{}, err
	}
	who, err := s.claim(ctx, in)
	if err != nil {
		return challenges.Outcome{}, err
	}
	stale := false
	out, err := s.Challenges.Immediately(ctx, challenges.Immediate{
		Tenant: in.Tenant, Account: who.account, Via: via(), Counter: who.counter, Client: in.Client, Address: in.Address,
		Locale: in.Locale, Trusted: in.Trusted, Further: in.Code != nil, Only: only,
		Judge: func(ctx context.Context) (v channel.Verdict, err error) {
			v, stale, err = s.judge(ctx, who.record.Hash, in.Password)
			return v, err
		},
	})
	if refused(err) {
		return challenges.Outcome{}, s.failed(ctx, in, who.account)
	}
	if err == nil && stale {
		s.renew(ctx, who.record, in.Password)
	}
	return out, err
}

// refused reports whether a proof did not convince.
func refused(err error) bool {
	return errors.Is(err, challenge.ErrWrong) || errors.Is(err, challenge.ErrNotFound) || errors.Is(err, challenge.ErrMalformed)
}

func (s *Service) judge(ctx context.Context, h password.Hash, text string) (channel.Verdict, bool, error) {
	same, stale, err := s.Hasher.Compare(ctx, h, text)
	if err != nil || !same {
		return channel.Verdict{Outcome: channel.Rejected}, false, err
	}
	return channel.Verdict{Outcome: channel.Verified}, stale, nil
}

// claim finds out who somebody says they are. It asks storage the same questions
// whoever that is.
func (s *Service) claim(ctx context.Context, in SignInInput) (claim, error) {
	named, err := s.Contacts.Guess(in.Identifier, s.Tenants.Policy(in.Tenant).Identity.Region)
	if _, foreseen := fault.Of(err); err != nil && !foreseen {
		return claim{}, err
	}
	subject := in.Identifier
	if err == nil {
		subject = string(named.Kind) + named.Value
	}
	if err := s.Gate.Serve(in.Tenant, rule.Asked{Contact: named, Address: in.IP}); err != nil {
		return claim{}, err
	}
	account, err := s.Store.Identify(ctx, in.Tenant, named)
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return claim{}, err
	}
	if err != nil || !account.Active() || !challenges.Owns(account, named) || !s.Tenants.Policy(in.Tenant).Identity.Allows(named.Kind) {
		account = user.Account{}
	}
	record, err := s.record(ctx, in.Tenant, account.ID)
	switch {
	case errors.Is(err, password.ErrNone):
		return claim{counter: challenges.CounterFor(in.Tenant, id, subject)}, nil
	case err != nil:
		return claim{}, err
	}
	return claim{account, record, challenges.PasswordCounter(account.ID)}, nil
}

func (s *Service) record(ctx context.Context, tenant, user string) (r password.Record, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		r, err = tx.Passwords().Get(ctx, tenant, user)
		return err
	})
	return r, err
}

// failed is the answer to everything that does not convince, and records it.
func (s *Service) failed(ctx context.Context, in SignInInput, account user.Account) error {
	e := event.Event{ID: s.IDs.New(), Tenant: in.Tenant, User: account.ID, Type: event.SignInFailed, At: s.Clock.Now(), Data: map[string]string{"channel": id}}
	if in.Client != "" {
		e.Data["client"] = in.Client
	}
	if err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Journal().Record(ctx, e) }); err != nil {
		s.Log.Error("a failed sign-in could not be recorded", "error", err)
	}
	return password.ErrCredentials
}

// second answers the second factor that was given along with the password.
func (s *Service) second(ctx context.Context, in SignInInput, first challenges.Outcome) (challenges.Outcome, error) {
	waiting, err := s.Sessions.Pending(ctx, in.Tenant, first.Pending)
	if err != nil {
		return challenges.Outcome{}, err
	}
	who := user.Account{User: user.User{ID: waiting.User}}
	if !s.silent(first.Devices, in.Device) {
		return challenges.Outcome{}, s.failed(ctx, in, who)
	}
	asked, err := s.Challenges.Start(ctx, challenges.StartInput{
		Tenant: in.Tenant, Purpose: challenge.SecondFactor, Device: in.Device, Pending: &waiting, Locale: in.Locale,
		Client: in.Client, Address: in.Address, IP: in.IP,
	})
	if err != nil {
		return challenges.Outcome{}, err
	}
	out, err := s.Challenges.Answer(ctx, challenges.AnswerInput{
		Tenant: in.Tenant, Handle: asked.Handle, Code: in.Code, Client: in.Client, Address: in.Address,
	})
	if refused(err) || err == nil && out.Status != challenges.SignedIn {
		return challenges.Outcome{}, s.failed(ctx, in, who)
	}
	return out, err
}

// silent reports whether a device is among those that may be asked, and needs no
// message to be: nobody could have its code already otherwise.
func (s *Service) silent(known []device.Device, want string) bool {
	i := slices.IndexFunc(known, func(d device.Device) bool { return d.ID == want })
	if i < 0 {
		return false
	}
	by, err := s.Channels.Get(known[i].Channel)
	return err == nil && by.Sender == nil && !by.Costs
}

// renew makes a hash anew that was made with weaker parameters than today's. It
// may fail: the old one is good until the next time.
func (s *Service) renew(ctx context.Context, old password.Record, text string) {
	hash, err := s.Hasher.Hash(ctx, text)
	if err == nil {
		err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
			now, err := tx.Passwords().Get(ctx, old.Tenant, old.User)
			if err != nil || now.Hash != old.Hash {
				return err
			}
			now.Hash = hash
			return tx.Passwords().Put(ctx, now)
		})
	}
	if err != nil {
		s.Log.Warn("a password hash could not be renewed", "error", err)
	}
}
