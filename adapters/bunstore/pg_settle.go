package bunstore

import (
	"context"
	"strings"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// settlement puts the one statement together that ends a challenge. Its parts
// come in one order, so there are as many texts as shapes of sign-in.
type settlement struct {
	param
	with   []string // parts that follow c, in order
	before []string // guards in the snapshot
	guards []string // parts of which each must change one row
}

// settle tries one statement, if it can together with others. It reports false
// if a guard refused; then a transaction finds out which.
func (p pooled) settle(ctx context.Context, in store.Settlement) (done bool, err error) {
	if in.Recovery != nil || in.Answered || in.Then != nil {
		return false, nil // rare, or more than one statement
	}
	if !plain(in) {
		return p.settleOne(ctx, in)
	}
	done = true
	m := &member[store.Settlement]{in: in, now: in.Now, rows: append([]string{in.Handle, in.Session.User, in.Counter}, in.GiveBack...)}
	err = p.together.settles.do(ctx, m, func(bool) (err error) {
		done, err = p.settleOne(ctx, in)
		return err
	})
	return done, err
}

// settleOne is a statement of its own.
func (p pooled) settleOne(ctx context.Context, in store.Settlement) (bool, error) {
	var s settlement
	query := s.text(in)
	var n int
	done, err := p.quick(ctx, []any{&n}, query, s.args...)
	return done && n == 1, err
}

func (s *settlement) text(in store.Settlement) string {
	tenant, handle, now := s.add(in.Tenant, "text"), s.add(in.Handle, "text"), s.add(micros(in.Now), "bigint")
	s.useSignIn(in, tenant, now)
	s.strengthen(in, tenant, now)
	s.device(in, tenant)
	s.once(in, now)
	if in.NewUser != nil {
		s.newUser(in)
	}
	s.person(in, tenant, now)
	s.effects(in, tenant, now)
	s.events(in.Events)
	s.facts(in.Facts)
	where := ""
	for _, guard := range s.before {
		where += " AND " + guard
	}
	out := `WITH c AS (UPDATE challenges SET status = '` + string(challenge.Verified) + `', state = NULL
		WHERE handle = ` + handle + ` AND tenant = ` + tenant + ` AND status = 'pending' AND NOT decoy AND expires_at > ` + now + where + `
		RETURNING user_id, attempts)`
	if len(s.with) > 0 {
		out += ", " + strings.Join(s.with, ", ")
	}
	if len(s.guards) == 0 {
		return out + " SELECT 1 FROM c"
	}
	all := "(SELECT count(*) FROM " + strings.Join(s.guards, ") = 1 AND (SELECT count(*) FROM ") + ") = 1"
	return out + " SELECT CASE WHEN " + all + " THEN 1 ELSE 1 / (c.attempts - c.attempts) END FROM c"
}

// part adds a part that happens if the challenge is settled.
func (s *settlement) part(name, text string) { s.with = append(s.with, name+" AS ("+text+")") }

// guard adds a part that must change a row, and its guard in the snapshot.
func (s *settlement) guard(name, text, before string) {
	s.part(name, text+" RETURNING 1")
	s.guards = append(s.guards, name)
	s.before = append(s.before, before)
}

const ifSettled = " AND EXISTS (SELECT 1 FROM c)"

func (s *settlement) useSignIn(in store.Settlement, tenant, now string) {
	if in.UseSignIn == "" {
		return
	}
	is := "id = " + s.add(in.UseSignIn, "text") + " AND tenant = " + tenant + " AND used_at = 0 AND expires_at > " + now
	s.guard("w", "UPDATE sign_ins SET used_at = "+now+" WHERE "+is+ifSettled, "EXISTS (SELECT 1 FROM sign_ins WHERE "+is+")")
}

func (s *settlement) strengthen(in store.Settlement, tenant, now string) {
	if in.Strengthen == nil {
		return
	}
	is := "id = " + s.add(in.Strengthen.Session, "text") + " AND tenant = " + tenant + " AND revoked_at = 0 AND expires_at > " + now
	s.guard("x", "UPDATE sessions SET evidence = "+s.add(encodeEvidence(in.Strengthen.Evidence), "text")+" WHERE "+is+ifSettled,
		"EXISTS (SELECT 1 FROM sessions WHERE "+is+")")
}

// device makes a device.Change, as device.Apply does.
func (s *settlement) device(in store.Settlement, tenant string) {
	d := in.Device
	if d == nil {
		return
	}
	set := "status = CASE WHEN status = 'pending' THEN 'active' ELSE status END, last_used_at = " + s.add(micros(d.UsedAt), "bigint")
	if d.Credential != nil {
		set += ", version = version + 1, credential = " + s.add(d.Credential, "bytea")
	}
	if d.Ref != "" {
		set += ", ref = " + s.add(d.Ref, "text")
	}
	is := "id = " + s.add(d.ID, "text") + " AND tenant = " + tenant + " AND version = " + s.add(d.Version, "bigint")
	s.guard("d", "UPDATE devices SET "+set+" WHERE "+is+ifSettled, "EXISTS (SELECT 1 FROM devices WHERE "+is+")")
}

func (s *settlement) once(in store.Settlement, now string) {
	if in.Once == nil {
		return
	}
	key := s.add(in.Once.Key, "text")
	s.guard("o", "INSERT INTO once_keys (key, forget_at) SELECT "+key+", "+s.add(micros(in.Once.ForgetAt), "bigint")+` FROM c
		ON CONFLICT (key) DO UPDATE SET forget_at = excluded.forget_at WHERE once_keys.forget_at <= `+now,
		"NOT EXISTS (SELECT 1 FROM once_keys WHERE key = "+key+" AND forget_at > "+now+")")
}

// newUser adds an account. The keys of its tables refuse what is taken, which
// takes the statement back.
func (s *settlement) newUser(in store.Settlement) {
	who := in.NewUser.User
	if in.Session != nil && in.Session.User == who.ID {
		who.LastSignIn = in.Now // the row is not there yet for signedIn
	}
	s.insert("u", "users", userColumns, fromUser(who).args())
	if len(in.NewUser.Identifiers) == 0 {
		return
	}
	kinds, values, proven, made := []string{}, []string{}, []int64{}, []int64{}
	for _, i := range in.NewUser.Identifiers {
		kinds, values = append(kinds, string(i.Kind)), append(values, i.Value)
		proven, made = append(proven, micros(i.VerifiedAt)), append(made, micros(i.CreatedAt))
	}
	s.part("i", "INSERT INTO identifiers (tenant, user_id, kind, value, verified_at, created_at) SELECT "+
		s.add(who.Tenant, "text")+", "+s.add(who.ID, "text")+", i.* FROM c, unnest("+s.add(kinds, "text[]")+", "+s.add(values, "text[]")+", "+
		s.add(proven, "bigint[]")+", "+s.add(made, "bigint[]")+") AS i")
}

func (s *settlement) insert(name, table string, cols columns, args []any) {
	first := len(s.args) + 1
	s.args = append(s.args, args...)
	s.part(name, "INSERT INTO "+table+" ("+cols.list("")+") SELECT "+cols.casts(first)+" FROM c")
}

// person notes that somebody comes in, or holds them as they are.
func (s *settlement) person(in store.Settlement, tenant, now string) {
	p := in.Person
	if p == nil {
		return
	}
	is := "id = " + s.add(p.ID, "text") + " AND tenant = " + tenant + " AND status = '" + string(user.Active) + "' AND reset_at = " +
		s.add(micros(kept(p.ResetAt)), "bigint")
	before := "EXISTS (SELECT 1 FROM users WHERE " + is + ")"
	if returns(in) {
		s.guard("l", "UPDATE users SET last_sign_in = "+now+" WHERE "+is+ifSettled, before)
		return
	}
	s.part("l", "SELECT 1 FROM users WHERE "+is+ifSettled+" FOR SHARE")
	s.guards, s.before = append(s.guards, "l"), append(s.before, before)
}

// effects are the changes that nothing refuses.
func (s *settlement) effects(in store.Settlement, tenant, now string) {
	if v := in.Verify; v != nil {
		s.part("v", "UPDATE identifiers i SET verified_at = "+now+" FROM c WHERE i.tenant = "+tenant+
			" AND i.kind = "+s.add(string(v.Kind), "text")+" AND i.value = "+s.add(v.Value, "text")+" AND i.user_id = c.user_id AND i.verified_at = 0")
	}
	if x := in.Session; x != nil {
		s.insert("s", "sessions", sessionColumns, fromSession(*x).args())
		if !isNew(in.NewUser, x.User) && !returns(in) {
			s.part("t", "UPDATE users SET last_sign_in = "+now+" WHERE id = "+s.add(x.User, "text")+" AND tenant = "+s.add(x.Tenant, "text")+ifSettled)
		}
	}
	if in.SignIn != nil {
		s.insert("p", "sign_ins", signInColumns, fromSignIn(*in.SignIn).args())
	}
	if in.Counter != "" {
		s.part("k", "DELETE FROM counters WHERE key = "+s.add(in.Counter, "text")+ifSettled)
	}
	if len(in.GiveBack) > 0 {
		s.part("g", "UPDATE windows SET taken = taken - 1 WHERE key = ANY ("+s.add(sortedKeys(in.GiveBack), "text[]")+
			") AND taken > 0 AND ends > "+now+ifSettled)
	}
}

func isNew(a *user.Account, id string) bool { return a != nil && a.ID == id }

func (s *settlement) events(all []event.Event) {
	if len(all) == 0 {
		return
	}
	var tenants, users, ids, types, data []string
	var at []int64
	for _, e := range all {
		row := fromEvent(e)
		tenants, users, ids = append(tenants, row.Tenant), append(users, row.UserID), append(ids, row.ID)
		types, at, data = append(types, row.Type), append(at, row.At), append(data, row.Data)
	}
	s.part("e", "INSERT INTO events (tenant, user_id, id, type, at, data) SELECT e.* FROM c, unnest("+
		s.add(tenants, "text[]")+", "+s.add(users, "text[]")+", "+s.add(ids, "text[]")+", "+s.add(types, "text[]")+", "+
		s.add(at, "bigint[]")+", "+s.add(data, "text[]")+") AS e")
}
