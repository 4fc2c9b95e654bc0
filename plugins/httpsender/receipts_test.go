package httpsender

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// reporting lists the recipes whose providers report back.
func reporting(t *testing.T) (list []*fake) {
	t.Helper()
	for _, name := range recipeNames() {
		if f := theFake(t, name); f.Reports != nil {
			list = append(list, f)
		}
	}
	return list
}

func (f *fake) tracker(t *testing.T) channel.Tracker {
	t.Helper()
	tr, ok := channel.As[channel.Tracker](opened(t, f.config(t, "http://127.0.0.1:1")))
	if !ok {
		t.Fatalf("%s tracks nothing", f.name)
	}
	if f.name == "ses" {
		tr.(*tracked).client.Transport = newNotary(t)
	}
	return tr
}

func TestReportsAreRead(t *testing.T) {
	list := reporting(t)
	if len(list) < 10 {
		t.Fatalf("%d providers report back", len(list))
	}
	for _, f := range list {
		tr := f.tracker(t)
		for _, r := range f.Reports {
			got, err := tr.Track(t.Context(), f.signed(t, r, now))
			if err != nil {
				t.Errorf("%s: %s: %v", f.name, r.Name, err)
				continue
			}
			if r.Is == "" {
				if len(got) != 0 {
					t.Errorf("%s: %s: %v, which is not the end", f.name, r.Name, got)
				}
				continue
			}
			if len(got) != 1 || got[0].Receipt.ID != r.ID || got[0].Delivered != (r.Is == "delivered" || r.Is == "complained") || got[0].Complained != (r.Is == "complained") ||
				!got[0].Delivered && !is(got[0].Err, reply{Is: r.Is}) {
				t.Errorf("%s: %s: %+v", f.name, r.Name, got)
			}
		}
	}
}

func TestReceiptsAreKeptWithoutBrackets(t *testing.T) {
	if got := bare("<1@mg.example.com>"); got != "1@mg.example.com" {
		t.Errorf("%q", got)
	}
	for _, id := range []string{strings.Repeat("x", 257), "a\r\nb", "é"} {
		if bare(id) != "" {
			t.Errorf("%q is a name", id)
		}
	}
}

// bodyUnsigned are the providers that do not sign the body, or only what it
// means: their scheme, not ours.
var bodyUnsigned = []string{"mailgun", "plivo", "postmark", "sinch", "infobip", "ses"}

// timeless are those that do not sign a time, or try again for longer than an hour.
var timeless = []string{"ses", "plivo", "postmark", "sinch", "infobip", "twilio_voice", "whatsapp"}

func TestForgedReportsAreRefused(t *testing.T) {
	for _, f := range reporting(t) {
		tr := f.tracker(t)
		good := func() channel.Inbound { return f.signed(t, f.Reports[0], now) }
		refuse := func(what string, in channel.Inbound) {
			t.Helper()
			if got, err := tr.Track(t.Context(), in); !errors.Is(err, channel.ErrForged) || got != nil {
				t.Errorf("%s: %s: %v, %v", f.name, what, got, err)
			}
		}
		refuse("nothing", channel.Inbound{})
		unsigned := good()
		unsigned.Header = nil
		unsigned.Body = []byte(strings.NewReplacer(`"signature":"`, `"signature":"00`, `"Signature":"`, `"Signature":"00`).Replace(string(unsigned.Body)))
		refuse("unsigned", unsigned)
		for name, v := range good().Header {
			for what, values := range map[string][]string{
				"empty": {""}, "junk": {"junk"}, "twice": {v[0], v[0]}, "none": nil, "none in base64": {"AAAA"},
				"cut": {v[0][:len(v[0])-2]}, "longer": {v[0] + "00"},
			} {
				in := good()
				in.Header[name] = values
				refuse(name+" is "+what, in)
			}
			in := good()
			in.Header[strings.ToLower(name)] = []string{"other"}
			refuse(name+" is there in two spellings", in)
		}
		if !slices.Contains(bodyUnsigned, f.name) {
			in := good()
			in.Body = append(in.Body, ' ')
			refuse("another body", in)
		}
		if !slices.Contains(timeless, f.name) {
			refuse("old", f.signed(t, f.Reports[0], now.Add(-time.Hour)))
			refuse("from the future", f.signed(t, f.Reports[0], now.Add(time.Hour)))
		}
	}
}

func TestReportsOfWhoeverHasNoKeyAreRefused(t *testing.T) {
	for _, f := range reporting(t) {
		in := f.signed(t, f.Reports[0], now)
		own := maps.Clone(f.Secrets)
		for key := range reportSecrets(t)[f.name] {
			delete(f.Secrets, key)
			delete(f.Params, key)
		}
		if len(own) == len(f.Secrets) {
			continue // signs with what it needs for sending
		}
		if _, err := f.tracker(t).Track(t.Context(), in); !errors.Is(err, channel.ErrForged) {
			t.Errorf("%s: %v", f.name, err)
		}
	}
}

