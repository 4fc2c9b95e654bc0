package totp_test

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp"
	libtotp "github.com/pquerna/otp/totp"

	"github.com/countersign/countersign/plugins/totp"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// phone scans what it is shown and types what it computes.
type phone struct {
	mu     sync.Mutex // guards secret
	secret string
}

func (p *phone) respond(tb testing.TB, s channeltest.Scene) channel.Response {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(s.Prompt.Show) > 0 {
		key, err := otp.NewKeyFromURL(s.Prompt.Show[0])
		if err != nil {
			tb.Fatal(err)
		}
		p.secret = key.Secret()
	}
	code, err := libtotp.GenerateCode(p.secret, s.Clock.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return channel.Response{Code: code}
}

func suite() channeltest.Suite {
	return channeltest.Suite{
		Plugin: totp.Plugin(),
		Config: `{"issuer":"Example"}`,
		Broken: map[string]string{
			"a huge skew": `{"skew":9}`, "a negative skew": `{"skew":-1}`, "seven digits": `{"digits":7}`, "a weak hash": `{"algorithm":"MD5"}`,
			"a long period": `{"period":"5m"}`, "half a second": `{"period":"30500ms"}`, "an issuer of colons": `{"issuer":":::"}`,
			"a picture without TLS": `{"image":"http://example.com/a.png"}`, "a picture on no host": `{"image":"https:///a.png"}`,
			"a picture of somebody's": `{"image":"https://u:p@example.com/a.png"}`, "a picture in the text": `{"image":"data:image/png;base64,AAAA"}`,
			"a picture far away": `{"image":"https://example.com/` + strings.Repeat("a", 237) + `"}`,
		},
		Respond: new(phone).respond,
		Lie:     func(testing.TB, channeltest.Scene) channel.Response { return channel.Response{Code: "12345a"} },
	}
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite()) }

func FuzzVerify(f *testing.F) { channeltest.FuzzVerify(f, suite()) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, totp.Plugin()) }

// bench is an open channel with a clock.
type bench struct {
	channel.Channel
	clock *channeltest.Clock
}

func open(t *testing.T, config string) bench {
	t.Helper()
	clock := channeltest.NewClock(time.Unix(0, 0))
	ch, err := totp.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{
		Brand: "Brand: & Co", Now: clock.Now, Random: strings.NewReader(strings.Repeat("0123456789", 20)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return bench{ch, clock}
}

// try answers with a code at a time, and returns what the device remembers.
func (b bench) try(t *testing.T, at int64, cred channel.Credential, code string) (channel.Verdict, channel.Credential) {
	t.Helper()
	b.clock.Set(time.Unix(at, 0))
	return b.now(t, cred, code)
}

func (b bench) now(t *testing.T, cred channel.Credential, code string) (channel.Verdict, channel.Credential) {
	t.Helper()
	v, err := b.Verify(t.Context(), channel.Challenge{Purpose: channel.Authenticate, Credential: cred}, nil, channel.Response{Code: code})
	if err != nil {
		t.Fatal(err)
	}
	if v.Credential != nil {
		return v, v.Credential
	}
	return v, cred
}

// imported is the credential of a device whose secret comes from elsewhere.
func imported(t *testing.T, secret string) channel.Credential {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"secret": secret, "step": 0})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func b32(raw string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(raw))
}

