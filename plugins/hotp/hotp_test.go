package hotp_test

import (
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/pquerna/otp"
	libhotp "github.com/pquerna/otp/hotp"

	"github.com/countersign/countersign/plugins/hotp"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// fob scans what it is shown, and counts on with every press.
type fob struct {
	mu     sync.Mutex // guards the rest
	secret string
	next   uint64
}

func (f *fob) respond(tb testing.TB, s channeltest.Scene) channel.Response {
	tb.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(s.Prompt.Show) > 0 {
		key, err := otp.NewKeyFromURL(s.Prompt.Show[0])
		if err != nil || key.Type() != "hotp" {
			tb.Fatalf("a setup URI of type %q: %v", key.Type(), err)
		}
		f.secret, f.next = key.Secret(), 0
	}
	code, err := libhotp.GenerateCode(f.secret, f.next)
	if err != nil {
		tb.Fatal(err)
	}
	f.next++
	return channel.Response{Code: code}
}

func suite() channeltest.Suite {
	return channeltest.Suite{
		Plugin: hotp.Plugin(),
		Config: `{"issuer":"Example"}`,
		Broken: map[string]string{
			"a huge look-ahead": `{"look_ahead":100}`, "a negative look-ahead": `{"look_ahead":-1}`, "seven digits": `{"digits":7}`, "an issuer of colons": `{"issuer":":::"}`,
			"a picture without TLS": `{"image":"http://example.com/a.png"}`, "a picture on no host": `{"image":"https:///a.png"}`,
			"a picture of somebody's": `{"image":"https://u:p@example.com/a.png"}`, "a picture in the text": `{"image":"data:image/png;base64,AAAA"}`,
			"a picture far away": `{"image":"https://example.com/` + strings.Repeat("a", 237) + `"}`,
		},
		Respond: new(fob).respond,
		Lie:     func(testing.TB, channeltest.Scene) channel.Response { return channel.Response{Code: "12345a"} },
	}
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite()) }

func FuzzVerify(f *testing.F) { channeltest.FuzzVerify(f, suite()) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, hotp.Plugin()) }

