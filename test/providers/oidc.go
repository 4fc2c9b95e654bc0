// Package providers plays the sites elsewhere that people sign in at and that
// messages go through: on this machine, and as strict as the real ones. It is for
// tests.
package providers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// OIDC is an OpenID Connect provider. Fill it and Start it. It is safe for
// concurrent use once it was started; what is exported is not to be changed then,
// except by its methods.
type OIDC struct {
	Issuer   string // what it calls itself; its URL if empty
	Client   string // the one client that it knows
	Secret   string // the client's; "" makes it a public one
	Redirect string // where it sends browsers back; "" is anywhere
	Post     bool   // secrets come in the form, not in a header
	FormPost bool   // returns are posted, as Apple does

	// Check looks at a secret that is made anew each time, in place of Secret.
	Check func(secret string) error

	URL    string // where it is, since it was started
	Watch  Watch
	server *httptest.Server

	mu      sync.Mutex        // guards the rest
	person  map[string]any    // claims about whoever consents
	info    map[string]any    // what userinfo says besides
	granted map[string]grant  // codes that were not used yet
	access  map[string]string // access tokens and whose client they belong to
	id      string            // of the key
	key     crypto.Signer
	extra   []map[string]string // keys of strange kinds
	fetched int                 // how often the keys were
	cache   string              // Cache-Control of the keys
	made    int
}

// grant is a code.
type grant struct {
	redirect, challenge, nonce string
	person                     map[string]any
}

// Start begins to serve. Close it.
func (p *OIDC) Start() *OIDC {
	p.granted, p.access, p.person, p.cache = map[string]grant{}, map[string]string{}, map[string]any{"sub": "248289761001"}, "max-age=3600"
	p.Rotate()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discover)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /userinfo", p.userinfo)
	mux.HandleFunc("POST /introspect", p.introspect)
	p.server = httptest.NewServer(mux)
	p.URL = p.server.URL
	if p.Issuer == "" {
		p.Issuer = p.URL
	}
	return p
}

// Close stops serving.
func (p *OIDC) Close() { p.server.Close() }

// Discovery is the URL of its document.
func (p *OIDC) Discovery() string { return p.URL + "/.well-known/openid-configuration" }

// Is says who consents from now on, beside what a token always says.
func (p *OIDC) Is(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.person = claims
}

// Tells says what only the userinfo endpoint knows.
func (p *OIDC) Tells(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info = claims
}

// Rotate makes a new key; tokens of the old one are not good any more.
func (p *OIDC) Rotate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made++
	p.id = fmt.Sprintf("key-%d", p.made)
	p.key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

// Publish adds a key, of whatever kind, to those that are published, and says how
// long they may be kept.
func (p *OIDC) Publish(cacheControl string, keys ...map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.extra, p.cache = keys, cacheControl
}

// Fetched is how often the keys were asked for.
func (p *OIDC) Fetched() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetched
}

// Claims are those of a token for the client, with changes; nil takes one out.
func (p *OIDC) Claims(changes map[string]any) map[string]any {
	now := p.Watch.Now().Unix()
	out := map[string]any{"iss": p.Issuer, "aud": p.Client, "iat": now, "exp": now + 3600}
	p.mu.Lock()
	maps.Copy(out, p.person)
	p.mu.Unlock()
	for name, value := range changes {
		if out[name] = value; value == nil {
			delete(out, name)
		}
	}
	return out
}

// Sign makes a token.
func (p *OIDC) Sign(claims map[string]any) string { return p.SignUnder(nil, claims) }

// SignUnder makes a token with more in its header.
func (p *OIDC) SignUnder(more, claims map[string]any) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	header := map[string]any{"kid": p.id}
	maps.Copy(header, more)
	return SignWith(p.key, header, claims)
}

// SignWith makes a token by a P-256 key, under a header.
func SignWith(key crypto.Signer, header, claims map[string]any) string {
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims(claims))
	maps.Copy(t.Header, header)
	return must(t.SignedString(key))
}

// Grant makes an access token of some client for whoever consents.
func (p *OIDC) Grant(client string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := rand.Text()
	p.access[token] = client
	return token
}

// Consent plays a browser whose owner says yes: it gives what comes back with it.
func (p *OIDC) Consent(target string) (url.Values, error) {
	return follow(target)
}

// follow goes to a page that sends the browser elsewhere at once.
func follow(target string) (url.Values, error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Get(target) //nolint:noctx // a page of this process
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusFound {
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("HTTP status %d: %s", resp.StatusCode, text)
	}
	back, err := resp.Location()
	if err != nil {
		return nil, err
	}
	return back.Query(), nil
}

func (p *OIDC) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	err := errors.Join(
		want(q, "response_type", "code"), want(q, "client_id", p.Client), want(q, "code_challenge_method", "S256"),
	)
	switch {
	case err != nil:
	case p.Redirect != "" && q.Get("redirect_uri") != p.Redirect:
		err = errors.New("redirect_uri_mismatch")
	case !slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		err = errors.New("no openid in scope")
	case len(q.Get("code_challenge")) != 43 || q.Get("state") == "" || q.Get("nonce") == "":
		err = errors.New("no code_challenge, state or nonce")
	case p.FormPost != (q.Get("response_mode") == "form_post"):
		err = errors.New("wrong response_mode")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.granted[code] = grant{q.Get("redirect_uri"), q.Get("code_challenge"), q.Get("nonce"), p.person}
	p.mu.Unlock()
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func want(q url.Values, name, value string) error {
	if q.Get(name) != value {
		return fmt.Errorf("%s is not %q", name, value)
	}
	return nil
}

func (p *OIDC) token(w http.ResponseWriter, r *http.Request) {
	if !p.authentic(r) {
		say(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	p.mu.Lock()
	g, ok := p.granted[r.PostFormValue("code")]
	delete(p.granted, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || r.PostFormValue("grant_type") != "authorization_code" || r.PostFormValue("redirect_uri") != g.redirect ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
		say(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	claims := p.Claims(g.person)
	if _, own := g.person["nonce"]; !own {
		claims["nonce"] = g.nonce
	}
	say(w, http.StatusOK, map[string]any{"id_token": p.Sign(claims), "access_token": p.Grant(p.Client), "token_type": "Bearer"})
}

// authentic reports whether a request is the client's.
func (p *OIDC) authentic(r *http.Request) bool {
	client, secret, basic := r.BasicAuth()
	if basic { // RFC 6749 section 2.3.1
		client, secret = must(url.QueryUnescape(client)), must(url.QueryUnescape(secret))
	} else {
		client, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if p.Check != nil {
		return client == p.Client && p.Check(secret) == nil
	}
	return client == p.Client && secret == p.Secret && (p.Secret == "" || basic != p.Post)
}

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // nobody is there to be told
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // chance and encoding do not fail in tests
	}
	return v
}
