package attack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/signature"
	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// neighbour is a service on this machine that nobody outside may reach through us.
// It counts who knocks, before anybody says a word.
type neighbour struct {
	port   string
	knocks atomic.Int64
}

func moveIn(t *testing.T) *neighbour {
	t.Helper()
	l, err := net.Listen("tcp", ":0") // at all addresses of this machine
	if err != nil {
		t.Fatal(err)
	}
	n := &neighbour{}
	_, n.port, _ = net.SplitHostPort(l.Addr().String())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n.knocks.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return n
}

// undisturbed fails the test if anybody has knocked. It knocks itself: whoever came
// before is counted by then.
func (n *neighbour) undisturbed(t *testing.T, by string) {
	t.Helper()
	before := n.knocks.Load()
	conn, err := net.Dial("tcp", "127.0.0.1:"+n.port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	until(t, "the neighbour to open", func() bool { return n.knocks.Load() > before })
	if got := n.knocks.Swap(0); got != 1 {
		t.Errorf("%s: somebody knocked %d times", by, got-1)
	}
}

// until waits for what is going to happen.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); !so(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// spellings are names of this machine and of its neighbours.
func spellings() []string {
	all := []string{
		"127.0.0.1", "127.0.0.2", "127.1", "127.0.0.1.", "2130706433", "0x7f000001", "0x7f.1", "0x7f.0x0.0x0.0x1", "017700000001", "0177.0.0.1", "0.0.0.0", "0",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:FFFF:7F00:1]", "[::127.0.0.1]", "[::ffff:0.0.0.0]", "[64:ff9b::7f00:1]", "[fe80::1%25lo]",
		"localhost", "LOCALHOST", "localhost.", "ip6-localhost", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.100.100.200",
		"\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021",
	}
	if name, err := os.Hostname(); err == nil {
		all = append(all, name)
	}
	return all
}

// starts reports whether a configuration passes the program's own check.
func starts(t *testing.T, config string) (ok bool, said string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "countersign.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(harness.Binary(t), "config", "validate", "--config", file).CombinedOutput()
	return err == nil, string(out)
}

