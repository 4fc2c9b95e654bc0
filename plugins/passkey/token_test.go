package passkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"sync"
	"testing"

	"github.com/countersign/countersign/plugins/passkey"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// Flags of authenticator data (WebAuthn 6.1).
const (
	present  = 1 << 0
	verified = 1 << 2
	eligible = 1 << 3
	backedUp = 1 << 4
	attested = 1 << 6
)

// token is an authenticator and the browser around it: it keeps one key for each
// identifier, and counts its signatures.
type token struct {
	origin string
	flags  byte // said of every response
	counts bool

	mu   sync.Mutex // guards the rest
	keys map[string]*pair
	last string // the identifier of the newest key
	// bend changes what is about to be said.
	bend func(*saying)
}

type pair struct {
	private *ecdsa.PrivateKey
	user    []byte
	counter uint32
}

// saying is a response before it is signed.
type saying struct {
	kind, challenge, origin, rp string
	cross                       bool
	flags                       byte
	counter                     uint32
	user                        []byte
	id, raw                     []byte
	signer                      *ecdsa.PrivateKey
	format                      string
}

func newToken(flags byte) *token {
	return &token{origin: "https://login.example.com", flags: flags, counts: true, keys: map[string]*pair{}}
}

// options are what we use of the browser's argument.
type options struct {
	Challenge string `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"rp"`
	User struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"user"`
	Allow []struct {
		ID         string   `json:"id"`
		Transports []string `json:"transports"`
	} `json:"allowCredentials"`
	Verification string `json:"userVerification"`
	Selection    struct {
		ResidentKey  string `json:"residentKey"`
		Verification string `json:"userVerification"`
	} `json:"authenticatorSelection"`
	Attestation string `json:"attestation"`
	Timeout     int    `json:"timeout"`
}

func parse(tb testing.TB, p channel.Prompt) options {
	tb.Helper()
	var o options
	if err := json.Unmarshal(p.Options, &o); err != nil {
		tb.Fatal(err)
	}
	return o
}

// respond is a person who touches the token.
func (k *token) respond(tb testing.TB, s channeltest.Scene) channel.Response {
	tb.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.answer(tb, s.Prompt)
}

func (k *token) answer(tb testing.TB, p channel.Prompt) channel.Response {
	tb.Helper()
	o := parse(tb, p)
	if p.API == passkey.Create {
		return k.create(tb, o)
	}
	name := k.last
	if len(o.Allow) > 0 {
		name = o.Allow[0].ID
	}
	one, ok := k.keys[name]
	if !ok {
		tb.Fatalf("the token has no key %q", name)
	}
	if k.counts {
		one.counter++
	}
	s := saying{
		kind: "webauthn.get", challenge: o.Challenge, origin: k.origin, rp: o.RPID, flags: k.flags, counter: one.counter,
		user: one.user, id: plain(tb, name), raw: plain(tb, name), signer: one.private,
	}
	if k.bend != nil {
		k.bend(&s)
	}
	return s.assertion(tb)
}

func (k *token) create(tb testing.TB, o options) channel.Response {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		tb.Fatal(err)
	}
	s := saying{
		kind: "webauthn.create", challenge: o.Challenge, origin: k.origin, rp: o.RP.ID, flags: k.flags | attested,
		user: plain(tb, o.User.ID), id: id, raw: id, signer: private, format: "none",
	}
	k.last = b64(id)
	k.keys[k.last] = &pair{private: private, user: s.user}
	if k.bend != nil {
		k.bend(&s)
	}
	return s.attestation(tb)
}

func (s saying) client(tb testing.TB) []byte {
	tb.Helper()
	return must(tb, map[string]any{"type": s.kind, "challenge": s.challenge, "origin": s.origin, "crossOrigin": s.cross})
}

func (s saying) data() []byte {
	sum := sha256.Sum256([]byte(s.rp))
	return binary.BigEndian.AppendUint32(append(sum[:], s.flags), s.counter)
}

func (s saying) assertion(tb testing.TB) channel.Response {
	tb.Helper()
	client, data := s.client(tb), s.data()
	sum := sha256.Sum256(client)
	sum = sha256.Sum256(append(data, sum[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, s.signer, sum[:])
	if err != nil {
		tb.Fatal(err)
	}
	return s.response(tb, map[string]any{
		"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(sig), "userHandle": b64(s.user),
	})
}

func (s saying) attestation(tb testing.TB) channel.Response {
	tb.Helper()
	data := append(s.data(), make([]byte, 16)...) // no AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(s.id)))
	data = append(data, s.id...)
	point, err := s.signer.PublicKey.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	// {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20)
	data = append(append(append(data, point[1:33]...), 0x22, 0x58, 0x20), point[33:]...)
	object := append([]byte{0xa3}, text("fmt")...)
	object = append(append(object, text(s.format)...), text("attStmt")...)
	object = append(append(append(object, 0xa0), text("authData")...), 0x59)
	object = append(binary.BigEndian.AppendUint16(object, uint16(len(data))), data...)
	return s.response(tb, map[string]any{
		"clientDataJSON": b64(s.client(tb)), "attestationObject": b64(object), "transports": []string{"internal", "hybrid"},
	})
}

func (s saying) response(tb testing.TB, inner map[string]any) channel.Response {
	tb.Helper()
	return channel.Response{Data: must(tb, map[string]any{
		"id": b64(s.id), "rawId": b64(s.raw), "type": "public-key", "response": inner,
		"clientExtensionResults": map[string]any{}, "authenticatorAttachment": "platform",
	})}
}

// text is a short text in CBOR.
func text(s string) []byte { return append([]byte{0x60 | byte(len(s))}, s...) }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func plain(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func must(tb testing.TB, v any) []byte {
	tb.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}
