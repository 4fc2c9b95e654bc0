package memstore

import (
	"context"

	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/ports/store"
)

func copyReceipt(r store.Receipt) store.Receipt {
	r.ExpiresAt = kept(r.ExpiresAt)
	return r
}

// putDevice puts a device, unless another one of its channel has its name.
func (st *state) putDevice(d store.Device) error {
	if d.Ref != "" {
		for _, other := range st.devices.rows {
			if other.ID != d.ID && other.Tenant == d.Tenant && other.Channel == d.Channel && other.Ref == d.Ref {
				return device.ErrLinked
			}
		}
	}
	st.devices.put(d.ID, d)
	return nil
}

type refs struct{ st *state }

func (x refs) Find(_ context.Context, tenant, channel, ref string) (store.Device, error) {
	all := x.st.devices.pick(func(d store.Device) bool {
		return ref != "" && d.Tenant == tenant && d.Channel == channel && d.Ref == ref
	})
	if len(all) == 0 {
		return store.Device{}, device.ErrNotFound
	}
	return all[0], nil
}

type receipts struct{ st *state }

func (x receipts) Find(_ context.Context, channel, id string) (store.Receipt, error) {
	r, ok := x.st.receipts.get(join(channel, id))
	if !ok {
		return store.Receipt{}, store.ErrNoReceipt
	}
	return r, nil
}

func (x receipts) Delete(_ context.Context, channel, id string) error {
	if _, ok := x.st.receipts.get(join(channel, id)); !ok {
		return store.ErrNoReceipt
	}
	x.st.receipts.remove(join(channel, id))
	return nil
}
