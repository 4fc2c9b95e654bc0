package bunstore

import (
	"context"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

var (
	comesBack  = signedIn + " AND status = '" + string(user.Active) + "' AND reset_at = $4"
	standsText = "SELECT status, reset_at FROM users WHERE id = $1 AND tenant = $2"
)

// returns reports whether the person who must be as they were is the one who
// comes in: then one statement does for both.
func returns(in store.Settlement) bool {
	return in.Person != nil && in.Session != nil && in.Session.User == in.Person.ID && in.Session.Tenant == in.Tenant
}

// stands is the last guard.
func (r *runner) stands(ctx context.Context, in store.Settlement) error {
	if in.Person == nil {
		return nil
	}
	before := micros(kept(in.Person.ResetAt))
	if returns(in) {
		n, err := r.exec(ctx, comesBack, in.Person.ID, in.Tenant, micros(in.Now), before)
		if err != nil || n == 0 {
			return missingOr(err, challenge.ErrNotFound)
		}
		_, err = r.exec(ctx, sessionAdd, fromSession(*in.Session).args()...)
		return err
	}
	var status string
	var reset int64
	found, err := one(ctx, r, []any{&status, &reset}, standsText+r.locking(), in.Person.ID, in.Tenant)
	if err != nil || !found || status != string(user.Active) || reset != before {
		return missingOr(err, challenge.ErrNotFound)
	}
	return nil
}
