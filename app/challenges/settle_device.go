package challenges

import (
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

func (s *Service) settleSecondFactor(ctx context.Context, w settling) (Outcome, error) {
	c := w.paid.Challenge
	waiting, err := s.Store.SignIn(ctx, c.Tenant, c.SignIn)
	if err != nil {
		return Outcome{}, err
	}
	if w.paid.User == nil || w.paid.User.ID != waiting.User || !w.paid.User.Active() {
		return Outcome{}, session.ErrPendingInvalid
	}
	st, err := s.settlement(w)
	if err != nil {
		return Outcome{}, err
	}
	st.UseSignIn = waiting.ID
	if w.via.Backup {
		st.Events = append(st.Events, s.event(w, waiting.User, event.RecoveryCodeUsed, "device", c.Device))
		s.tellRecovery(w, &st)
	}
	if waiting.CreatedAt.Before(w.paid.User.ResetAt) || waiting.Step != session.Second {
		return Outcome{}, session.ErrPendingInvalid
	}
	all := assurance.Merge(waiting.Evidence, w.evidence())
	if waiting.Draft != nil {
		w.link = waiting.Draft.Link
	}
	switch missing, d, err := s.lacking(ctx, w, *w.paid.User); {
	case err != nil:
		return Outcome{}, err
	case len(missing) > 0:
		return s.waitForRest(ctx, w, st, missing, d, all)
	}
	s.join(w, &st, *w.paid.User, w.link)
	remember := s.Tenants.Policy(c.Tenant).TwoFactor.Remember
	trust := w.in.Remember && remember > 0 && !w.via.Backup
	if trust {
		st.Events = append(st.Events, s.event(w, waiting.User, event.BrowserRemembered, "client", w.in.Client))
	}
	out, err := s.startSession(ctx, w, st, user.Account{User: *w.paid.User}, all)
	if trust && err == nil {
		out.Trusted, out.TrustedIn = s.Sessions.Trust(*w.paid.User, w.now), remember
	}
	return out, err
}

func (s *Service) settleStepUp(ctx context.Context, w settling) (Outcome, error) {
	c := w.paid.Challenge
	signed, err := s.Store.Session(ctx, c.Tenant, c.Session)
	if err != nil {
		return Outcome{}, session.ErrRevoked.Because(err)
	}
	if signed.User.ID != c.User || !signed.User.Active() {
		return Outcome{}, session.ErrRevoked
	}
	st, err := s.settlement(w)
	if err != nil {
		return Outcome{}, err
	}
	one := signed.Session
	one.Evidence = assurance.Merge(one.Evidence, w.evidence())
	st.Strengthen = &store.Strengthen{Session: one.ID, Evidence: one.Evidence}
	st.Events = append(st.Events, s.event(w, c.User, event.SessionStepped, "session", one.ID, "acr", assurance.Assess(one.Evidence).AAL.ACR()))
	if w.via.Backup {
		s.tellRecovery(w, &st)
	}
	if err := s.Store.Settle(ctx, st); err != nil {
		return Outcome{}, err
	}
	s.wake(st)
	return s.signedIn(one, user.Account{User: signed.User})
}

func (s *Service) settleEnroll(ctx context.Context, w settling) (Outcome, error) {
	c := w.paid.Challenge
	if w.paid.Device == nil || w.paid.User == nil || w.paid.Device.Lapsed(w.now) {
		return Outcome{}, challenge.ErrNotFound
	}
	st, err := s.settlement(w)
	if err != nil {
		return Outcome{}, err
	}
	mine, err := s.devices(ctx, c.Tenant, c.User)
	if err != nil {
		return Outcome{}, err
	}
	var codes []string
	if !w.via.Backup && !slices.ContainsFunc(mine, device.Device.SecondFactor) {
		if st.Recovery, codes, err = s.IssueRecovery(ctx, user.Account{User: *w.paid.User}, w.now); err != nil {
			return Outcome{}, err
		}
	}
	st.Events = append(st.Events, s.event(w, c.User, event.DeviceEnrolled, "device", c.Device, "channel", c.Channel))
	if codes != nil {
		st.Events = append(st.Events, s.event(w, c.User, event.RecoveryCodesIssued, "device", st.Recovery.ID))
	}
	if w.paid.Device.Address != "" && s.Tenants.Policy(c.Tenant).Identity.UpdateFromDevice {
		st.Then = s.adopt(w)
	}
	s.tell(w, &st, message.DeviceAdded, map[string]string{"name": w.paid.Device.Name})
	if err := s.Store.Settle(ctx, st); err != nil {
		return Outcome{}, err
	}
	s.wake(st)
	done := *w.paid.Device
	if err := done.Apply(*st.Device); err != nil {
		return Outcome{}, err
	}
	return Outcome{Status: DeviceConfirmed, Devices: []device.Device{done}, Recovery: codes}, nil
}

// IssueRecovery makes a new sheet of recovery codes, not stored yet, and the
// codes on it. It makes none where no such channel is configured.
func (s *Service) IssueRecovery(ctx context.Context, account user.Account, now time.Time) (*store.Device, []string, error) {
	via, ok := s.Channels.Backup()
	if !ok {
		return nil, nil, nil
	}
	d := store.Device{
		ID: s.IDs.New(), Tenant: account.Tenant, User: account.ID, Channel: via.ID, Name: via.Title,
		Backup: true, Status: device.Active, CreatedAt: now,
	}
	o, err := via.Channel.Begin(ctx, channel.Challenge{
		Handle: d.ID, Round: 1, Purpose: channel.Enroll, Subject: account.ID, Label: label(account), ExpiresAt: now.Add(time.Minute),
	})
	if err != nil {
		return nil, nil, s.trouble(via.ID, err)
	}
	if o.Credential == nil {
		return nil, nil, nil
	}
	d.Credential, err = s.Sealer.Seal(o.Credential, PlaceOfCredential(d.Tenant, d.ID))
	return &d, o.Prompt.Show, err
}
