package challenges

import (
	"context"
	"strconv"
	"time"

	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// grave is how long a lock lasts that its owner is told of. Shorter ones are for
// those who mistype.
const grave = 30 * time.Second

// tell adds a notice to what follows from a right answer; wake afterwards.
func (s *Service) tell(w settling, st *store.Settlement, k message.Kind, data map[string]string) {
	c, before := w.paid.Challenge, st.Then
	st.Then = func(ctx context.Context, tx store.Tx) error {
		if before != nil {
			if err := before(ctx, tx); err != nil {
				return err
			}
		}
		account, err := tx.Users().Get(ctx, c.Tenant, c.User)
		if err != nil {
			return err
		}
		return s.Notices.Tell(ctx, tx, notices.Telling{
			Account: account, Kind: k, Locale: c.Locale, Client: w.in.Client, Data: data, Now: w.now,
		})
	}
}

// tellRecovery tells of a recovery code that was used, and how many are left.
func (s *Service) tellRecovery(w settling, st *store.Settlement) {
	data := map[string]string{}
	if counter, ok := channel.As[channel.Counter](w.via.Channel); ok && w.verdict.Credential != nil {
		data["left"] = strconv.Itoa(counter.Remaining(w.verdict.Credential))
	}
	s.tell(w, st, message.RecoveryUsed, data)
}

// tellLocked tells the owner of an authenticator that wrong answers have locked
// it: once, and not again while the failures in a row go on and the locks grow.
func (s *Service) tellLocked(ctx context.Context, tx store.Tx, paid store.Charged, now time.Time) error {
	c, t := paid.Challenge, s.Tenants.Policy(paid.Challenge.Tenant).Throttle
	if paid.User == nil || t.Wait(paid.Counter.Failures) < grave || t.Wait(paid.Counter.Failures-1) >= grave {
		return nil
	}
	account, err := tx.Users().Get(ctx, c.Tenant, c.User)
	if err != nil {
		return err
	}
	data := map[string]string{}
	if paid.Device != nil {
		data["name"] = paid.Device.Name
	}
	return s.Notices.Tell(ctx, tx, notices.Telling{
		Account: account, Kind: message.DeviceLocked, Locale: c.Locale, Client: c.Client, Data: data, Now: now,
	})
}

// wake sends what a settlement has queued besides.
func (s *Service) wake(st store.Settlement) {
	if st.Then != nil {
		s.Notices.Wake()
	}
}
