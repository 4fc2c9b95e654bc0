package e2e_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// carried is what Twilio was given to send.
type carried struct {
	mu    sync.Mutex // guards forms
	forms []url.Values
}

func (m *carried) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.ParseForm() != nil || r.PostForm.Get("To") != anns {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	m.forms = append(m.forms, r.PostForm)
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"sid":"SM%d","status":"queued"}`, len(m.forms))
}

func (m *carried) sent() []url.Values {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.forms)
}

// report tells what became of a message, signed with a token.
func report(c *harness.Client, token, sid, status string) harness.Answer {
	form := url.Values{"MessageSid": {sid}, "MessageStatus": {status}, "ErrorCode": {"30003"}}
	mac := hmac.New(sha1.New, []byte(token))
	fmt.Fprint(mac, public+"/receipts/sms", "ErrorCode30003", "MessageSid", sid, "MessageStatus", status)
	return c.Post("/receipts/sms", form.Encode(), "Content-Type: application/x-www-form-urlencoded",
		"X-Twilio-Signature: "+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// public is where carriers reach the servers of these tests, or would.
const public = "https://login.example.com"

// carriers runs a scenario with a carrier of texts and two providers that check,
// of codes as long as ours and longer ones.
func carriers(t *testing.T, more string, scenario func(t *testing.T, c *harness.Client, m *carried, v *providers.Verify)) {
	t.Helper()
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		m := &carried{}
		srv := httptest.NewServer(m)
		t.Cleanup(srv.Close)
		v := (&providers.Verify{Account: "AC" + strings.Repeat("0", 32), Token: "the-auth-token", Service: "VA" + strings.Repeat("0", 32)}).Start()
		t.Cleanup(v.Close)
		verify := fmt.Sprintf("use: twilio_verify, twilio_verify: { account: %s, token: %s, service: %s, api: %q", v.Account, v.Token, v.Service, v.URL)
		config := fmt.Sprintf("channels:\n  sms: { use: twilio, twilio: { account: %s, token: hush, from: Example, api: %q } }\n  verify: { %s }\n  verify8: { %s, length: 8 } }\n",
			v.Account, srv.URL, verify+" }"+more, verify)
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, Public: public, Policy: quick, Config: config})
		scenario(t, s.Client(t), m, v)
	})
}

func TestS118ACarrierReportsWhatBecameOfAMessage(t *testing.T) {
	carriers(t, "", func(t *testing.T, c *harness.Client, m *carried, _ *providers.Verify) {
		id := beginChecked(c).Text("id")
		waitFor(t, patient, "the message to leave", func() bool { return delivery(c, id) == "sent" })
		if got := m.sent()[0].Get("StatusCallback"); got != public+"/receipts/sms" {
			t.Errorf("reports are asked for at %q", got)
		}
		report(c, "another", "SM1", "delivered").WantCode(http.StatusForbidden, "forbidden")
		if d := delivery(c, id); d != "sent" {
			t.Errorf("after a forged report: %s", d)
		}
		report(c, "hush", "SM1", "sent").Want(http.StatusNoContent)
		report(c, "hush", "SM99", "delivered").Want(http.StatusNoContent)
		report(c, "hush", "SM1", "delivered").Want(http.StatusNoContent)
		if d := delivery(c, id); d != "delivered" {
			t.Errorf("after a report: %s", d)
		}
		id = beginChecked(c).Text("id")
		waitFor(t, patient, "the message to leave", func() bool { return delivery(c, id) == "sent" })
		report(c, "hush", "SM2", "undelivered").Want(http.StatusNoContent)
		if d := delivery(c, id); d != "failed" {
			t.Errorf("after a report of failure: %s", d)
		}
	})
}

func TestS118AnotherWayHasToFitTheCode(t *testing.T) {
	carriers(t, "", func(t *testing.T, c *harness.Client, m *carried, v *providers.Verify) {
		a := beginChecked(c)
		id := a.Text("id")
		if a.Text("channel") != "sms" || a.Text("channels_left.0") != "verify" || a.Get("channels_left.1") != nil {
			t.Errorf("%s", a)
		}
		waitFor(t, patient, "the message to leave", func() bool { return delivery(c, id) == "sent" })
		ours := regexp.MustCompile(`[0-9]{6}`).FindString(m.sent()[0].Get("Body"))
		again := "/v1/challenges/" + id + "/resend"
		c.Post(again, map[string]string{"channel": "verify8"}).WantCode(http.StatusUnprocessableEntity, "invalid_request")
		c.Post(again, map[string]string{"channel": "verify"}).Want(http.StatusAccepted)
		c.Verify(id, ours).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(id, v.Read(anns)).Tokens()
	})
}

// S-118, A-026: a provider keeps one code for a phone. Whoever comes to it from
// another channel gets a code of their own, and not that of a challenge before.
func TestS118AnotherWayAsksForACodeOfItsOwn(t *testing.T) {
	carriers(t, "", func(t *testing.T, c *harness.Client, _ *carried, v *providers.Verify) {
		c.Post("/v1/challenges", form{"to": anns, "channel": "verify"}).Want(http.StatusAccepted)
		theirs := v.Read(anns)
		id := beginChecked(c).Text("id")
		c.Post("/v1/challenges/"+id+"/resend", form{"channel": "verify"}).Want(http.StatusAccepted)
		if theirs == v.Read(anns) {
			t.Error("one code answers two challenges")
		}
		c.Verify(id, theirs).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(id, v.Read(anns)).Tokens()
	})
}

// S-118, decision 0032: sending again sends the same code, but by 2factor.in, which
// makes another one; then the newest counts.
func TestS118TheNewestCodeCounts(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		for _, m := range modes(t) {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				s := harness.Start(t, harness.Options{Store: alike(t, store), Mode: harness.Production, Policy: quick, Config: "channels: { sms: { " + m.config + " } }"})
				c := s.Client(t)
				id := beginChecked(c).Text("id")
				first := m.await(t, anns, "")
				c.Post("/v1/challenges/"+id+"/resend", nil).Want(http.StatusAccepted)
				waitFor(t, patient, "the second message", func() bool { return m.sent() == 2 })
				newest := m.read(anns)
				if another := newest != first; another != (m.name == "2factor, theirs") {
					t.Errorf("the second message has another code: %t", another)
				}
				if newest != first {
					c.Verify(id, first).WantCode(http.StatusUnprocessableEntity, "invalid_code")
				}
				c.Verify(id, newest).Tokens()
			})
		}
	})
}

func TestCountriesHoldForEveryWay(t *testing.T) {
	carriers(t, ", countries: [GB]", func(t *testing.T, c *harness.Client, m *carried, v *providers.Verify) {
		id := beginChecked(c).Text("id")
		waitFor(t, patient, "the message to leave", func() bool { return delivery(c, id) == "sent" })
		who := c.Verify(id, regexp.MustCompile(`[0-9]{6}`).FindString(m.sent()[0].Get("Body"))).Tokens()
		c.Post("/v1/challenges/"+beginChecked(c).Text("id")+"/resend", map[string]string{"channel": "verify"}).Want(http.StatusAccepted)
		c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "verify", "to": "+31612345679"}).Want(http.StatusCreated)
		if n := v.Asked(); n != 0 {
			t.Errorf("the provider was asked %d times to send where it does not, want never", n)
		}
		c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "verify", "to": "+447400123456"}).Want(http.StatusCreated)
		if n := v.Reached(); n != 1 {
			t.Errorf("the provider reached people %d times where it does, want once", n)
		}
	})
}
