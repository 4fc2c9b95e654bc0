package memstore

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// Purge deletes what is old, at most h.Batch rows of each kind (0: all).
func (s *Store) Purge(ctx context.Context, h store.Horizon) (int, error) {
	return read(ctx, s, "purge", func(st *state) (int, error) {
		n := st.purgeChallenges(h)
		n += st.purgeSessions(h)
		n += st.counters.removeIf(h.Batch, func(c counter) bool { return c.touched.Before(h.Counters) })
		n += st.windows.removeIf(h.Batch, func(w limit.Window) bool { return w.Ends.Before(h.Windows) })
		n += st.once.removeIf(h.Batch, func(until time.Time) bool { return until.Before(h.Windows) })
		n += st.receipts.removeIf(h.Batch, func(r store.Receipt) bool { return r.ExpiresAt.Before(h.Windows) })
		n += st.answers.removeIf(h.Batch, func(a store.Answer) bool { return a.ExpiresAt.Before(h.Windows) })
		n += st.events.removeIf(h.Batch, func(e event.Event) bool { return e.At.Before(h.Events) })
		n += st.facts.removeIf(h.Batch, func(f store.Fact) bool { return f.Event.At.Before(h.Facts) })
		n += st.changes.removeIf(h.Batch, func(c user.Change) bool { return c.ExpiresAt.Before(h.Waiting) })
		n += st.invitations.removeIf(h.Batch, func(i invitation.Invitation) bool { return i.ExpiresAt.Before(h.Waiting) })
		n += st.rules.removeIf(h.Batch, func(e rule.Entry) bool { return !e.ExpiresAt.IsZero() && e.ExpiresAt.Before(h.Waiting) })
		n += st.devices.removeIf(h.Batch, func(d store.Device) bool { return d.Status == device.Pending && d.CreatedAt.Before(h.Unproven) })
		return n, nil
	})
}

// purgeChallenges removes challenges that are over, and messages that are too
// late or whose challenge is gone.
func (st *state) purgeChallenges(h store.Horizon) int {
	n := st.challenges.removeIf(h.Batch, func(c challenge.Challenge) bool { return c.ExpiresAt.Before(h.Challenges) })
	return n + st.messages.removeIf(h.Batch, func(m store.Message) bool {
		_, ok := st.challenges.rows[m.Handle]
		return !ok && m.Notice == nil || m.Deadline.Before(h.Challenges)
	})
}

func (st *state) purgeSessions(h store.Horizon) int {
	n := st.sessions.removeIf(h.Batch, func(s session.Session) bool {
		return s.ExpiresAt.Before(h.Sessions) || !s.RevokedAt.IsZero() && s.RevokedAt.Before(h.Sessions)
	})
	return n + st.signIns.removeIf(h.Batch, func(s session.SignIn) bool { return s.ExpiresAt.Before(h.Sessions) })
}
