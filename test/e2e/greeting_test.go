package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/countersign/countersign/test/harness"
)

func TestS118MetaIsAnsweredBeforeItReports(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		var sent atomic.Int64
		meta := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"messages":[{"id":"wamid.%d"}]}`, sent.Add(1))
		}))
		t.Cleanup(meta.Close)
		config := fmt.Sprintf(`channels:
  chat: { use: httpsender, httpsender: { recipe: whatsapp, endpoint: %q, allow_private: true, params: { phone_number_id: "106540352242922", template: login_code }, secrets: { access_token: { value: hush }, app_secret: { value: the-app-secret }, verify_token: { value: the-verify-token } } } }
`, meta.URL)
		c := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, Public: public, Policy: quick, Config: config}).Client(t)
		ask := func(token, challenge string) harness.Answer {
			return c.Get("/receipts/chat?" + url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {token}, "hub.challenge": {challenge}}.Encode())
		}
		a := ask("the-verify-token", "<script>1158201444").Want(http.StatusOK)
		if string(a.Body) != "<script>1158201444" || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s, %v", a, a.Header)
		}
		ask("the-verify-tokem", "1").WantCode(http.StatusForbidden, "forbidden")
		ask("the-verify-token", strings.Repeat("1", 300)).WantCode(http.StatusForbidden, "forbidden")
		c.Get("/receipts/nothing?hub.mode=subscribe").WantCode(http.StatusBadRequest, "not_configured")
		c.Get("/receipts/chat").WantCode(http.StatusForbidden, "forbidden")

		id := c.Post("/v1/challenges", map[string]string{"to": anns}).Want(http.StatusAccepted).Text("id")
		waitFor(t, patient, "the message to leave", func() bool { return delivery(c, id) == "sent" })
		body := fmt.Sprintf(`{"entry":[{"changes":[{"value":{"statuses":[{"id":"wamid.%d","status":"delivered"}]}}]}]}`, sent.Load())
		for secret, want := range map[string]string{"another": "sent", "the-app-secret": "delivered"} {
			mac := hmac.New(sha256.New, []byte(secret))
			_, _ = io.WriteString(mac, body)
			a := c.Post("/receipts/chat", json.RawMessage(body), "X-Hub-Signature-256: sha256="+hex.EncodeToString(mac.Sum(nil)))
			if (a.Status == http.StatusNoContent) != (want == "delivered") {
				t.Errorf("%s: %s", secret, a)
			}
		}
		if d := delivery(c, id); d != "delivered" {
			t.Errorf("after the report: %s", d)
		}
	})
}

func TestS118ReportsThatComeAsGET(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		var sent atomic.Int64
		bird := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"id":"bird%d"}`, sent.Add(1))
		}))
		t.Cleanup(bird.Close)
		config := fmt.Sprintf(`channels:
  sms: { use: httpsender, httpsender: { recipe: bird, endpoint: %q, allow_private: true, params: { originator: Example }, secrets: { access_key: { value: hush }, signing_key: { value: the-signing-key } } } }
`, bird.URL)
		c := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, Public: public, Policy: quick, Config: config}).Client(t)
		id := beginChecked(c).Text("id")
		waitFor(t, patient, "the message to leave", func() bool { return delivery(c, id) == "sent" })
		report := func(key, status string) harness.Answer {
			path := "/receipts/sms?" + url.Values{"id": {fmt.Sprint("bird", sent.Load())}, "status": {status}, "recipient": {anns}}.Encode()
			digest := sha256.Sum256([]byte(public + path))
			now := time.Now()
			token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
				"iss": "MessageBird", "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": "1", "url_hash": hex.EncodeToString(digest[:]),
			}).SignedString([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			return c.Get(path, "MessageBird-Signature-JWT: "+token)
		}
		report("another", "delivered").WantCode(http.StatusForbidden, "forbidden")
		report("the-signing-key", "buffered").Want(http.StatusOK)
		if d := delivery(c, id); d != "sent" {
			t.Errorf("after reports that say nothing: %s", d)
		}
		for range 2 {
			report("the-signing-key", "delivered").Want(http.StatusOK)
		}
		if d := delivery(c, id); d != "delivered" {
			t.Errorf("after the report: %s", d)
		}
	})
}
