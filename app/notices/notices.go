// Package notices tells people what has happened to their account, and asks
// people in: it queues what the dispatcher then puts into words and sends.
package notices

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// life is how long sending a notice is tried.
const life = 24 * time.Hour

// attempts is how often one address is told that somebody signed up with it:
// whoever keeps trying fills no inbox.
func attempts() limit.Rule { return limit.Rule{Max: 1, Window: 24 * time.Hour} }

// Courier sends messages that were queued.
type Courier interface {
	// Wake looks into the queue soon.
	Wake()
}

// Needs is what the service is made of.
type Needs struct {
	Channels *channels.Registry
	Courier  Courier
	IDs      system.IDs
}

// Service queues notices. It is safe for concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// Telling is something that somebody should know.
type Telling struct {
	Account user.Account      // whose it is; of somebody who has none yet, the tenant
	Kind    message.Kind      // one of message.Notices
	To      contact.Contact   // where it goes; zero: the account's proven e-mail address
	Locale  string            // of the page it happened on; the account's own comes first
	Ref     string            // message.Invitation: the invitation's id
	Client  string            // what did it, "Firefox on Windows"; may be empty
	Data    map[string]string // see the kind; nothing secret
	Now     time.Time         // when it happened
}

// Tell queues a notice within a unit of work, so that it is sent if and only if
// what it tells of was committed; Wake afterwards. Where nothing reaches the
// person, nothing is queued, and that is no error. A phone number is told only
// if To names it: text messages cost, and numbers change hands.
func (s *Service) Tell(ctx context.Context, tx store.Tx, t Telling) error {
	to, ok := t.to()
	if !ok {
		return nil
	}
	route := s.Channels.Senders(to.Kind)
	if len(route) == 0 {
		return nil
	}
	if t.Kind == message.SignUpAttempt {
		err := tx.Challenges().Take(ctx, []limit.Charge{{Rule: attempts(), Key: attemptsKey(t.Account.Tenant, to)}}, t.Now)
		if f, refused := fault.Of(err); refused && f.Kind == fault.Throttled {
			return nil
		}
		if err != nil {
			return err
		}
	}
	locale := t.Account.Locale
	if locale == "" {
		locale = t.Locale
	}
	return tx.Challenges().Queue(ctx, store.Message{
		ID: s.IDs.New(), Tenant: t.Account.Tenant, Channel: route[0].ID, Number: 1, NextAt: t.Now, Deadline: t.Now.Add(life),
		Notice: &store.Notice{
			Kind: string(t.Kind), To: to, Locale: locale, At: t.Now, Client: t.Client, Ref: t.Ref, Data: t.Data,
		},
	})
}

// Wake makes the courier look into the queue: what was told is committed.
func (s *Service) Wake() { s.Courier.Wake() }

func (t Telling) to() (contact.Contact, bool) {
	if !t.To.IsZero() {
		return t.To, true
	}
	id, ok := t.Account.Find(contact.Email)
	return id.Contact, ok && id.Verified()
}

// attemptsKey names the window of an address without telling what it is.
func attemptsKey(tenant string, to contact.Contact) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{tenant, "sign_up_attempt", string(to.Kind) + to.Value}, "\x00")))
	return "sign_up_attempt:" + base64.RawURLEncoding.EncodeToString(sum[:16])
}
