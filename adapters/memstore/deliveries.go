package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/ports/store"
)

// Claim leases messages that are due, oldest first.
func (s *Store) Claim(ctx context.Context, in store.Claim) ([]store.Parcel, error) {
	return read(ctx, s, "claim messages", func(st *state) ([]store.Parcel, error) {
		in.Now = kept(in.Now)
		var out []store.Parcel
		for _, m := range st.due(in.Now) {
			if len(out) >= in.Max {
				break
			}
			c, err := st.challenge(m.Tenant, m.Handle)
			if err != nil && m.Notice == nil {
				continue // nothing to send any more
			}
			m.Tries++
			m.Fence++
			m.Owner, m.Leased = in.Owner, kept(in.Now.Add(in.Lease))
			st.messages.put(m.ID, m)
			out = append(out, store.Parcel{Message: m, Challenge: c})
		}
		return out, nil
	})
}

// due lists the messages that may be leased at now, oldest first.
func (st *state) due(now time.Time) []store.Message {
	var out []store.Message
	for _, m := range st.messages.rows {
		if !now.Before(m.NextAt) && !now.Before(m.Leased) {
			out = append(out, copyMessage(m))
		}
	}
	slices.SortFunc(out, func(a, b store.Message) int {
		return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Finish says what became of a message, unless somebody else has it by now.
func (s *Store) Finish(ctx context.Context, in store.Finish) (bool, error) {
	return read(ctx, s, "finish message", func(st *state) (bool, error) {
		m, ok := st.messages.get(in.ID)
		if !ok || m.Tenant != in.Tenant || m.Handle != in.Handle || m.Fence != in.Fence {
			return false, nil
		}
		if in.Outcome == challenge.Queued {
			m.Owner, m.Leased, m.NextAt = "", time.Time{}, in.RetryAt
			st.messages.put(m.ID, m)
			return true, nil
		}
		st.messages.remove(m.ID)
		if in.Outcome == challenge.Sent && in.Receipt != nil {
			st.receipts.put(join(in.Receipt.Channel, in.Receipt.ID), *in.Receipt)
		}
		if c, err := st.challenge(in.Tenant, in.Handle); err == nil && c.Sends == in.Number {
			c.Delivery = in.Outcome
			st.challenges.put(c.Handle, c)
		}
		if in.Outcome == challenge.Failed {
			st.giveBack(in.GiveBack, kept(in.Now))
		}
		return true, nil
	})
}

// Backlog counts the messages that are due and that nobody has leased.
func (s *Store) Backlog(ctx context.Context, now time.Time) (depth int, oldest time.Time, err error) {
	all, err := read(ctx, s, "count messages", func(st *state) ([]store.Message, error) {
		return st.due(kept(now)), nil
	})
	if err != nil || len(all) == 0 {
		return 0, time.Time{}, err
	}
	return len(all), all[0].NextAt, nil
}