// whatever a URL is called that we are to call, we call nobody who is not at
// a public address: neither for webhooks, nor for identity providers.
func TestA091NobodyMakesUsCallOurNeighbours(t *testing.T) {
	t.Parallel()
	n := moveIn(t)
	var heard atomic.Int64
	listener := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	t.Cleanup(listener.Close)
	sender := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:"+n.port+"/secret", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(sender.Close)
	g := (&providers.OIDC{Issuer: "https://accounts.google.com", Client: "123.apps"}).Start()
	t.Cleanup(g.Close)

	base := fmt.Sprintf("mode: production\npublic_url: https://login.example.com\nkeys: { file: %q }\ndatabase: { url: \"sqlite:///nowhere\" }\n", harness.NewKeys(t))
	totp := "channels:\n  totp: { use: totp }\n"
	hook := func(name, url, more string) string {
		return fmt.Sprintf("  - { name: %s, url: %q, secret: %s%s }\n", name, url, hookSecret, more)
	}
	channels := fmt.Sprintf("channels:\n  google: { use: google, google: { client_id: 123.apps, client_secret: hush, discovery: %q } }\n  sent: { use: oidc, oidc: { client_id: ours, issuer: %q } }\n", g.Discovery(), sender.URL)
	hooks := "webhooks:\n" + hook("allowed", listener.URL, ", allow_private: true") + hook("sent", sender.URL, ", allow_private: true")
	var names, issuers []string
	for i, host := range spellings() {
		for j, scheme := range []string{"https", "HTTPS"} {
			name, url := fmt.Sprintf("h%d-%d", i, j), scheme+"://"+host+":"+n.port
			if ok, said := starts(t, base+totp+"webhooks:\n"+hook(name, url+"/hooks", "")); ok {
				names, hooks = append(names, name), hooks+hook(name, url+"/hooks", "")
			} else if !strings.Contains(said, "webhooks[0].url") {
				t.Errorf("%s is refused for another reason: %s", url, said)
			}
		}
		one := fmt.Sprintf("  o%d: { use: oidc, oidc: { client_id: ours, issuer: %q } }\n", i, "https://"+host+":"+n.port)
		if ok, _ := starts(t, base+totp+one); ok {
			issuers, channels = append(issuers, fmt.Sprint("o", i)), channels+one
		}
	}
	if len(names) < 10 || len(issuers) < 10 {
		t.Fatalf("only %d webhooks and %d issuers get as far as to a connection", len(names), len(issuers))
	}
	for _, url := range []string{
		"http://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:" + n.port, "ftp://127.0.0.1:" + n.port, "FILE:///etc/passwd", "//127.0.0.1:" + n.port, "unix:///run/x.sock",
		"https://127.0.0.1:" + n.port, "https://example.com/\r\nX: y", "https://example.com\r\n.evil.example", "https://a:b@example.com", "javascript:alert(1)",
	} {
		if ok, _ := starts(t, base+totp+"webhooks:\n"+hook("x", url, "")); ok {
			t.Errorf("a webhook may be at %q", url)
		}
	}
	channels += fmt.Sprintf("  closed: { use: oidc, oidc: { client_id: ours, issuer: %q } }\n", "https://localhost:1")
	s := harness.Start(t, harness.Options{Mode: harness.Production, Log: "warn", Config: channels + hooks, Policy: patient})
	c := s.Client(t)
	c.Post("/v1/users", map[string]string{"username": "ada", "password": "quite a long walk"}).Want(http.StatusCreated)
	until(t, "the one that is allowed to hear", func() bool { return heard.Load() > 0 })
	for _, name := range append(names, "sent") {
		until(t, name+" to fail", func() bool { return strings.Contains(s.Log(), `"listener":"`+name+`"`) })
	}
	n.undisturbed(t, "webhooks")

	shut := c.Get("/v1/sign-in/closed/start")
	for _, id := range append(issuers, "sent") {
		for what, a := range map[string]harness.Answer{
			"a trip": c.Get("/v1/sign-in/" + id + "/start"), "a token": c.Post("/v1/sign-in/"+id, map[string]string{"id_token": g.Sign(g.Claims(now(c, nil)))}),
		} {
			if what == "a trip" && (a.Status != shut.Status || a.Code() != shut.Code()) || a.Status < 400 || strings.Contains(string(a.Body), n.port) {
				t.Errorf("%s to %s: %s, want what nobody's port gives: %s", what, id, a, shut)
			}
		}
	}
	n.undisturbed(t, "identity providers")

	there := "http://127.0.0.1:" + n.port + "/me.png"
	token := g.SignUnder(map[string]any{"jku": there, "x5u": there}, g.Claims(now(c, said{"picture": there, "profile": there, "website": there})))
	c.Post("/v1/sign-in/google", map[string]string{"id_token": token}).Tokens()
	n.undisturbed(t, "a picture, or keys that a token names")
}

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// overheard is a webhook as it came.
type overheard struct {
	header http.Header
	body   []byte
	at     time.Time
}

// receiver keeps what it is told, and does not take the first of it.
type receiver struct {
	mu  sync.Mutex // guards got
	got []overheard
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, overheard{q.Header.Clone(), body, time.Now()})
	if err != nil || len(r.got) == 1 {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (r *receiver) all() []overheard {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]overheard(nil), r.got...)
}

// types counts what was told.
func (r *receiver) types() map[string]int {
	out := map[string]int{}
	for _, o := range r.all() {
		var b struct{ Type string }
		if json.Unmarshal(o.body, &b) == nil {
			out[b.Type]++
		}
	}
	return out
}

