package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// How long what a provider publishes is believed, whatever it says itself, and
// how often it is asked for a key that it does not have: otherwise anybody who
// makes tokens up could make us ask.
const (
	shortestLife = 5 * time.Minute
	usualLife    = time.Hour
	longestLife  = 24 * time.Hour
	unknownPause = time.Minute
)

// document is what a provider says about itself (OpenID Connect Discovery 1.0
// section 3).
type document struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	UserInfo      string   `json:"userinfo_endpoint"`
	Introspection string   `json:"introspection_endpoint"`
	Methods       []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself   bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
}

// provider knows one provider's documents. Nothing in it belongs to another one,
// so that a key of one is never good for the tokens of the other.
type provider struct {
	opts   Options
	caller Caller
	now    func() time.Time

	asking chan struct{} // held by whoever asks; the others wait for what they hear
	mu     sync.Mutex    // guards the rest
	doc    document
	until  time.Time // of doc
	keys   []key
	good   time.Time // until when keys is believed
	asked  time.Time // when the keys were asked for
}

func newProvider(o Options, c Caller, now func() time.Time) *provider {
	return &provider{opts: o, caller: c, now: now, asking: make(chan struct{}, 1)}
}

// alone runs ask while nobody else asks the provider.
func (p *provider) alone(ctx context.Context, ask func() error) error {
	select {
	case p.asking <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", channel.ErrUnavailable, ctx.Err())
	}
	defer func() { <-p.asking }()
	return ask()
}

func (p *provider) document(ctx context.Context) (document, error) {
	if doc, ok := p.known(); ok {
		return doc, nil
	}
	var doc document
	err := p.alone(ctx, func() error {
		var ok bool
		if doc, ok = p.known(); ok {
			return nil
		}
		a, err := p.caller.Get(ctx, p.opts.Discovery, "")
		if err != nil {
			return fmt.Errorf("discovery: %w", err)
		}
		if err := a.Read(&doc); err != nil {
			return fmt.Errorf("discovery: %w", err)
		}
		if err := doc.check(p.opts.Issuers[0]); err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.doc, p.until = doc, p.now().Add(life(a.Header))
		return nil
	})
	return doc, err
}

func (p *provider) known() (document, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doc, p.now().Before(p.until)
}

// check refuses the document of another issuer (section 4.3), and addresses at
// which anybody on the way could listen.
func (d document) check(issuer string) error {
	if d.Issuer != issuer {
		return fmt.Errorf("%w: the discovery document is another issuer's", channel.ErrUnavailable)
	}
	for name, endpoint := range map[string]string{
		"authorization_endpoint": d.Authorization, "token_endpoint": d.Token, "jwks_uri": d.Keys,
	} {
		if CheckURL(endpoint) != nil {
			return fmt.Errorf("%w: the discovery document has no safe %s", channel.ErrUnavailable, name)
		}
	}
	for _, endpoint := range []string{d.UserInfo, d.Introspection} {
		if endpoint != "" && CheckURL(endpoint) != nil {
			return fmt.Errorf("%w: the discovery document has an unsafe endpoint", channel.ErrUnavailable)
		}
	}
	return nil
}

// CheckURL refuses URLs that are not https, without a user and a fragment. Our
// own machine may do without TLS.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("not an https URL")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("not an https URL")
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// errNoKey means that the provider has no such key, as far as we have looked.
var errNoKey = errors.New("the provider has no such key")

// key finds the key with which a token was signed. The provider is asked when
// what it said has become old, and, at most once a minute, when it is not known.
func (p *provider) key(ctx context.Context, id, algorithm string) (key, error) {
	if k, ask := p.lookup(id, algorithm); !ask {
		return k, k.err()
	}
	doc, err := p.document(ctx)
	if err != nil {
		return key{}, err
	}
	err = p.alone(ctx, func() error {
		if _, ask := p.lookup(id, algorithm); !ask {
			return nil // somebody else has just asked
		}
		return p.fetch(ctx, doc.Keys)
	})
	if err != nil {
		return key{}, err
	}
	k, _ := p.lookup(id, algorithm)
	return k, k.err()
}

// lookup finds a key among those that are known, or says that the provider is to
// be asked.
func (p *provider) lookup(id, algorithm string) (k key, ask bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if !now.Before(p.good) {
		return key{}, true
	}
	k, ok := pick(p.keys, id, algorithm)
	return k, !ok && now.Sub(p.asked) >= unknownPause
}

func (p *provider) fetch(ctx context.Context, target string) error {
	now := p.now()
	a, err := p.caller.Get(ctx, target, "")
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := a.Read(&set); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.good, p.asked = usable(set.Keys), now.Add(life(a.Header)), now
	return nil
}

// life is how long an answer is believed (RFC 9111 section 5.2.2.1).
func life(h http.Header) time.Duration {
	for part := range strings.SplitSeq(h.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), "=")
		switch name {
		case "no-store", "no-cache":
			return shortestLife
		case "max-age":
			if s, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				return min(max(time.Duration(s)*time.Second, shortestLife), longestLife)
			}
		}
	}
	return usualLife
}
