package app

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"

	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"github.com/countersign/countersign/adapters/jwttoken"
	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/meter"
	"github.com/countersign/countersign/adapters/phoneplan"
	"github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/adapters/textnorm"
	"github.com/countersign/countersign/app/accounts"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/delivery"
	"github.com/countersign/countersign/app/devices"
	"github.com/countersign/countersign/app/events"
	"github.com/countersign/countersign/app/idempotency"
	"github.com/countersign/countersign/app/janitor"
	"github.com/countersign/countersign/app/keys"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/rules"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/numbering"
	portsystem "github.com/countersign/countersign/ports/system"
	"github.com/countersign/countersign/ports/token"
)

// Loaded is a configuration that was read and found good.
type Loaded struct {
	Config

	Specs []channels.Spec // of Config.Channels, in no order

	asIs   bool     // the schema of the database is left alone
	really []string // types of plugins that send in development too
}

// New puts everything together. Whatever cannot be is reported by its Err.
func New(l Loaded, opts ...Option) *fx.App { return fx.New(composition(l, opts)) }

func composition(l Loaded, opts []Option) fx.Option {
	return fx.Options(provided(l, opts), fx.Invoke(run))
}

// provided is everything there is to put together.
func provided(l Loaded, opts []Option) fx.Option {
	return fx.Options(
		fx.WithLogger(wiringLog),
		fx.StopTimeout(3*patience),
		fx.Supply(l),
		Channels(builtIn()...),
		fx.Provide(
			newLog, newClock, newIDs, newRandom, newRing, newTokens, newStore, newListeners, newFeed, newPublishing, meter.New, newComposer,
			newCatalog, newEnv, newRegistry, newTenants, newContacts, newCodes, newLinks, newNotices, newKeys,
			newDispatcher, newSessions, newChallenges, newDevices, newAccounts, newIdempotency, newJanitor, newRules,
			newHasher, newCommon, newPasswords, newRegistration, newInvitationTokens, newMessageLinks, newInvitations, newSupport, newDev, newServer,
		),
		fx.Options(opts...),
	)
}

// newCatalog collects the plugins that fx brings in no order.
var newCatalog = fx.Annotate(channels.NewCatalog, fx.ParamTags(`group:"channels"`))

func newLog(l Loaded) *slog.Logger { return l.Log.logger(os.Stderr) }

func (g Log) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(g.Level)) // one of the four, by the configuration's rules
	o := &slog.HandlerOptions{Level: level}
	if g.Format == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// wiringLog tells who wires what only to those who debug. Everybody else hears
// of an error once, from finish.
func wiringLog(log *slog.Logger) fxevent.Logger {
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		return fxevent.NopLogger
	}
	l := &fxevent.SlogLogger{Logger: log}
	l.UseLogLevel(slog.LevelDebug)
	l.UseErrorLevel(slog.LevelDebug)
	return l
}

func newClock(d *dev) portsystem.Clock {
	if d != nil {
		return d.clock
	}
	return system.Clock{}
}

func newRandom() io.Reader { return system.Random() }

func newIDs(random io.Reader) portsystem.IDs { return system.NewIDs(random) }

func newTokens(l Loaded, ring *keyring.Ring, clock portsystem.Clock) (*jwttoken.Tokens, token.Signer, token.Reader, token.Publisher, error) {
	t, err := jwttoken.New(jwttoken.Config{Keys: ring, Issuer: l.PublicURL, Audience: l.PublicURL, Now: clock.Now})
	return t, t, t, t, err
}

func newComposer(l Loaded) (message.Composer, error) { return l.composer() }

func newTenants(l Loaded) (*tenants.Book, error) {
	entries, err := l.entries()
	return tenants.NewBook(entries...), err
}

func newContacts() contact.Parser {
	return contact.Parser{NFKC: textnorm.NFKC, ToASCII: textnorm.NewDomains().ToASCII, E164: numbering.E164(phoneplan.New())}
}

func newCodes(ring *keyring.Ring) *challenges.Codes { return challenges.NewCodes(ring) }

func newLinks(l Loaded, ring *keyring.Ring, book *tenants.Book) challenges.Links {
	return challenges.Links{Deriver: ring, Tenants: book, Base: strings.TrimSuffix(l.PublicURL, "/")}
}

