package passkey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/passkey"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

func suite() channeltest.Suite {
	k := newToken(present | verified)
	return channeltest.Suite{
		Plugin: passkey.Plugin(),
		Broken: map[string]string{
			"an unknown wish": `{"user_verification":"maybe"}`, "an address": `{"rp_id":"127.0.0.1"}`, "a URL for a domain": `{"rp_id":"https://example.com"}`,
			"capitals": `{"rp_id":"Example.com"}`, "a path": `{"origins":["https://example.com/"]}`, "plain HTTP": `{"origins":["http://login.example.com"]}`,
			"another site's origin": `{"rp_id":"example.com","origins":["https://example.org"]}`,
			"a neighbour's origin":  `{"rp_id":"example.com","origins":["https://badexample.com"]}`,
		},
		Respond: k.respond,
		Lie: func(tb testing.TB, s channeltest.Scene) channel.Response { // all is right but the signature
			k.mu.Lock()
			defer k.mu.Unlock()
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				tb.Fatal(err)
			}
			k.bend = func(s *saying) {
				s.signer = other
				if s.kind == "webauthn.create" {
					s.format = "packed"
				}
			}
			defer func() { k.bend = nil }()
			return k.answer(tb, s.Prompt)
		},
	}
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite()) }

func FuzzVerify(f *testing.F) { channeltest.FuzzVerify(f, suite()) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, passkey.Plugin()) }

// bench is an open channel, and a person's token.
type bench struct {
	channel.Channel

	log bytes.Buffer
	now time.Time
}

