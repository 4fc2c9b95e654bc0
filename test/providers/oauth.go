package providers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// OAuth is a site that speaks OAuth 2.0 and an API of its own: GitHub or Facebook.
// Start it as one of them. It is safe for concurrent use.
type OAuth struct {
	Client string
	Secret string

	URL    string // where it is, since it was started
	Watch  Watch
	server *httptest.Server

	mu      sync.Mutex          // guards the rest
	who     map[string]any      // whoever consents
	mail    []map[string]any    // their addresses, at GitHub
	granted map[string]grant    // codes that were not used yet
	access  map[string]oldToken // access tokens
}

// oldToken is an access token.
type oldToken struct {
	client  string
	at      time.Time
	revoked bool
}

func (o *OAuth) start(mux *http.ServeMux) *OAuth {
	o.granted, o.access = map[string]grant{}, map[string]oldToken{}
	o.server = httptest.NewServer(mux)
	o.URL = o.server.URL
	return o
}

// Close stops serving.
func (o *OAuth) Close() { o.server.Close() }

// Is says who consents from now on, and at GitHub with which addresses.
func (o *OAuth) Is(who map[string]any, mail ...map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.who, o.mail = who, mail
}

// Grant makes an access token of some client for whoever consents.
func (o *OAuth) Grant(client string, at time.Time) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	token := "gho_" + rand.Text()
	o.access[token] = oldToken{client: client, at: at}
	return token
}

// Revoke makes an access token worth nothing, which only a site's check of tokens tells.
func (o *OAuth) Revoke(token string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.access[token]
	t.revoked = true
	o.access[token] = t
}

// Consent plays a browser whose owner says yes: it gives what comes back with it.
func (o *OAuth) Consent(target string) (url.Values, error) { return follow(target) }

// Visit plays a person in a conformance test who is sent to the site, says yes, and
// comes back.
func (o *OAuth) Visit(tb testing.TB, s channeltest.Scene) channel.Response {
	tb.Helper()
	o.Watch.Set(s.Clock)
	back, err := o.Consent(s.Prompt.URL)
	if err != nil {
		tb.Fatal(err)
	}
	return bring(tb, s, channel.Inbound{Method: http.MethodGet, Query: back})
}

// grantCode sends the browser back with a code.
func (o *OAuth) grantCode(w http.ResponseWriter, r *http.Request, challenge string) {
	q := r.URL.Query()
	if q.Get("client_id") != o.Client || q.Get("state") == "" || q.Get("redirect_uri") == "" || q.Get("response_type") != "code" {
		http.Error(w, "a bad request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	o.mu.Lock()
	o.granted[code] = grant{redirect: q.Get("redirect_uri"), challenge: challenge}
	o.mu.Unlock()
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// redeem takes a code, once.
func (o *OAuth) redeem(r *http.Request) (grant, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g, ok := o.granted[r.PostFormValue("code")]
	delete(o.granted, r.PostFormValue("code"))
	return g, ok && r.PostFormValue("redirect_uri") == g.redirect
}

func (o *OAuth) ours(r *http.Request) bool {
	return r.PostFormValue("client_id") == o.Client && r.PostFormValue("client_secret") == o.Secret
}

func bearerOf(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// known reports whether a request carries an access token, whoever's.
func (o *OAuth) known(r *http.Request) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.access[bearerOf(r)]
	return ok
}

// AsGitHub starts it as GitHub: its pages and its API are below its URL.
func (o *OAuth) AsGitHub() *OAuth {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login/oauth/authorize", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("code_challenge_method") != "S256" {
			http.Error(w, "no PKCE", http.StatusBadRequest)
			return
		}
		o.grantCode(w, r, r.URL.Query().Get("code_challenge"))
	})
	mux.HandleFunc("POST /login/oauth/access_token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		g, ok := o.redeem(r)
		switch {
		case !o.ours(r):
			say(w, http.StatusOK, map[string]any{"error": "incorrect_client_credentials"})
		case !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge:
			say(w, http.StatusOK, map[string]any{"error": "bad_verification_code"})
		default:
			say(w, http.StatusOK, map[string]any{"access_token": o.Grant(o.Client, o.Watch.Now()), "token_type": "bearer"})
		}
	})
	mux.HandleFunc("GET /user", o.githubAnswer(func() any { return o.who }))
	mux.HandleFunc("GET /user/emails", o.githubAnswer(func() any { return append([]map[string]any{}, o.mail...) }))
	mux.HandleFunc("POST /applications/{client}/token", o.githubCheck)
	return o.start(mux)
}

func (o *OAuth) githubAnswer(answer func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !o.known(r) {
			say(w, http.StatusUnauthorized, map[string]any{"message": "Bad credentials"})
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		say(w, http.StatusOK, answer())
	}
}

// githubCheck knows the tokens of the client that asks only.
func (o *OAuth) githubCheck(w http.ResponseWriter, r *http.Request) {
	client, secret, _ := r.BasicAuth()
	if client != o.Client || secret != o.Secret || r.PathValue("client") != client {
		say(w, http.StatusUnauthorized, map[string]any{"message": "Requires authentication"})
		return
	}
	var body struct {
		Token string `json:"access_token"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.access[body.Token]
	if err != nil || !ok || t.revoked || t.client != client {
		say(w, http.StatusNotFound, map[string]any{"message": "Not Found"})
		return
	}
	say(w, http.StatusOK, map[string]any{
		"app": map[string]any{"client_id": t.client}, "user": o.who, "created_at": t.at.UTC().Format(time.RFC3339),
	})
}

// AsFacebook starts it as Facebook: its dialog is /dialog, its Graph API below its
// URL.
func (o *OAuth) AsFacebook() *OAuth {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /dialog", func(w http.ResponseWriter, r *http.Request) { o.grantCode(w, r, "") })
	mux.HandleFunc("POST /oauth/access_token", func(w http.ResponseWriter, r *http.Request) {
		_, ok := o.redeem(r)
		switch {
		case !o.ours(r):
			graphError(w, 1)
		case !ok:
			graphError(w, 100)
		default:
			say(w, http.StatusOK, map[string]any{"access_token": o.Grant(o.Client, o.Watch.Now()), "token_type": "bearer"})
		}
	})
	mux.HandleFunc("GET /debug_token", o.facebookCheck)
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		h := hmac.New(sha256.New, []byte(o.Secret))
		h.Write([]byte(bearerOf(r)))
		if !o.known(r) || r.URL.Query().Get("appsecret_proof") != hex.EncodeToString(h.Sum(nil)) {
			graphError(w, 190)
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		say(w, http.StatusOK, o.who)
	})
	return o.start(mux)
}

func graphError(w http.ResponseWriter, code int) {
	say(w, http.StatusBadRequest, map[string]any{"error": map[string]any{"message": "error " + strconv.Itoa(code), "type": "OAuthException", "code": code}})
}

// facebookCheck tells everything about every token to whoever has a secret: that a
// token is another app's, the one who asks must see.
func (o *OAuth) facebookCheck(w http.ResponseWriter, r *http.Request) {
	if bearerOf(r) != o.Client+"|"+o.Secret {
		graphError(w, 190)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.access[r.URL.Query().Get("input_token")]
	if !ok {
		say(w, http.StatusOK, map[string]any{"data": map[string]any{"is_valid": false}})
		return
	}
	say(w, http.StatusOK, map[string]any{"data": map[string]any{
		"app_id": t.client, "type": "USER", "is_valid": !t.revoked, "user_id": o.who["id"], "issued_at": t.at.Unix(), "expires_at": t.at.Add(60 * 24 * time.Hour).Unix(),
	}})
}
