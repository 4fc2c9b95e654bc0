package janitor_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/janitor"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system/systemtest"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

type rig struct {
	*testing.T
	store store.Store
	clock *systemtest.Clock
	ids   *systemtest.IDs
	*janitor.Janitor
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, store: memstore.New(), clock: systemtest.NewClock(noon), ids: &systemtest.IDs{}}
	patient, brisk := policy.Default(), policy.Default()
	patient.SignUp.KeepIdle, brisk.SignUp.KeepIdle = 0, 24*time.Hour
	r.Janitor = janitor.New(janitor.Needs{
		Store: r.store, Clock: r.clock, IDs: r.ids, Log: slog.New(slog.DiscardHandler),
		Tenants: tenants.NewBook(tenants.Entry{Tenant: tenant.Tenant{Slug: "patient"}, Policy: patient}, tenants.Entry{Tenant: tenant.Tenant{Slug: "brisk"}, Policy: brisk}),
	})
	return r
}

func (r *rig) do(fn func(context.Context, store.Tx) error) {
	r.Helper()
	if err := r.store.Do(r.Context(), fn); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) sweep() {
	r.Helper()
	if _, err := r.Sweep(r.Context()); err != nil {
		r.Fatal(err)
	}
}

func TestADeviceThatIsNotProvenIsDeletedWithinAQuarterOfAnHour(t *testing.T) {
	r := newRig(t)
	who := user.User{ID: r.ids.New(), Tenant: tenant.Default, Status: user.Active, CreatedAt: noon}
	d := device.Device{ID: r.ids.New(), Tenant: who.Tenant, User: who.ID, Channel: "totp", Status: device.Pending, CreatedAt: noon}
	r.do(func(ctx context.Context, tx store.Tx) error {
		if err := tx.Users().Add(ctx, user.Account{User: who}); err != nil {
			return err
		}
		return tx.Devices().Add(ctx, d)
	})
	count := func() (n int) {
		r.do(func(ctx context.Context, tx store.Tx) error {
			all, err := tx.Devices().List(ctx, who.Tenant, who.ID, "", 0)
			n = len(all)
			return err
		})
		return n
	}
	for minute := 1; minute <= 15; minute++ { // the janitor comes once a minute
		r.clock.Advance(time.Minute)
		r.sweep()
		if n, gone := count(), r.clock.Now().Sub(noon) > device.ProofLife; (n == 0) != gone {
			t.Errorf("after %d minutes: %d devices", minute, n)
		}
	}
}
