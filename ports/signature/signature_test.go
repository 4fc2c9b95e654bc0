package signature_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/countersign/countersign/ports/signature"
)

func secretOf(n int, fill string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, n)))
}

func signed(t *testing.T, secret, id, body string, at time.Time) http.Header {
	t.Helper()
	keys, err := signature.ParseKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	return signature.Sign(keys, id, []byte(body), at)
}

// The vector stands in the documentation and the tests of the reference libraries.
func TestTheVectorOfTheReference(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	at := time.Unix(1614265330, 0)
	h := signed(t, secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`, at)
	if got := h.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signed %s", got)
	}
	if err := signature.Verify(secret, h, []byte(`{"test": 2432232314}`), at); err != nil {
		t.Error(err)
	}
}

func TestTheReferenceAgrees(t *testing.T) {
	const body = `{"type":"user.created","data":{"id":"ä"}}`
	for _, n := range []int{24, 32, 64} {
		secret := secretOf(n, "k")
		ref, err := standard.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if err := ref.Verify([]byte(body), signed(t, secret, "id", body, now)); err != nil {
			t.Errorf("%d bytes: the reference refuses ours: %v", n, err)
		}
		two := signed(t, secretOf(24, "o")+" "+secret, "id", body, now)
		if err := ref.Verify([]byte(body), two); err != nil {
			t.Errorf("%d bytes: the reference refuses the second of two: %v", n, err)
		}
		theirs, err := ref.Sign("id", now, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set("webhook-id", "id")
		h.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		h.Set("webhook-signature", "v1a,AAAA v2,x "+theirs)
		if err := signature.Verify(secret, h, []byte(body), now); err != nil {
			t.Errorf("%d bytes: we refuse the reference's: %v", n, err)
		}
	}
}

func TestOnlyWholeAndFreshWebhooksAreBelieved(t *testing.T) {
	const body = `{"type":"user.created"}`
	secret, now := secretOf(32, "a"), time.Unix(1_800_000_000, 0)
	for name, c := range map[string]struct {
		secret string
		body   string
		off    time.Duration
		change func(h http.Header)
		want   error
	}{
		"as it came":             {},
		"300 s old":              {off: 300 * time.Second},
		"301 s old":              {off: 301 * time.Second, want: signature.ErrTimestamp},
		"300 s ahead":            {off: -300 * time.Second},
		"301 s ahead":            {off: -301 * time.Second, want: signature.ErrTimestamp},
		"another body":           {body: `{"type":"user.deleted"}`, want: signature.ErrSignature},
		"a byte more":            {body: body + " ", want: signature.ErrSignature},
		"another secret":         {secret: secretOf(32, "b"), want: signature.ErrSignature},
		"the receiver rotates":   {secret: secretOf(32, "b") + "\n" + secret},
		"no secret":              {secret: " ", want: signature.ErrSecret},
		"another id":             {change: func(h http.Header) { h.Set("webhook-id", "other") }, want: signature.ErrSignature},
		"no id":                  {change: func(h http.Header) { h.Del("webhook-id") }, want: signature.ErrHeaders},
		"another timestamp":      {change: func(h http.Header) { h.Set("webhook-timestamp", "1800000001") }, want: signature.ErrSignature},
		"a padded timestamp":     {change: func(h http.Header) { h.Set("webhook-timestamp", "+1800000000") }, want: signature.ErrHeaders},
		"a timestamp of letters": {change: func(h http.Header) { h.Set("webhook-timestamp", "now") }, want: signature.ErrHeaders},
		"a huge timestamp":       {change: func(h http.Header) { h.Set("webhook-timestamp", "-9223372036854775808") }, want: signature.ErrTimestamp},
		"no signature":           {change: func(h http.Header) { h.Del("webhook-signature") }, want: signature.ErrHeaders},
		"an empty signature":     {change: func(h http.Header) { h.Set("webhook-signature", "v1,") }, want: signature.ErrSignature},
		"another version":        {change: func(h http.Header) { h.Set("webhook-signature", "v2"+h.Get("webhook-signature")[2:]) }, want: signature.ErrSignature},
		"the one among others":   {change: func(h http.Header) { h.Set("webhook-signature", "v1,AAAA "+h.Get("webhook-signature")) }},
		"too many": {change: func(h http.Header) {
			h.Set("webhook-signature", strings.Repeat("v1,AAAA ", 16)+h.Get("webhook-signature"))
		}, want: signature.ErrSignature},
	} {
		h := signed(t, secret, "id", body, now)
		if c.change != nil {
			c.change(h)
		}
		if c.body == "" {
			c.body = body
		}
		if c.secret == "" {
			c.secret = secret
		}
		if err := signature.Verify(c.secret, h, []byte(c.body), now.Add(c.off)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestSecretsHaveOneForm(t *testing.T) {
	for _, secret := range []string{
		"", "whsec_", secretOf(23, "a"), secretOf(65, "a"), strings.TrimPrefix(secretOf(32, "a"), "whsec_"),
		secretOf(32, "a") + "=", "whsec_" + strings.Repeat("ä", 24), secretOf(24, "a") + " x", "WHSEC_" + secretOf(24, "a")[6:],
	} {
		if _, err := signature.ParseKeys(secret); !errors.Is(err, signature.ErrSecret) {
			t.Errorf("%q: %v", secret, err)
		}
	}
	if keys, err := signature.ParseKeys(secretOf(24, "a") + "\n " + secretOf(64, "b") + "\n"); err != nil || len(keys) != 2 {
		t.Errorf("two secrets gave %d keys, %v", len(keys), err)
	}
}

func FuzzVerify(f *testing.F) {
	secret := secretOf(24, "a")
	f.Add("id", "1800000000", "v1,AAAA", `{}`)
	f.Fuzz(func(t *testing.T, id, at, sig, body string) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {sig}}
		if signature.Verify(secret, h, []byte(body), time.Unix(1_800_000_000, 0)) == nil {
			t.Errorf("believed %q %q %q %q", id, at, sig, body)
		}
	})
}