func TestStepsOnlyGoForward(t *testing.T) {
	b := open(t, `{}`)
	secret := b32("12345678901234567890")
	b.clock.Advance(time.Hour)
	code := func(steps int) string {
		text, err := libtotp.GenerateCode(secret, b.clock.Now().Add(time.Duration(steps)*30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	v, cred := b.now(t, imported(t, secret), code(1))
	if v.Outcome != channel.Verified {
		t.Fatalf("the next step's code was %s", v.Outcome)
	}
	for _, steps := range []int{-1, 0, 1} {
		if v, _ := b.now(t, cred, code(steps)); v.Outcome != channel.Rejected || v.Reason != channel.Replayed {
			t.Errorf("step %+d after step +1: %s (%s)", steps, v.Outcome, v.Reason)
		}
	}
}

func TestWindowIsExactToTheNanosecond(t *testing.T) {
	b := open(t, `{}`)
	secret := b32("12345678901234567890")
	base := time.Unix(1_800_000_000, 0) // the start of a step
	code := func(steps int) string {
		text, err := libtotp.GenerateCode(secret, base.Add(time.Duration(steps)*30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, row := range []struct {
		at       time.Duration
		from, to int
	}{{0, -1, 1}, {29*time.Second + 999*time.Millisecond, -1, 1}, {30*time.Second - 1, -1, 1}, {30 * time.Second, 0, 2}, {-1, -2, 0}} {
		b.clock.Set(base.Add(row.at))
		for steps := -4; steps <= 4; steps++ {
			want := channel.Rejected
			if steps >= row.from && steps <= row.to {
				want = channel.Verified
			}
			if v, _ := b.now(t, imported(t, secret), code(steps)); v.Outcome != want {
				t.Errorf("at %s the code of step %+d is %s", row.at, steps, v.Outcome)
			}
		}
	}
}

func TestOnlyPlainDigitsAreACode(t *testing.T) {
	b := open(t, `{"skew":0}`)
	cred := imported(t, b32("12345678901234567890"))
	for _, code := range []string{" 287082", "287082 ", "287 082", "287-082", "+287082", "28708", "2870820", "２８７０８２", "287082\n", "0x4616a"} {
		if v, _ := b.try(t, 59, cred, code); v.Outcome != channel.Rejected {
			t.Errorf("%q: %s", code, v.Outcome)
		}
	}
}

func TestSetupURI(t *testing.T) {
	for config, want := range map[string]string{
		`{}`: "otpauth://totp/Brand%20%26%20Co:ann%40example.com%20%28work%29?secret=SECRET&issuer=Brand%20%26%20Co",
		`{"issuer":"A:c me","digits":8,"algorithm":"SHA256","period":"60s"}`: "otpauth://totp/Ac%20me:ann%40example.com%20%28work%29?secret=SECRET&issuer=Ac%20me&algorithm=SHA256&digits=8&period=60",
		`{"issuer":"A","image":"https://example.com/a b.png?x=1&y=2#z"}`:     "otpauth://totp/A:ann%40example.com%20%28work%29?secret=SECRET&issuer=A&image=https%3A%2F%2Fexample.com%2Fa%20b.png%3Fx%3D1%26y%3D2%23z",
	} {
		o, err := open(t, config).Begin(t.Context(), channel.Challenge{Purpose: channel.Enroll, Label: "ann@example.com: (work)"})
		if err != nil {
			t.Fatal(err)
		}
		secret := b32("01234567890123456789")
		if got := strings.ReplaceAll(o.Prompt.Show[0], secret, "SECRET"); got != want || len(secret) != 32 {
			t.Errorf("%s:\n got %s\nwant %s", config, got, want)
		}
		if u, err := url.Parse(o.Prompt.Show[0]); err != nil || u.Query().Get("secret") != secret {
			t.Errorf("%s does not parse back: %v", config, err)
		}
	}
}

func TestNoSecretWithoutRandomness(t *testing.T) {
	ch, err := totp.Plugin().Open(t.Context(), channeltest.Decoder(`{"issuer":"x"}`), channel.Env{Random: io.LimitReader(strings.NewReader("short"), 5)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Begin(context.Background(), channel.Challenge{Purpose: channel.Enroll}); err == nil {
		t.Error("a secret was made of 5 bytes")
	}
}

func TestIssuerIsNeededFromSomewhere(t *testing.T) {
	if _, err := totp.Plugin().Open(t.Context(), channeltest.Decoder(`{}`), channel.Env{}); err == nil {
		t.Error("opened without an issuer")
	}
}
