package memstore

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// counter is a limit.Counter with the last time that it was added to.
type counter struct {
	limit.Counter
	touched time.Time
}

// state is everything there is. Only work may touch it.
type state struct {
	log         *undo
	challenges  *table[challenge.Challenge] // by handle; owned by counters
	messages    *table[store.Message]       // by id; owned by challenges
	users       *table[user.User]           // by id
	identifiers *table[user.Identifier]     // by tenant, kind and value; owned by users
	devices     *table[store.Device]        // by id; owned by users
	sessions    *table[session.Session]     // by id; owned by users
	signIns     *table[session.SignIn]      // by id; owned by users
	events      *table[event.Event]         // by id; owned by users
	counters    *table[counter]
	windows     *table[limit.Window]
	once        *table[time.Time] // until when a key is refused
	answers     *table[store.Answer]
	facts       *table[store.Fact]            // by listener and id; owned by listeners and users
	changes     *table[user.Change]           // by user and kind; owned by users
	passwords   *table[password.Record]       // by user; owned by users
	invitations *table[invitation.Invitation] // by id
	keys        *table[apikey.Key]            // by id
	rules       *table[rule.Entry]            // by id
	receipts    *table[store.Receipt]         // by channel and id
}

func newState() *state {
	log := &undo{}
	return &state{
		log:         log,
		challenges:  newTable(log, copyChallenge, ownerOfChallenge),
		messages:    newTable(log, copyMessage, func(m store.Message) string { return m.Handle }),
		users:       newTable(log, copyUser, nobody),
		identifiers: newTable(log, copyIdentifier, func(i user.Identifier) string { return join(i.Tenant, i.User) }),
		devices:     newTable(log, copyDevice, func(d store.Device) string { return join(d.Tenant, d.User) }),
		sessions:    newTable(log, copySession, func(s session.Session) string { return join(s.Tenant, s.User) }),
		signIns:     newTable(log, copySignIn, func(s session.SignIn) string { return join(s.Tenant, s.User) }),
		events:      newTable(log, copyEvent, func(e event.Event) string { return join(e.Tenant, e.User) }),
		counters:    newTable(log, copyCounter, nobody),
		windows:     newTable(log, copyWindow, nobody),
		once:        newTable(log, kept, nobody),
		answers:     newTable(log, copyAnswer, nobody),
		facts:       newTable(log, copyFact, ownerOfFact),
		changes:     newTable(log, copyChange, func(c user.Change) string { return join(c.Tenant, c.User) }),
		passwords:   newTable(log, copyPassword, func(r password.Record) string { return join(r.Tenant, r.User) }),
		invitations: newTable(log, copyInvitation, nobody),
		keys:        newTable(log, copyKey, nobody),
		rules:       newTable(log, copyEntry, nobody),
		receipts:    newTable(log, copyReceipt, nobody),
	}
}

func nobody[V any](V) string { return "" }

func copyCounter(c counter) counter {
	c.LockedUntil, c.touched = kept(c.LockedUntil), kept(c.touched)
	return c
}

func copyWindow(w limit.Window) limit.Window {
	w.Ends = kept(w.Ends)
	return w
}

// ownerOfChallenge lets newer challenges of one counter be found.
func ownerOfChallenge(c challenge.Challenge) string {
	if c.Counter == "" {
		return ""
	}
	return join(c.Tenant, c.Counter)
}

// join makes one key of several parts, none of which holds a NUL.
func join(parts ...string) string { return strings.Join(parts, "\x00") }

func (st *state) challenge(tenant, handle string) (challenge.Challenge, error) {
	c, ok := st.challenges.get(handle)
	if !ok || c.Tenant != tenant {
		return challenge.Challenge{}, challenge.ErrNotFound
	}
	return c, nil
}

func (st *state) device(tenant, id string) (store.Device, error) {
	d, ok := st.devices.get(id)
	if !ok || d.Tenant != tenant {
		return store.Device{}, device.ErrNotFound
	}
	return d, nil
}

func (st *state) session(tenant, id string) (session.Session, error) {
	s, ok := st.sessions.get(id)
	if !ok || s.Tenant != tenant {
		return session.Session{}, session.ErrNotFound
	}
	return s, nil
}

func (st *state) signIn(tenant, id string) (session.SignIn, error) {
	s, ok := st.signIns.get(id)
	if !ok || s.Tenant != tenant {
		return session.SignIn{}, session.ErrPendingInvalid
	}
	return s, nil
}

func (st *state) user(tenant, id string) (user.User, error) {
	u, ok := st.users.get(id)
	if !ok || u.Tenant != tenant {
		return user.User{}, user.ErrNotFound
	}
	return u, nil
}

// account is a person with their identifiers, oldest first.
func (st *state) account(tenant, id string) (user.Account, error) {
	u, err := st.user(tenant, id)
	if err != nil {
		return user.Account{}, err
	}
	all := st.identifiers.of(join(tenant, id))
	slices.SortFunc(all, func(a, b user.Identifier) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
	})
	return user.Account{User: u, Identifiers: all}, nil
}

func identifierKey(tenant string, c contact.Contact) string {
	return join(tenant, string(c.Kind), c.Value)
}

// addAccount adds a person, unless one of their identifiers is taken.
func (st *state) addAccount(a user.Account) error {
	if _, ok := st.users.get(a.ID); ok {
		return user.ErrTaken
	}
	st.users.put(a.ID, a.User)
	for _, i := range a.Identifiers {
		i.Tenant, i.User = a.Tenant, a.ID
		key := identifierKey(a.Tenant, i.Contact)
		if _, ok := st.identifiers.get(key); ok {
			return user.ErrTaken
		}
		st.identifiers.put(key, i)
	}
	return nil
}

func (st *state) record(events []event.Event) {
	for _, e := range events {
		st.events.put(e.ID, e)
	}
}