func TestSignaturesOfAnotherVersionAreRefused(t *testing.T) {
	for name, header := range map[string]string{"whatsapp": "X-Hub-Signature-256", "resend": "Svix-Signature"} {
		f := theFake(t, name)
		in := f.signed(t, f.Reports[0], now)
		for _, prefix := range []string{"sha256=", "v1,"} {
			in.Header[header][0] = strings.ReplaceAll(in.Header[header][0], prefix, "")
		}
		if _, err := f.tracker(t).Track(t.Context(), in); !errors.Is(err, channel.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongPasswordsAreRefused(t *testing.T) {
	f := theFake(t, "postmark")
	tr := f.tracker(t)
	for _, pair := range []string{"postmark:wrong", "wrong:postmark-password", "postmark:", ":postmark-password", ":", "postmark:postmark-password "} {
		in := f.signed(t, f.Reports[0], now)
		in.Header["Authorization"] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}
		if _, err := tr.Track(t.Context(), in); !errors.Is(err, channel.ErrForged) {
			t.Errorf("%q: %v", pair, err)
		}
	}
}

func TestAWordIsOne(t *testing.T) {
	v := decodeJSON([]byte(`{"a":[{"b":"x"},{"b":2},{"c":true}],"d":{"e":null}}`))
	for path, want := range map[string]string{"a.0.b": "x", "a.1.b": "2", "a.2.c": "true", "a.*.c": "true", "a.*.b": "", "a.3.b": "", "a.-1.b": "", "d": "", "d.e": "", "a.b": "", "": ""} {
		if got := word(v, path); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestFieldsThatAreThereTwiceAreRefused(t *testing.T) {
	f := theFake(t, "twilio_voice")
	in := f.signed(t, f.Reports[0], now)
	in.Body = append(in.Body, "&CallStatus=failed"...)
	if _, err := f.tracker(t).Track(t.Context(), in); !errors.Is(err, channel.ErrForged) || !strings.Contains(err.Error(), "twice") {
		t.Errorf("%v", err)
	}
}

func TestTokensOfOtherKindsAreRefused(t *testing.T) {
	f := theFake(t, "vonage_voice")
	tr := f.tracker(t)
	for what, token := range map[string]string{
		"another algorithm": vonageToken(t, f.Secrets["signature_secret"], "none", f.Reports[0].Body, now),
		"another secret":    vonageToken(t, "", "HS256", f.Reports[0].Body, now),
		"another body":      vonageToken(t, f.Secrets["signature_secret"], "HS256", "{}", now),
	} {
		in := f.signed(t, f.Reports[0], now)
		in.Header["Authorization"] = []string{"Bearer " + token}
		if _, err := tr.Track(t.Context(), in); !errors.Is(err, channel.ErrForged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestVectors holds the schemes against what their authors published.
func TestVectors(t *testing.T) {
	s := &sender{recipe: &recipe{}}
	twilio := mustText(t, "{url}{form}")
	check, err := s.hmac(mac{Hash: "sha1", Key: mustText(t, "12345"), Over: twilio, Value: mustText(t, "{header.X-Twilio-Signature}"), Encoding: "base64"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := report{}.flatten(url.Values{
		"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675309"}, "Digits": {"1234"}, "From": {"+14158675309"}, "To": {"+18005551212"},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
	r.Header = map[string][]string{"X-Twilio-Signature": {"RSOYDt4T1cUTdK1PDd93/VVr8B8="}}
	if err := check(t.Context(), r); err != nil {
		t.Errorf("Twilio: %v", err)
	}

	svix, err := s.hmac(mac{
		Hash: "sha256", Key: mustText(t, whsec), KeyEncoding: "whsec", Over: mustText(t, "{header.svix-id}.{header.svix-timestamp}.{body}"),
		Value: mustText(t, "{header.svix-signature}"), Prefix: "v1,", Encoding: "base64",
	})
	if err != nil {
		t.Fatal(err)
	}
	r = report{Inbound: channel.Inbound{Body: []byte(`{"test": 2432232314}`), Header: map[string][]string{
		"Svix-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Svix-Timestamp": {"1614265330"}, "Svix-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}}}
	if err := svix(t.Context(), r); err != nil {
		t.Errorf("Svix: %v", err)
	}
}

func mustText(t *testing.T, s string) text {
	t.Helper()
	parsed, err := parseText(s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestEd25519(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	s := &sender{recipe: &recipe{}}
	check, err := s.scheme(signature{Ed25519: &keyed{
		Key: mustText(t, base64.StdEncoding.EncodeToString(der)), Over: mustText(t, "{header.ts}{body}"), Value: mustText(t, "{header.sig}"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := report{Inbound: channel.Inbound{Body: []byte("hello"), Header: map[string][]string{
		"Ts": {"1"}, "Sig": {base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte("1hello")))},
	}}}
	if err := check(t.Context(), r); err != nil {
		t.Error(err)
	}
	r.Body = []byte("hallo")
	if check(t.Context(), r) == nil {
		t.Error("another body passes")
	}
}
