package httpsender

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"hash"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// keyPair is made once: keys are slow to make, and tests only read them.
var keyPair = sync.OnceValues(func() (*rsa.PrivateKey, *ecdsa.PrivateKey) {
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	e, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return r, e
})

func rsaPEM(t *testing.T) string {
	t.Helper()
	key, _ := keyPair()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

const whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// reportSecrets are what the fakes sign their reports with.
func reportSecrets(t *testing.T) map[string]map[string]string {
	t.Helper()
	_, key := keyPair()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]map[string]string{
		"sendgrid":     {"webhook_key": base64.StdEncoding.EncodeToString(der)},
		"mailgun":      {"webhook_key": "mailgun-signing-key"},
		"postmark":     {"webhook_user": "postmark", "webhook_password": "postmark-password"},
		"resend":       {"webhook_secret": whsec},
		"sinch":        {"callback_user": "sinch", "callback_password": "sinch-password"},
		"infobip":      {"report_user": "infobip", "report_password": "infobip-password"},
		"vonage_voice": {"signature_secret": "vonage-signature-secret"},
		"whatsapp":     {"app_secret": "whatsapp-app-secret", "verify_token": "whatsapp-verify-token"},
		"bird":         {"signing_key": "bird-signing-key"},
		"ses":          {"topic": sesTopic},
	}
}

func sum(algorithm func() hash.Hash, key, text string) []byte {
	h := hmac.New(algorithm, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// signed is a report as its provider sends it, signed at a time.
func (f *fake) signed(t *testing.T, r told, at time.Time) channel.Inbound {
	t.Helper()
	in := channel.Inbound{Method: "POST", URL: reportURL, Header: map[string][]string{}, Query: url.Values{}, Body: []byte(r.Body)}
	form := url.Values{}
	for key, v := range r.Form {
		form.Set(key, v)
	}
	if r.Form != nil {
		in.Body = []byte(form.Encode())
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	head := func(name, v string) { in.Header[name] = []string{v} }
	switch f.name {
	case "sendgrid":
		_, key := keyPair()
		digest := sha256.Sum256([]byte(stamp + r.Body))
		sig, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		head("X-Twilio-Email-Event-Webhook-Timestamp", stamp)
		head("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(sig))
	case "mailgun":
		sig := hex.EncodeToString(sum(sha256.New, f.Secrets["webhook_key"], stamp+"token-0001"))
		in.Body = []byte(strings.Replace(r.Body, `"signature":{}`, `"signature":{"timestamp":"`+stamp+`","token":"token-0001","signature":"`+sig+`"}`, 1))
	case "postmark", "sinch", "infobip":
		user := map[string]string{"postmark": "postmark:postmark-password", "sinch": "sinch:sinch-password", "infobip": "infobip:infobip-password"}[f.name]
		head("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)))
	case "resend":
		raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(whsec, "whsec_"))
		sig := base64.StdEncoding.EncodeToString(sum(sha256.New, string(raw), "msg_1."+stamp+"."+r.Body))
		head("Svix-Id", "msg_1")
		head("Svix-Timestamp", stamp)
		head("Svix-Signature", "v1,b2xkIGtleQ== v1,"+sig)
	case "plivo":
		head("X-Plivo-Signature-V2-Nonce", "12345678901234567890")
		head("X-Plivo-Signature-V2", base64.StdEncoding.EncodeToString(sum(sha256.New, f.Secrets["auth_token"], reportURL+"12345678901234567890")))
	case "twilio_voice":
		over := reportURL
		for _, key := range slices.Sorted(maps.Keys(r.Form)) {
			over += key + r.Form[key]
		}
		head("X-Twilio-Signature", base64.StdEncoding.EncodeToString(sum(sha1.New, f.Secrets["auth_token"], over)))
	case "vonage_voice":
		head("Authorization", "Bearer "+vonageToken(t, f.Secrets["signature_secret"], "HS256", r.Body, at))
	case "whatsapp":
		head("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum(sha256.New, f.Secrets["app_secret"], r.Body)))
	case "bird":
		query := url.Values{}
		for key, v := range r.Query {
			query.Set(key, v)
		}
		in.Method, in.Body, in.Query, in.URL = "GET", nil, query, reportURL+"?"+query.Encode()
		head("Messagebird-Signature-Jwt", birdToken(t, f.Secrets["signing_key"], in.URL, at))
	case "ses":
		in.Body = notify(t, map[string]string{"Type": "Notification", "Message": r.Body}, at)
	default:
		t.Fatalf("nobody knows how %s signs", f.name)
	}
	return in
}

func birdToken(t *testing.T, key, at string, now time.Time) string {
	t.Helper()
	digest := sha256.Sum256([]byte(at))
	claims, err := json.Marshal(map[string]any{"iss": "MessageBird", "nbf": now.Unix(), "exp": now.Unix() + 60, "jti": "93e55006", "url_hash": hex.EncodeToString(digest[:])})
	if err != nil {
		t.Fatal(err)
	}
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(sum(sha256.New, key, input))
}

func vonageToken(t *testing.T, secret, alg, body string, at time.Time) string {
	t.Helper()
	digest := sha256.Sum256([]byte(body))
	claims, err := json.Marshal(map[string]any{"iat": at.Unix(), "jti": "c5ba8f24", "iss": "Vonage", "payload_hash": hex.EncodeToString(digest[:]), "api_key": "a1b2c3d"})
	if err != nil {
		t.Fatal(err)
	}
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(sum(sha256.New, secret, input))
}