func open(t *testing.T, config string) *bench {
	t.Helper()
	b := &bench{now: time.Unix(1_800_000_000, 0)}
	ch, err := passkey.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{
		Brand: "Example", Origin: "https://login.example.com", Random: rand.Reader,
		Now: func() time.Time { return b.now }, Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Channel = ch
	return b
}

func (b *bench) challenge(p channel.Purpose, cred channel.Credential) channel.Challenge {
	return channel.Challenge{Purpose: p, Subject: "ann", Label: "ann@example.com", Credential: cred, ExpiresAt: b.now.Add(5 * time.Minute)}
}

// meet opens a challenge and answers it with the token.
func (b *bench) meet(t *testing.T, k *token, c channel.Challenge) channel.Verdict {
	t.Helper()
	o, err := b.Begin(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	v, err := b.Verify(t.Context(), c, o.State, k.answer(t, o.Prompt))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (b *bench) enroll(t *testing.T, k *token) channel.Verdict {
	t.Helper()
	v := b.meet(t, k, b.challenge(channel.Enroll, nil))
	if v.Outcome != channel.Verified {
		t.Fatalf("enrolling: %s (%s)", v.Outcome, v.Reason)
	}
	return v
}

func TestMethodsSayWhatTheKeyIs(t *testing.T) {
	for flags, want := range map[byte]string{
		present: "hwk", present | verified: "hwk user mfa", present | eligible: "swk", present | verified | eligible | backedUp: "swk user mfa",
	} {
		b, k := open(t, `{}`), newToken(flags)
		cred := b.enroll(t, k)
		v := b.meet(t, k, b.challenge(channel.Authenticate, cred.Credential))
		if got := strings.Join(v.AMR, " "); got != want || strings.Join(cred.AMR, " ") != want {
			t.Errorf("flags %08b: enrolled by %v, signed in by %q, want %q", flags, cred.AMR, got, want)
		}
	}
}

func TestCountersOnlyGoForward(t *testing.T) {
	b, k := open(t, `{}`), newToken(present)
	cred := b.enroll(t, k).Credential
	counted := func(n uint32) channel.Verdict {
		k.bend = func(s *saying) { s.counter = n }
		v := b.meet(t, k, b.challenge(channel.Authenticate, cred))
		if v.Outcome == channel.Verified {
			cred = v.Credential
		}
		return v
	}
	for _, step := range []struct {
		n    uint32
		want channel.Reason
	}{{0, ""}, {0, ""}, {7, ""}, {8, ""}, {8, channel.Replayed}, {7, channel.Replayed}, {0, channel.Replayed}, {1 << 31, ""}, {9, channel.Replayed}} {
		if v := counted(step.n); v.Reason != step.want {
			t.Errorf("counter %d: %s (%q), want %q", step.n, v.Outcome, v.Reason, step.want)
		}
	}
	if !strings.Contains(b.log.String(), "subject=ann stored=8 received=7") {
		t.Errorf("the operator is not told: %s", &b.log)
	}
}

func TestSignatureIsForThisQuestionHereAndByItsOwner(t *testing.T) {
	for name, bend := range map[string]func(*saying){
		"for another challenge": func(s *saying) { s.challenge = b64(make([]byte, 32)) },
		"for another ceremony":  func(s *saying) { s.kind = "payment.get" },
		"on another site":       func(s *saying) { s.origin = "https://login.example.org" },
		"on a neighbour's site": func(s *saying) { s.origin = "https://www.example.com" },
		"without TLS":           func(s *saying) { s.origin = "http://login.example.com" },
		"on another port":       func(s *saying) { s.origin = "https://login.example.com:8443" },
		"in a frame of another": func(s *saying) { s.cross = true },
		"for another domain":    func(s *saying) { s.rp = "example.com" },
		"without a touch":       func(s *saying) { s.flags &^= present },
		"backed up, but not to": func(s *saying) { s.flags |= backedUp },
		"two names of one key":  func(s *saying) { s.raw = append([]byte{1}, s.raw...) },
	} {
		b, k := open(t, `{}`), newToken(present)
		k.bend = bend
		if v := b.meet(t, k, b.challenge(channel.Enroll, nil)); v.Outcome != channel.Rejected {
			t.Errorf("a key made %s was %s", name, v.Outcome)
		}
		k.bend = nil
		cred := b.enroll(t, k).Credential
		k.bend = bend
		if v := b.meet(t, k, b.challenge(channel.Authenticate, cred)); v.Outcome != channel.Rejected || v.Reason != channel.Mismatch {
			t.Errorf("a signature %s was %s (%s)", name, v.Outcome, v.Reason)
		}
	}
}

func TestKeysDoNotChangeTheirNature(t *testing.T) {
	b, k := open(t, `{}`), newToken(present|eligible)
	cred := b.enroll(t, k).Credential
	k.flags = present
	if v := b.meet(t, k, b.challenge(channel.Authenticate, cred)); v.Outcome != channel.Rejected {
		t.Errorf("a synchronised key came back as one that cannot be: %s", v.Outcome)
	}
}

func TestOwnersAreRecognisedIfTheyMustBe(t *testing.T) {
	b, k := open(t, `{"user_verification":"required"}`), newToken(present|verified)
	cred := b.enroll(t, k).Credential
	k.flags = present
	for _, c := range []channel.Challenge{b.challenge(channel.Enroll, nil), b.challenge(channel.Authenticate, cred)} {
		if v := b.meet(t, k, c); v.Outcome != channel.Rejected {
			t.Errorf("%s without a PIN: %s", c.Purpose, v.Outcome)
		}
	}
}

func TestWhoeverNamesNobodyIsNamedByTheKey(t *testing.T) {
	b, k := open(t, `{}`), newToken(present)
	cred := b.enroll(t, k)
	c := b.challenge(channel.Authenticate, nil)
	c.Subject = ""
	for name, row := range map[string]struct {
		user []byte
		want channel.Outcome
	}{"its owner": {[]byte("ann"), channel.Verified}, "somebody else": {[]byte("bob"), channel.Rejected}, "nobody": {nil, channel.Rejected}} {
		o, err := b.Begin(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if len(parse(t, o.Prompt).Allow) != 0 {
			t.Error("somebody is named already")
		}
		k.bend = func(s *saying) { s.user = row.user }
		r := k.answer(t, o.Prompt)
		locator, _ := channel.As[channel.Locator](b.Channel)
		if ref, ok := locator.Locate(r); !ok || ref != cred.Ref {
			t.Errorf("located %q, %v", ref, ok)
		}
		known := c
		known.Credential = cred.Credential
		if v, err := b.Verify(t.Context(), known, o.State, r); err != nil || v.Outcome != row.want {
			t.Errorf("the key names %s: %s, %v", name, v.Outcome, err)
		}
		if v, err := b.Verify(t.Context(), c, o.State, r); err != nil || v.Outcome != channel.Rejected {
			t.Errorf("a key that nobody knows: %s, %v", v.Outcome, err)
		}
		if v, err := b.Verify(t.Context(), known, nil, r); err != nil || v.Outcome != channel.Rejected {
			t.Errorf("an answer without a question: %s, %v", v.Outcome, err)
		}
	}
}

func TestWhatBrowsersAreAsked(t *testing.T) {
	b, k := open(t, `{"rp_id":"example.com","origins":["https://login.example.com","https://www.example.com:8443","android:apk-key-hash:abc"]}`), newToken(present)
	o, err := b.Begin(t.Context(), b.challenge(channel.Enroll, nil))
	if err != nil {
		t.Fatal(err)
	}
	got := parse(t, o.Prompt)
	if o.Prompt.API != passkey.Create || got.RP.ID != "example.com" || got.RP.Name != "Example" || string(plain(t, got.User.ID)) != "ann" ||
		got.User.Name != "ann@example.com" || got.Selection.ResidentKey != "preferred" || got.Selection.Verification != "preferred" ||
		got.Attestation != "none" || got.Timeout != 300_000 || len(plain(t, got.Challenge)) != 32 {
		t.Errorf("%s %s", o.Prompt.API, o.Prompt.Options)
	}
	cred := b.enroll(t, k)
	if o, err = b.Begin(t.Context(), b.challenge(channel.Authenticate, cred.Credential)); err != nil {
		t.Fatal(err)
	}
	got = parse(t, o.Prompt)
	if o.Prompt.API != passkey.Get || got.RPID != "example.com" || got.Verification != "preferred" || len(got.Allow) != 1 ||
		got.Allow[0].ID != cred.Ref || !slices.Equal(got.Allow[0].Transports, []string{"internal", "hybrid"}) {
		t.Errorf("%s %s", o.Prompt.API, o.Prompt.Options)
	}
	for origin, want := range map[string]channel.Outcome{
		"https://www.example.com:8443": channel.Verified, "android:apk-key-hash:abc": channel.Verified,
		"https://www.example.com": channel.Rejected, "android:apk-key-hash:abd": channel.Rejected, "null": channel.Rejected, "": channel.Rejected,
	} {
		k.origin = origin
		v := b.meet(t, k, b.challenge(channel.Authenticate, cred.Credential))
		if v.Outcome == channel.Verified {
			cred.Credential = v.Credential
		}
		if v.Outcome != want {
			t.Errorf("from %q: %s", origin, v.Outcome)
		}
	}
}

func TestKeysNeedASite(t *testing.T) {
	for origin, want := range map[string]string{
		"": "rp_id: required", "http://127.0.0.1:8080": "origins", "https://192.0.2.1": "is an address", "https://[2001:db8::1]": "is an address",
		"http://login.example.com": "not https", "http://localhost:8080": "", "https://login.example.com": "",
	} {
		_, err := passkey.Plugin().Open(t.Context(), channeltest.Decoder(`{}`), channel.Env{Origin: origin})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", origin, err, want)
		}
	}
}
