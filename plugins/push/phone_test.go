package push_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/ports/signature"
)

const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// gateway takes what is ours, and keeps what it would hand to push services.
type gateway struct {
	url string
	now func() time.Time

	mu     sync.Mutex // guards the rest
	bodies []string
	notes  []note
	status int // that it answers with; 0: as it should
}

type note struct {
	Type, To, Device string
	Sealed           []byte
}

func newGateway(tb testing.TB) *gateway {
	tb.Helper()
	g := &gateway{}
	srv := httptest.NewServer(g)
	tb.Cleanup(srv.Close)
	g.url = srv.URL
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	seconds, _ := strconv.ParseInt(r.Header.Get(signature.Timestamp), 10, 64)
	at := time.Unix(seconds, 0) // the kit's clock runs through hours
	if g.now != nil {
		at = g.now()
	}
	if err != nil || signature.Verify(secret, r.Header, body, at) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var n note
	if json.Unmarshal(body, &n) != nil || n.To == "" || g.status != 0 {
		w.WriteHeader(max(g.status, http.StatusBadRequest))
		return
	}
	g.notes, g.bodies = append(g.notes, n), append(g.bodies, string(body))
	fmt.Fprintf(w, `{"id":"push-%d"}`, len(g.notes))
}

func (g *gateway) rung() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.notes)
}

// phone is an app that was paired, and the person who holds it.
type phone struct {
	gateway *gateway

	mu          sync.Mutex // guards the rest
	name, key   string
	sent        int
	handle, url string // of the pairing
}

// scan reads the picture.
func (p *phone) scan(tb testing.TB, text string) {
	tb.Helper()
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "countersign" || u.Host != "pair" {
		tb.Fatalf("%q is not what phones scan: %v", text, err)
	}
	q := u.Query()
	p.name, p.key, p.handle, p.url = q.Get("device"), q.Get("key"), q.Get("handle"), q.Get("callback")
}

// asked is what the phone shows.
type asked struct{ Handle, Callback, Issuer, Account, Detail, Locale string }

// read opens what the gateway has handed over.
func (p *phone) read(n note) (q asked, err error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.key, "whsec_"))
	if err != nil {
		return q, err
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte("countersign push seal"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return q, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return q, err
	}
	text, err := gcm.Open(nil, n.Sealed[:12], n.Sealed[12:], []byte(p.name))
	if err != nil {
		return q, err
	}
	return q, json.Unmarshal(text, &q)
}

// asks finds what the phone was asked about a challenge.
func (p *phone) asks(tb testing.TB, handle string) asked {
	tb.Helper()
	p.gateway.mu.Lock()
	defer p.gateway.mu.Unlock()
	for _, n := range slices.Backward(p.gateway.notes) {
		if n.Device == p.name {
			if q, err := p.read(n); err == nil && q.Handle == handle {
				return q
			}
		}
	}
	tb.Fatal("the phone was not asked")
	return asked{}
}

// says makes a request of the phone.
func (p *phone) says(tb testing.TB, at time.Time, body map[string]string) channel.Inbound {
	tb.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		tb.Fatal(err)
	}
	keys, err := signature.ParseKeys(p.key)
	if err != nil {
		tb.Fatal(err)
	}
	p.sent++
	return channel.Inbound{Method: http.MethodPost, Header: signature.Sign(keys, fmt.Sprintf("m%d", p.sent), text, at), Body: text}
}

// respond scans, or types the number that the person sees, and posts.
func (p *phone) respond(tb testing.TB, s channeltest.Scene) channel.Response {
	tb.Helper()
	return p.answer(tb, s, s.Prompt.Show[0])
}

func (p *phone) answer(tb testing.TB, s channeltest.Scene, number string) channel.Response {
	tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	body := map[string]string{"handle": s.Challenge.Handle, "answer": "approve", "number": number}
	if s.Challenge.Purpose == channel.Enroll {
		p.scan(tb, s.Prompt.Show[0])
		body = map[string]string{"handle": p.handle, "answer": "pair", "to": "token-of-the-push-service"}
	} else {
		p.asks(tb, s.Challenge.Handle)
	}
	body["device"] = p.name
	cb, ok := channel.As[channel.Callback](s.Channel)
	if !ok {
		tb.Fatal("phones cannot post")
	}
	handle, r, err := cb.Receive(tb.Context(), p.says(tb, s.Clock.Now(), body))
	if err != nil || handle != s.Challenge.Handle {
		tb.Fatalf("received for %q: %v", handle, err)
	}
	return r
}
