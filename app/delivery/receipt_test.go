package delivery_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
)

// reporter is a carrier that reports what became of its messages.
type reporter struct{ *carrier }

func (reporter) Track(context.Context, channel.Inbound) ([]channel.Report, error) { return nil, nil }

func (r *rig) receipt(t *testing.T, instance, id string) (found store.Receipt, err error) {
	t.Helper()
	err = r.store.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		found, err = tx.Receipts().Find(ctx, instance, id)
		return err
	})
	return found, err
}

func TestWhatACarrierWillReportOnIsNoted(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.first.errs = []error{channel.ErrRefused} // the stand-in takes it, which reports
		s := r.start(t, false)
		r.queue(t, s)
		time.Sleep(time.Second)
		synctest.Wait()
		got, err := r.receipt(t, "backup", "r")
		want := store.Receipt{Channel: "backup", ID: "r", Tenant: "default", Handle: s.Challenge.Handle, Number: 1, ExpiresAt: got.ExpiresAt}
		if err != nil || got != want || got.ExpiresAt.Sub(s.Now) < 48*time.Hour {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestNothingIsNotedThatNobodyWillAskFor(t *testing.T) {
	for name, prepare := range map[string]func(*rig){
		"a carrier without reports":             func(*rig) {},
		"a carrier without names":               func(r *rig) { r.first.errs, r.other.nameless = []error{channel.ErrRefused}, true },
		"a carrier that did not take a message": func(r *rig) { r.first.errs, r.other.errs = []error{channel.ErrRefused}, []error{channel.ErrRefused} },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				prepare(r)
				r.queue(t, r.start(t, false))
				time.Sleep(time.Second)
				synctest.Wait()
				for _, at := range [][2]string{{"email", "r"}, {"backup", "r"}, {"backup", ""}} {
					if got, err := r.receipt(t, at[0], at[1]); !errors.Is(err, store.ErrNoReceipt) {
						t.Errorf("%+v, %v", got, err)
					}
				}
			})
		})
	}
}