func open(t *testing.T, config string) channel.Channel {
	t.Helper()
	ch, err := hotp.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{
		Brand: "Brand: & Co", Random: strings.NewReader(strings.Repeat("0123456789", 2)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// try answers with a code, and returns what the device remembers then.
func try(t *testing.T, ch channel.Channel, cred channel.Credential, code string) (channel.Outcome, channel.Credential) {
	t.Helper()
	v, err := ch.Verify(t.Context(), channel.Challenge{Purpose: channel.Authenticate, Credential: cred}, nil, channel.Response{Code: code})
	if err != nil {
		t.Fatal(err)
	}
	if v.Credential != nil {
		return v.Outcome, v.Credential
	}
	return v.Outcome, cred
}

// imported is the credential of a device whose secret comes from elsewhere.
func imported(t *testing.T, secret string, counter uint64) channel.Credential {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"secret": secret, "counter": counter})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func counter(t *testing.T, cred channel.Credential) uint64 {
	t.Helper()
	var d struct{ Counter uint64 }
	if err := json.Unmarshal(cred, &d); err != nil {
		t.Fatal(err)
	}
	return d.Counter
}

func b32(raw string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(raw))
}

// The values of RFC 4226 appendix D, each once and in order.
func TestVectorsOfRFC4226(t *testing.T) {
	ch := open(t, `{"look_ahead":0}`)
	cred := imported(t, b32("12345678901234567890"), 0)
	for n, code := range strings.Fields("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489") {
		var got channel.Outcome
		if got, cred = try(t, ch, cred, code); got != channel.Verified || counter(t, cred) != uint64(n)+1 {
			t.Errorf("counter %d, %s: %s, and then %d", n, code, got, counter(t, cred))
		}
		if again, _ := try(t, ch, cred, code); again != channel.Rejected {
			t.Errorf("counter %d, %s again: %s", n, code, again)
		}
	}
}

// The values and the story of django-otp's own tests: one code of tolerance.
func TestWindowOfAPredecessor(t *testing.T) {
	key, err := hex.DecodeString("d2e8a68036f68960b1c30532bb6c56da5934d879")
	if err != nil {
		t.Fatal(err)
	}
	codes := strings.Fields("782373 313268 307722 855853 507718")
	ch := open(t, `{"look_ahead":1}`)
	for n, want := range []uint64{1, 2, 0, 0, 0} {
		got, cred := try(t, ch, imported(t, b32(string(key)), 0), codes[n])
		if (got == channel.Verified) != (want > 0) || counter(t, cred) != want {
			t.Errorf("code %d: %s, and the counter is %d, want %d", n, got, counter(t, cred), want)
		}
	}
	if got, cred := try(t, ch, imported(t, b32(string(key)), 0), "123456"); got != channel.Rejected || counter(t, cred) != 0 {
		t.Errorf("a wrong code: %s", got)
	}
}

func TestCountersOnlyGoForward(t *testing.T) {
	codes := strings.Fields("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489")
	for ahead := range 8 {
		got, cred := try(t, open(t, `{}`), imported(t, b32("12345678901234567890"), 1), codes[1+ahead])
		if want := ahead <= 5; (got == channel.Verified) != want {
			t.Errorf("%d ahead: %s", ahead, got)
		}
		if got != channel.Verified {
			continue
		}
		for _, old := range codes[:2+ahead] {
			if got, _ := try(t, open(t, `{}`), cred, old); got != channel.Rejected {
				t.Errorf("%d ahead, and then %s from before: %s", ahead, old, got)
			}
		}
	}
}

func TestOnlyPlainDigitsAreACode(t *testing.T) {
	ch := open(t, `{}`)
	cred := imported(t, b32("12345678901234567890"), 0)
	for _, code := range []string{" 755224", "755224 ", "755 224", "+755224", "75522", "7552240", "７５５２２４", "755224\n", "0x4616a"} {
		if got, _ := try(t, ch, cred, code); got != channel.Rejected {
			t.Errorf("%q: %s", code, got)
		}
	}
}

func TestCountersHaveAnEnd(t *testing.T) {
	c := channel.Challenge{Purpose: channel.Authenticate, Credential: imported(t, b32("12345678901234567890"), 1<<64-3)}
	if v, err := open(t, `{}`).Verify(t.Context(), c, nil, channel.Response{Code: "755224"}); err == nil {
		t.Errorf("at the end of all counters: %s", v.Outcome)
	}
}

func TestSetupURI(t *testing.T) {
	for config, want := range map[string]string{
		`{}`:                             "otpauth://hotp/Brand%20%26%20Co:ann%40example.com%20%28work%29?secret=SECRET&issuer=Brand%20%26%20Co&counter=0",
		`{"issuer":"A:c me","digits":8}`: "otpauth://hotp/Ac%20me:ann%40example.com%20%28work%29?secret=SECRET&issuer=Ac%20me&counter=0&digits=8",
		`{"issuer":"A","image":"https://example.com/a b.png?x=1&y=2#z"}`: "otpauth://hotp/A:ann%40example.com%20%28work%29?secret=SECRET&issuer=A&counter=0&image=https%3A%2F%2Fexample.com%2Fa%20b.png%3Fx%3D1%26y%3D2%23z",
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

func TestIssuerIsNeededFromSomewhere(t *testing.T) {
	if _, err := hotp.Plugin().Open(t.Context(), channeltest.Decoder(`{}`), channel.Env{}); err == nil {
		t.Error("opened without an issuer")
	}
}

func TestAgreesWithOathtool(t *testing.T) {
	tool, err := exec.LookPath("oathtool")
	if err != nil {
		if strings.Contains(os.Getenv("COUNTERSIGN_TEST_REQUIRE"), "oathtool") {
			t.Fatal("oathtool is required, but not installed")
		}
		t.Skip("oathtool is not installed")
	}
	secret := b32("a secret of 20 bytes")
	for _, digits := range []string{"6", "8"} {
		out, err := exec.CommandContext(t.Context(), tool, "--hotp", "-b", "-d", digits, "-c", "7", "-w", "20", secret).Output()
		if err != nil {
			t.Fatal(err)
		}
		ch := open(t, fmt.Sprintf(`{"digits":%s,"look_ahead":0}`, digits))
		for n, code := range strings.Fields(string(out)) {
			if got, _ := try(t, ch, imported(t, secret, 7+uint64(n)), code); got != channel.Verified {
				t.Errorf("%s digits, counter %d: %s", digits, 7+n, got)
			}
		}
	}
}
