package e2e_test

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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/signature"
	"github.com/countersign/countersign/test/harness"
)

const gatewaySecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// telephone is a phone with our app, and the operator's gateway to it.
type telephone struct {
	t      *testing.T
	c      *harness.Client
	url    string
	device string
	key    string
	posts  int

	mu     sync.Mutex // guards sealed
	sealed [][]byte   // what the gateway has handed over
}

func newTelephone(t *testing.T) *telephone {
	t.Helper()
	p := &telephone{t: t}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var said struct{ Sealed []byte }
		if err != nil || signature.Verify(gatewaySecret, r.Header, body, time.Now()) != nil || json.Unmarshal(body, &said) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sealed = append(p.sealed, said.Sealed)
		fmt.Fprint(w, `{"id":"1"}`)
	}))
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

func (p *telephone) config() string {
	return fmt.Sprintf("channels: { push: { use: push, push: { gateway: %q, secret: %q } } }", p.url, gatewaySecret)
}

// post answers, signed with the pairing key.
func (p *telephone) post(body map[string]string) harness.Answer {
	p.t.Helper()
	body["device"] = p.device
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	keys, err := signature.ParseKeys(p.key)
	if err != nil {
		p.t.Fatal(err)
	}
	p.posts++
	var headers []string
	for name, values := range signature.Sign(keys, fmt.Sprint("m", p.posts), text, time.Now()) {
		headers = append(headers, name+": "+values[0])
	}
	return p.c.As("").Post("/callback/push", text, headers...)
}

// pair sets the phone up for somebody.
func (p *telephone) pair(who harness.Tokens) (device string) {
	p.t.Helper()
	made := p.c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "push"}).Want(http.StatusCreated)
	if !strings.HasPrefix(made.Text("challenge.prompt.qr_svg"), "<svg") {
		p.t.Error("there is nothing to scan")
	}
	u, err := url.Parse(made.Text("challenge.prompt.show.0"))
	if err != nil {
		p.t.Fatal(err)
	}
	id := made.Text("challenge.id")
	p.device, p.key = u.Query().Get("device"), u.Query().Get("key")
	p.c.Post("/v1/challenges/"+id+"/verify", map[string]string{}).Want(http.StatusOK)
	p.post(map[string]string{"handle": u.Query().Get("handle"), "answer": "pair", "to": "its-token"}).Want(http.StatusNoContent)
	done := p.c.Post("/v1/challenges/"+id+"/verify", map[string]string{}).Want(http.StatusOK)
	if done.Text("status") != "device_confirmed" {
		p.t.Fatalf("pairing: %s", done)
	}
	return made.Text("device.id")
}

// reads is the newest question that has reached the phone.
func (p *telephone) reads() map[string]string {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.key, "whsec_"))
	if err != nil || len(p.sealed) == 0 {
		p.t.Fatalf("%d questions, %v", len(p.sealed), err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("countersign push seal"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		p.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		p.t.Fatal(err)
	}
	last := p.sealed[len(p.sealed)-1]
	text, err := gcm.Open(nil, last[:12], last[12:], []byte(p.device))
	var q map[string]string
	if err == nil {
		err = json.Unmarshal(text, &q)
	}
	if err != nil {
		p.t.Fatalf("the phone cannot read what it got: %v", err)
	}
	return q
}

func (p *telephone) rung() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sealed)
}

func TestPhonesApproveByTheNumberThatIsSeen(t *testing.T) {
	p := newTelephone(t)
	s := harness.Start(t, harness.Options{Policy: quick, Config: p.config()})
	c := s.Client(t)
	p.t, p.c = t, c
	who := c.SignIn(ann)
	device := p.pair(who)
	c.As(who.Access).Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": true}).Want(http.StatusOK)

	pending := c.FirstFactor(ann)
	asked := c.SecondFactor(pending, device)
	number := asked.Answer.Text("prompt.show.0")
	if asked.Answer.Text("prompt.kind") != "wait" || len(number) != 2 {
		t.Fatalf("nothing to type: %s", asked.Answer)
	}
	handle := p.reads()["handle"]
	wrong := "00"
	if number == wrong {
		wrong = "01"
	}
	p.post(map[string]string{"handle": handle, "answer": "approve", "number": wrong}).Want(http.StatusUnprocessableEntity)
	c.Post("/v1/challenges/"+asked.ID+"/verify", map[string]string{}).Want(http.StatusOK)
	p.post(map[string]string{"handle": handle, "answer": "approve", "number": number}).Want(http.StatusNoContent)
	in := c.Post("/v1/challenges/"+asked.ID+"/verify", map[string]string{}).Tokens()
	if in.User != who.User {
		t.Errorf("signed in as %q", in.User)
	}

	asked = c.SecondFactor(c.FirstFactor(ann), device)
	p.post(map[string]string{"handle": p.reads()["handle"], "answer": "deny"}).Want(http.StatusNoContent)
	if got := c.Post("/v1/challenges/"+asked.ID+"/verify", map[string]string{}); got.Status != http.StatusNotFound {
		t.Errorf("after a no: %s", got)
	}
	p.post(map[string]string{"handle": p.reads()["handle"], "answer": "approve", "number": asked.Answer.Text("prompt.show.0")}).Want(http.StatusNotFound)
}

func TestNobodyIsRungUntilTheyGiveIn(t *testing.T) {
	p := newTelephone(t)
	s := harness.Start(t, harness.Options{Policy: "challenge: { resend_after: 30s }", Config: p.config()})
	c := s.Client(t)
	p.t, p.c = t, c
	who := c.SignIn(ann)
	device := p.pair(who)
	c.Advance(30 * time.Second)
	ask := func() harness.Answer {
		return c.As(who.Access).Post("/v1/challenges", map[string]string{"purpose": "step_up", "device_id": device})
	}
	ask().Want(http.StatusAccepted)
	for range 3 {
		ask().Want(http.StatusTooManyRequests)
	}
	if n := p.rung(); n != 1 {
		t.Errorf("the phone rang %d times", n)
	}
}