// webhooks are signed, whole and fresh, or nobody believes them; and hold
// nothing that is worth stealing.
func TestA092WebhooksAreOursFreshAndTellNoSecrets(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		r := &receiver{}
		site := httptest.NewServer(r)
		t.Cleanup(site.Close)
		config := fmt.Sprintf("webhooks: [ { name: hook, url: %q, secret: %s } ]\n", site.URL, hookSecret)
		s := harness.Start(t, harness.Options{Store: store, Log: "warn", Policy: patient + "sign_up: { invite: true }\n", Config: config})
		c := s.Client(t)
		m := enroll(c) // with a code, a secret and recovery codes
		secrets := append([]string{m.to, m.device.Secret, m.tokens.Access, m.tokens.Refresh}, m.device.Recovery...)
		phone, friend := freshPhone(), fresh()
		added := c.As(m.tokens.Access).Post("/v1/me/identifiers", map[string]string{"kind": "phone", "value": phone}).Want(http.StatusAccepted)
		sms := c.AwaitMessages(phone, 1)[0]
		c.Verify(added.Text("challenges.0.id"), wrong(sms.Code, 0)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(added.Text("challenges.0.id"), sms.Code).Want(http.StatusOK)
		c.As(m.tokens.Access).Post("/v1/invitations", map[string]string{"email": friend}).Want(http.StatusCreated)
		refused(t, "a password of nobody", c.Post("/v1/sign-in/password", map[string]string{"identifier": m.to, "password": "not the right words"}))
		secrets = append(secrets, phone, friend, "not the right words", added.Text("challenges.0.id"), hookSecret, strings.TrimPrefix(phone, "+"))
		for _, to := range []string{m.to, phone, friend} {
			for _, letter := range c.Messages(to) {
				secrets = append(secrets, letter.Link)
				if letter.Code != "" {
					secrets = append(secrets, `"`+letter.Code+`"`, " "+letter.Code) // digits alone may be in an id
				}
			}
		}
		for _, kind := range []string{"user.created", "session.started", "device.enrolled", "recovery_codes.issued", "identifier.verified", "invitation.sent", "sign_in.failed"} {
			until(t, kind+" to be told", func() bool { return r.types()[kind] > 0 })
		}
		all := r.all()
		for _, o := range all {
			believed(t, o)
			for _, secret := range secrets {
				if secret != "" && (bytes.Contains(bytes.ToLower(o.body), []byte(strings.ToLower(secret))) || strings.Contains(fmt.Sprint(o.header), secret)) {
					t.Errorf("%q is told: %s", secret, o.body)
				}
			}
		}
		again := 0
		for _, o := range all[1:] {
			if o.header.Get(signature.ID) == all[0].header.Get(signature.ID) {
				again++
			}
		}
		if again != 1 {
			t.Errorf("what was not taken came %d times more under its name, want once", again)
		}
	})
}

// believed fails the test unless receivers believe a webhook as it came, when it
// came, and at no other time and in no other form.
func believed(t *testing.T, o overheard) {
	t.Helper()
	var seconds int64
	if _, err := fmt.Sscan(o.header.Get(signature.Timestamp), &seconds); err != nil {
		t.Fatalf("a webhook of no time: %v", o.header)
	}
	sent := time.Unix(seconds, 0)
	changed := func(name, value string) http.Header {
		h := o.header.Clone()
		h.Set(name, value)
		return h
	}
	for what, try := range map[string]struct {
		secret string
		header http.Header
		body   []byte
		at     time.Time
		want   error
	}{
		"as it came":          {hookSecret, o.header, o.body, o.at, nil},
		"after 299 seconds":   {hookSecret, o.header, o.body, sent.Add(299 * time.Second), nil},
		"after 301 seconds":   {hookSecret, o.header, o.body, sent.Add(301 * time.Second), signature.ErrTimestamp},
		"301 seconds early":   {hookSecret, o.header, o.body, sent.Add(-301 * time.Second), signature.ErrTimestamp},
		"made fresh":          {hookSecret, changed(signature.Timestamp, fmt.Sprint(seconds+301)), o.body, sent.Add(301 * time.Second), signature.ErrSignature},
		"under another name":  {hookSecret, changed(signature.ID, "made-up"), o.body, o.at, signature.ErrSignature},
		"with a body changed": {hookSecret, o.header, append([]byte(" "), o.body...), o.at, signature.ErrSignature},
		"with a body cut":     {hookSecret, o.header, o.body[:len(o.body)-1], o.at, signature.ErrSignature},
		"without a signature": {hookSecret, changed(signature.Signature, "v1,"), o.body, o.at, signature.ErrSignature},
		"by another secret":   {"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", o.header, o.body, o.at, signature.ErrSignature},
	} {
		if err := signature.Verify(try.secret, try.header, try.body, try.at); !errors.Is(err, try.want) || try.want == nil && err != nil {
			t.Errorf("a webhook %s: %v, want %v", what, err, try.want)
		}
	}
}
