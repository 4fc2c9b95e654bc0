package fiberapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/commonwords"
	"github.com/countersign/countersign/adapters/fiberapi"
	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/adapters/jwttoken"
	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/adapters/phoneplan"
	"github.com/countersign/countersign/adapters/qrcode"
	"github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/adapters/templates"
	"github.com/countersign/countersign/adapters/textnorm"
	"github.com/countersign/countersign/app/accounts"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/devices"
	"github.com/countersign/countersign/app/idempotency"
	"github.com/countersign/countersign/app/invitations"
	"github.com/countersign/countersign/app/keys"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/passwords"
	"github.com/countersign/countersign/app/registration"
	"github.com/countersign/countersign/app/rules"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/plugins/recovery"
	"github.com/countersign/countersign/plugins/totp"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
)

const publicURL = "https://login.example.com"

// hands is a clock that moves only when it is told to.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// post is a courier that delivers at once: it keeps the code of each challenge.
type post struct {
	codes *challenges.Codes
	links challenges.Links
	mu    sync.Mutex
	sent  map[string]parcel // by handle
}

type parcel struct{ code, to, locale, client, link string }

func (p *post) Reserve(*store.Message, time.Time) bool { return true }
func (p *post) Release()                               {}
func (p *post) Wake()                                  {}

func (p *post) Take(in store.Parcel) {
	if in.Challenge.Decoy {
		return
	}
	code, _ := p.codes.Of(in.Challenge)
	p.mu.Lock()
	defer p.mu.Unlock()
	link, _ := p.links.Of(in.Challenge)
	p.sent[in.Challenge.Handle] = parcel{code, in.Challenge.Destination, in.Challenge.Locale, in.Challenge.Client, link}
}

type silent struct{}

func (silent) Validate() error { return nil }

func (silent) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{}, nil
}

func sender(typ string, kind channel.AddressKind, most channel.AAL) channel.Plugin {
	return channel.DefineSender(channel.Descriptor{
		Type: typ, Title: typ, Address: kind, Factor: channel.Possession, MaxAAL: most, AMR: []string{"otp"},
	}, func() silent { return silent{} }, func(context.Context, silent, channel.Env) (channel.Sender, error) { return silent{}, nil })
}

// rig is the API over real use cases and a store in memory.
type rig struct {
	t     *testing.T
	app   *fiber.App
	api   *fiberapi.API
	clock *hands
	post  *post
	store *memstore.Store

	programs *keys.Service
	notices  []store.Parcel // that were claimed
	busy     bool           // nobody has time to hash
	ring     *keyring.Ring
	tokens   invitations.Tokens
	log      *bytes.Buffer
	down     error // of the dependency "storage"
	valid    *contract
}

// newRig makes one; closed is a tenant that nobody can sign up to.
func newRig(t *testing.T, tune ...func(*policy.Policy)) *rig {
	t.Helper()
	r := &rig{t: t, clock: &hands{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}, store: memstore.New(), log: &bytes.Buffer{}}
	p := policy.Default()
	p.Limits, p.Challenge.ResendAfter = policy.Limits{}, 0
	for _, change := range tune {
		change(&p)
	}
	shut := p
	shut.SignUp.Allowed = false
	book := tenants.NewBook(
		tenants.Entry{Tenant: tenant.Tenant{Slug: tenant.Default}, Policy: p},
		tenants.Entry{Tenant: tenant.Tenant{Slug: "closed", Origins: []string{"https://closed.example.com", "http://plain.example.com:8080"}}, Policy: shut},
	)
	ring := must(keyring.Ephemeral(rand.Reader, r.clock.Now()))(t)
	r.ring = ring
	r.post = &post{codes: challenges.NewCodes(ring), sent: map[string]parcel{}}
	r.app = fiberkit.New(fiberkit.Options{
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Docs: publicURL,
		NewID: system.NewIDs(nil).New, Now: r.clock.Now,
	})
	r.api = fiberapi.New(r.needs(ring, book))
	r.api.Mount(r.app)
	r.valid = newContract(t, must(r.api.Document())(t))
	return r
}

