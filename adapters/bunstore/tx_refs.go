package bunstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/ports/store"
)

type refs struct{ *tx }

func (x refs) Find(ctx context.Context, tenant, channel, ref string) (store.Device, error) {
	d, err := find[*deviceRow](x.with(ctx), x.read().Where("tenant = ? AND channel = ? AND ref = ? AND ref <> ''", tenant, channel, ref), device.ErrNotFound)
	return d, failure("find device", err)
}

// receiptRow is what a carrier called a message.
type receiptRow struct {
	bun.BaseModel `bun:"table:receipts,alias:r"`

	Channel   string `bun:",pk"`
	ID        string `bun:",pk"`
	Tenant    string
	Handle    string
	Number    int
	ExpiresAt int64
}

func fromReceipt(r store.Receipt) *receiptRow {
	return &receiptRow{
		Channel: r.Channel, ID: r.ID, Tenant: r.Tenant, Handle: r.Handle, Number: r.Number, ExpiresAt: micros(r.ExpiresAt),
	}
}

func (r *receiptRow) domain() store.Receipt {
	return store.Receipt{
		Channel: r.Channel, ID: r.ID, Tenant: r.Tenant, Handle: r.Handle, Number: r.Number, ExpiresAt: moment(r.ExpiresAt),
	}
}

type receipts struct{ *tx }

func (x receipts) Find(ctx context.Context, channel, id string) (store.Receipt, error) {
	r, err := find[*receiptRow](x.with(ctx), x.r.bun.NewSelect().Where("channel = ? AND id = ?", channel, id), store.ErrNoReceipt)
	return r, failure("find receipt", err)
}

func (x receipts) Delete(ctx context.Context, channel, id string) error {
	n, err := x.r.exec(x.with(ctx), "DELETE FROM receipts WHERE channel = $1 AND id = $2", channel, id)
	return failure("delete receipt", changed(n, err, store.ErrNoReceipt))
}