// parts are what most use cases are made of.
type parts struct {
	fx.In

	Store    *events.Publishing
	Clock    portsystem.Clock
	IDs      portsystem.IDs
	Random   io.Reader
	Ring     *keyring.Ring
	Meter    *meter.Meter
	Log      *slog.Logger
	Tenants  *tenants.Book
	Channels *channels.Registry
	Contacts contact.Parser
	Codes    *challenges.Codes
	Composer message.Composer
}

func newDispatcher(p parts, l Loaded, links delivery.Links) *delivery.Dispatcher {
	return delivery.New(delivery.Needs{
		Store: p.Store, Channels: p.Channels, Codes: p.Codes, Links: links, Composer: p.Composer, Clock: p.Clock, IDs: p.IDs,
		Random: p.Random, Meter: p.Meter, Log: p.Log, Owner: p.IDs.New(), Tenants: p.Tenants, Host: l.host(), Region: regionOf,
	})
}

func newSessions(p parts, signer token.Signer, reader token.Reader, n *notices.Service) *sessions.Service {
	return sessions.New(sessions.Needs{
		Store: p.Store, Signer: signer, Reader: reader, Deriver: p.Ring, Clock: p.Clock, IDs: p.IDs,
		Meter: p.Meter, Tenants: p.Tenants, Notices: n,
	})
}

func newKeys(p parts) *keys.Service {
	return keys.New(keys.Needs{Store: p.Store, Clock: p.Clock, IDs: p.IDs, Random: p.Random})
}

// regionOf is the country of a phone number; "" for what is none.
func regionOf(e164 string) string {
	n, err := phoneplan.New(numbering.Fixed, numbering.VoIP).Parse(e164, "")
	if err != nil {
		return ""
	}
	return n.Region
}

func newNotices(p parts, d *delivery.Dispatcher) *notices.Service {
	return notices.New(notices.Needs{Channels: p.Channels, Courier: d, IDs: p.IDs})
}

func newChallenges(p parts, s *sessions.Service, d *delivery.Dispatcher, n *notices.Service, g *rules.Gate, links challenges.Links, signer token.Signer) *challenges.Service {
	return challenges.New(challenges.Needs{
		Store: p.Store, Channels: p.Channels, Sessions: s, Tenants: p.Tenants, Contacts: p.Contacts, Region: regionOf, Gate: g,
		Notices: n, Sealer: p.Ring, Signer: signer, Codes: p.Codes, Links: links, Courier: d, Clock: p.Clock, IDs: p.IDs, Random: p.Random, Meter: p.Meter, Log: p.Log,
	})
}

func newDevices(p parts, c *challenges.Service, s *sessions.Service, n *notices.Service, g *rules.Gate) *devices.Service {
	return devices.New(devices.Needs{
		Store: p.Store, Challenges: c, Sessions: s, Channels: p.Channels, Tenants: p.Tenants, Contacts: p.Contacts,
		Gate: g, Notices: n, Clock: p.Clock, IDs: p.IDs,
	})
}

func newAccounts(p parts, c *challenges.Service, s *sessions.Service, n *notices.Service, g *rules.Gate) *accounts.Service {
	return accounts.New(accounts.Needs{
		Store: p.Store, Challenges: c, Sessions: s, Channels: p.Channels, Tenants: p.Tenants, Sealer: p.Ring, Locales: p.Composer,
		Contacts: p.Contacts, Gate: g, Notices: n, Clock: p.Clock, IDs: p.IDs,
	})
}

func newIdempotency(p parts) *idempotency.Service {
	return idempotency.New(idempotency.Needs{Store: p.Store, Sealer: p.Ring, Clock: p.Clock})
}

// newRules asks for no more than commands have.
func newRules(s *events.Publishing, t *tenants.Book, clock portsystem.Clock, ids portsystem.IDs, log *slog.Logger) *rules.Gate {
	return rules.New(rules.Needs{Store: s, Tenants: t, Clock: clock, IDs: ids, Log: log})
}

func newJanitor(p parts) *janitor.Janitor {
	return janitor.New(janitor.Needs{Store: p.Store, Tenants: p.Tenants, Clock: p.Clock, IDs: p.IDs, Log: p.Log})
}
