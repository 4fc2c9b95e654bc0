package bunstore

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/ports/store"
)

// everything is the batch of somebody who names none.
const everything = 1 << 40

// old says which rows of a table are old.
type old struct {
	table, key, where string // where has the time as $1
	before            time.Time
}

func oldest(h store.Horizon) []old {
	return []old{
		{"challenges", "handle", "expires_at < $1", h.Challenges},
		{"messages", "handle, id", "(deadline < $1 OR notice = '' AND NOT EXISTS (SELECT 1 FROM challenges c WHERE c.handle = messages.handle))", h.Challenges},
		{"sessions", "id", "(expires_at < $1 OR revoked_at > 0 AND revoked_at < $1)", h.Sessions},
		{"sign_ins", "id", "expires_at < $1", h.Sessions},
		{"counters", "key", "touched_at < $1", h.Counters},
		{"windows", "key", "ends < $1", h.Windows},
		{"once_keys", "key", "forget_at < $1", h.Windows},
		{"answers", "key", "expires_at < $1", h.Windows},
		{"receipts", "channel, id", "expires_at < $1", h.Windows},
		{"events", "tenant, user_id, id", "at < $1", h.Events},
		{"facts", "listener, id", "at < $1", h.Facts},
		{"identifier_changes", "tenant, user_id, kind", "expires_at < $1", h.Waiting},
		{"invitations", "id", "expires_at < $1", h.Waiting},
		{"devices", "id", "status = 'pending' AND created_at < $1", h.Unproven},
		{"rules", "id", "expires_at > 0 AND expires_at < $1", h.Waiting},
	}
}

// Purge deletes what is old. Each kind is a unit of work of its own, so that
// nobody waits long.
func (s *Store) Purge(ctx context.Context, h store.Horizon) (int, error) {
	most := h.Batch
	if most <= 0 {
		most = everything
	}
	total := 0
	for _, o := range oldest(h) {
		if o.before.IsZero() {
			continue
		}
		// The condition stands twice: a row may have become young again while
		// the statement waited for it.
		query := fmt.Sprintf("DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s LIMIT $2) AND %[3]s", o.table, o.key, o.where)
		err := s.step(ctx, "purge "+o.table, func(ctx context.Context, r *runner) error {
			n, err := r.exec(ctx, query, micros(o.before), most)
			total += int(n)
			return err
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
