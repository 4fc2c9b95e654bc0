package bunstore

import (
	"context"
	"slices"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/ports/store"
)

// sortedKeys puts keys in the order in which everybody locks them.
func sortedKeys(keys []string) []string {
	if slices.IsSorted(keys) {
		return keys
	}
	return slices.Sorted(slices.Values(keys))
}

// claim leases what is due. SKIP LOCKED lets several dispatchers
// share the queue; SQLite has one writer. What is due is found once and kept
// aside: a planner that may look again for each row takes more than the limit.
func claimText(skip string) string {
	return `due AS MATERIALIZED (SELECT m.handle, m.id FROM messages m
			WHERE m.next_at <= $3 AND m.leased <= $3
			AND (m.notice <> '' OR EXISTS (SELECT 1 FROM challenges c WHERE c.handle = m.handle AND c.tenant = m.tenant))
			ORDER BY m.next_at, m.id LIMIT $4` + skip + `)`
}

const leaseText = `UPDATE messages SET tries = tries + 1, fence = fence + 1, owner = $1, leased = $2
		WHERE (handle, id) IN (SELECT handle, id FROM due) RETURNING `

var (
	claimPG    = "WITH " + claimText(" FOR UPDATE OF m SKIP LOCKED") + ", m AS (" + leaseText + messageColumns.list("") + ") SELECT " + messageColumns.list("m.") + ", " + told(challengeColumns.optional("c.")) + " FROM m LEFT JOIN challenges c ON c.handle = m.handle AND c.tenant = m.tenant"
	claimLite  = "WITH " + claimText("") + " " + leaseText + messageColumns.list("")
	finishGone = "DELETE FROM messages WHERE id = $1 AND tenant = $2 AND handle = $3 AND fence = $4"
	finishBack = "UPDATE messages SET owner = '', leased = 0, next_at = $5 WHERE id = $1 AND tenant = $2 AND handle = $3 AND fence = $4"
	receiptAdd = "INSERT INTO receipts (channel, id, tenant, handle, number, expires_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (channel, id) DO UPDATE SET tenant = excluded.tenant, handle = excluded.handle, number = excluded.number, expires_at = excluded.expires_at"
	delivered  = "UPDATE challenges SET delivery = $4 WHERE handle = $1 AND tenant = $2 AND sends = $3"
)

// Claim leases messages that are due, oldest first.
func (s *Store) Claim(ctx context.Context, in store.Claim) ([]store.Parcel, error) {
	var out []store.Parcel
	args := []any{in.Owner, micros(kept(in.Now).Add(in.Lease)), micros(in.Now), in.Max}
	var err error
	if s.pg != nil {
		err = s.pg.each(ctx, parcels(&out), claimPG, args...)
		err = failure("claim messages", err)
	} else {
		err = s.step(ctx, "claim messages", func(ctx context.Context, r *runner) error {
			out = nil
			return r.claim(ctx, &out, args)
		})
	}
	slices.SortFunc(out, func(a, b store.Parcel) int {
		if order := a.NextAt.Compare(b.NextAt); order != 0 {
			return order
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out, err
}

func parcels(out *[]store.Parcel) func(scan) error {
	return func(scan scan) error {
		var m messageRow
		var c challengeRow
		if err := scan(append(m.dest(), c.dest()...)...); err != nil {
			return err
		}
		*out = append(*out, store.Parcel{Message: m.domain(), Challenge: c.domain()})
		return nil
	}
}

func (r *runner) claim(ctx context.Context, out *[]store.Parcel, args []any) error {
	r.wrote = true
	err := r.each(ctx, func(scan scan) error {
		var m messageRow
		if err := scan(m.dest()...); err != nil {
			return err
		}
		*out = append(*out, store.Parcel{Message: m.domain()})
		return nil
	}, claimLite, args...)
	for i := range *out {
		if m := (*out)[i].Message; err == nil && m.Notice == nil {
			(*out)[i].Challenge, err = findChallenge(ctx, r, m.Tenant, m.Handle, "")
		}
	}
	return err
}

// Finish says what became of a message, unless somebody else has it by now.
func (s *Store) Finish(ctx context.Context, in store.Finish) (bool, error) {
	var done bool
	if s.pg != nil && in.Outcome == challenge.Sent && in.Receipt == nil {
		done, err := s.pg.sent(ctx, in)
		return done, failure("finish message", err)
	}
	if s.pg != nil && in.Outcome != challenge.Queued && in.Receipt == nil {
		done, err := s.pg.finish(ctx, in)
		return done, failure("finish message", err)
	}
	err := s.step(ctx, "finish message", func(ctx context.Context, r *runner) (err error) {
		done, err = r.finish(ctx, in)
		return err
	})
	return done && err == nil, err
}

func (r *runner) finish(ctx context.Context, in store.Finish) (bool, error) {
	if in.Outcome == challenge.Queued {
		n, err := r.exec(ctx, finishBack, in.ID, in.Tenant, in.Handle, in.Fence, micros(in.RetryAt))
		return n > 0, err
	}
	n, err := r.exec(ctx, finishGone, in.ID, in.Tenant, in.Handle, in.Fence)
	if err != nil || n == 0 {
		return false, err
	}
	if in.Outcome == challenge.Sent { // that the message is gone says it
		return true, r.receipt(ctx, in.Receipt)
	}
	if _, err := r.exec(ctx, delivered, in.Handle, in.Tenant, in.Number, string(in.Outcome)); err != nil {
		return false, err
	}
	if in.Outcome == challenge.Failed {
		return true, r.giveBack(ctx, in.GiveBack, in.Now)
	}
	return true, nil
}

// receipt notes what the carrier will report on, if it will.
func (r *runner) receipt(ctx context.Context, in *store.Receipt) error {
	if in == nil {
		return nil
	}
	row := fromReceipt(*in)
	_, err := r.exec(ctx, receiptAdd, row.Channel, row.ID, row.Tenant, row.Handle, row.Number, row.ExpiresAt)
	return err
}