func (r *rig) needs(ring *keyring.Ring, book *tenants.Book) fiberapi.Needs {
	t, ids := r.t, system.NewIDs(nil)
	jwt := must(jwttoken.New(jwttoken.Config{Keys: ring, Issuer: publicURL, Audience: publicURL, Now: r.clock.Now}))(t)
	words := must(templates.New(templates.Options{}))(t)
	catalog := must(channels.NewCatalog([]channel.Plugin{
		sender("email", channel.Email, 1), sender("sms", channel.Phone, 2), totp.Plugin(), recovery.Plugin(), vouching(),
	}))(t)
	var specs []channels.Spec
	for _, id := range []string{"email", "sms", "totp", "recovery", "site"} {
		specs = append(specs, channels.Spec{ID: id, Use: id, Decode: func(any) error { return nil }})
	}
	registry := must(catalog.Open(t.Context(), specs, func(instance string) channel.Env {
		return channel.Env{Instance: instance, Brand: "Example", Log: slog.Default(), Now: r.clock.Now, Random: rand.Reader, Codes: r.post.codes}
	}))(t)
	numbers := phoneplan.New()
	parser := contact.Parser{NFKC: textnorm.NFKC, ToASCII: textnorm.NewDomains().ToASCII, E164: func(raw, region string) (string, error) {
		n, err := numbers.Parse(raw, region)
		return n.E164, err
	}}
	tell := notices.New(notices.Needs{Channels: registry, Courier: r.post, IDs: ids})
	who := sessions.New(sessions.Needs{
		Store: r.store, Signer: jwt, Reader: jwt, Deriver: ring, Clock: r.clock, IDs: ids, Meter: meter.Nothing{}, Tenants: book, Notices: tell,
	})
	r.programs = keys.New(keys.Needs{Store: r.store, Clock: r.clock, IDs: ids, Random: rand.Reader})
	r.post.links = challenges.Links{Deriver: ring, Tenants: book, Base: publicURL}
	gate := rules.New(rules.Needs{Store: r.store, Tenants: book, Clock: r.clock, IDs: ids, Log: slog.New(slog.DiscardHandler)})
	asks := challenges.New(challenges.Needs{
		Store: r.store, Channels: registry, Sessions: who, Tenants: book, Contacts: parser, Gate: gate, Sealer: ring, Signer: jwt,
		Notices: tell, Codes: r.post.codes,
		Links: r.post.links, Courier: r.post, Clock: r.clock, IDs: ids, Random: rand.Reader, Meter: meter.Nothing{}, Log: slog.New(slog.DiscardHandler),
	})
	knows := passwords.New(passwords.Needs{
		Store: r.store, Challenges: asks, Sessions: who, Channels: registry, Tenants: book, Contacts: parser, Gate: gate, Notices: tell,
		Hasher: moody{hasher(t, ring, 2), &r.busy},
		Common: commonwords.New(textnorm.NFKC), Clock: r.clock, IDs: ids, Log: slog.New(slog.DiscardHandler),
	})
	r.tokens = invitations.Tokens{Deriver: ring, Base: publicURL}
	return fiberapi.Needs{
		Passwords: knows,
		SignUp: registration.New(registration.Needs{
			Store: r.store, Challenges: asks, Passwords: knows, Sessions: who, Channels: registry, Tenants: book, Contacts: parser, Gate: gate, Notices: tell,
			Clock: r.clock, IDs: ids, Log: slog.New(slog.DiscardHandler),
		}),
		Challenges: asks, Sessions: who, Programs: r.programs,
		Devices:  devices.New(devices.Needs{Store: r.store, Challenges: asks, Sessions: who, Channels: registry, Tenants: book, Contacts: parser, Gate: gate, Notices: tell, Clock: r.clock, IDs: ids}),
		Accounts: accounts.New(accounts.Needs{Store: r.store, Challenges: asks, Contacts: parser, Gate: gate, Sessions: who, Channels: registry, Tenants: book, Sealer: ring, Locales: words, Notices: tell, Clock: r.clock, IDs: ids}),
		Invitations: invitations.New(invitations.Needs{
			Store: r.store, Challenges: asks, Notices: tell, Channels: registry, Tenants: book, Contacts: parser, Gate: gate,
			Passwords: knows, Tokens: r.tokens, Clock: r.clock, IDs: ids,
		}),
		Idempotency: idempotency.New(idempotency.Needs{Store: r.store, Sealer: ring, Clock: r.clock}),
		Tenants:     book, Channels: registry, Locales: words, Keys: jwt, Address: fiberkit.NewResolver([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}), Random: rand.Reader, QR: qrcode.SVG,
		Ready: func(context.Context) map[string]error { return map[string]error{"storage": r.down} },
		Brand: "Example", PublicURL: publicURL, Version: "test",
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (a answer) text(path ...string) string {
	s, _ := a.at(path...).(string)
	return s
}

func (a answer) at(path ...string) any {
	var v any = a.body
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

func (r *rig) request(method, path, body string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(r.t.Context(), method, publicURL+path, strings.NewReader(body))
	if err == nil && body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}

// do sends a request; header lines are "Name: value". Whatever is answered must
// be as the document says.
func (r *rig) do(method, path, body string, header ...string) answer {
	r.t.Helper()
	req, err := r.request(method, path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	resp, err := r.app.Test(req, -1)
	if err != nil {
		r.t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		r.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: raw}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") && len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			r.t.Fatalf("%s %s: no JSON: %s", method, path, raw)
		}
	}
	r.valid.check(req, body, a)
	return a
}

// want fails unless the answer has a status and, for refusals, a code.
func (r *rig) want(a answer, status int, code ...string) answer {
	r.t.Helper()
	if a.status != status || len(code) > 0 && a.text("code") != code[0] {
		r.t.Fatalf("got %d %s, want %d %v", a.status, a.raw, status, code)
	}
	return a
}

func bearer(token string) string { return "Authorization: Bearer " + token }
