package webhook_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/webhook"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/ports/signature"
)

const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

func config(url, more string) string {
	return fmt.Sprintf(`{"url":%q,"secret":%q%s}`, url, secret, more)
}

func phones(url string) string { return config(url, `,"address":"phone"`) }

// sink takes what is signed at now, and answers as it is told.
func sink(t *testing.T, now func() time.Time, answer http.HandlerFunc) (url string, got func() (http.Header, []byte)) {
	t.Helper()
	var head http.Header
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said, err := io.ReadAll(r.Body)
		if err != nil || now != nil && signature.Verify(secret, r.Header, said, now()) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if now != nil {
			head, body = r.Header, said
		}
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() (http.Header, []byte) { return head, body }
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"m-1"}`) }

func TestConformance(t *testing.T) {
	url, _ := sink(t, nil, ok)
	channeltest.Run(t, channeltest.Suite{
		Plugin: webhook.Plugin(), Config: phones(url), Provider: phones, Address: "+441234567890", Respond: channeltest.TypeLastCode,
		Broken: map[string]string{
			"nothing": `{}`, "no address": config(url, ""), "plain HTTP": phones("http://hooks.example.com"), "no secret": fmt.Sprintf(`{"url":%q,"address":"phone"}`, url),
			"calls to mailboxes": config(url, `,"address":"email","form":"voice"`), "e-mail to phones": config(url, `,"address":"phone","form":"email"`),
			"an unknown kind": config(url, `,"address":"fax"`), "a blank title": config(url, `,"address":"phone","title":" "`),
		},
	})
}

func FuzzVerify(f *testing.F) {
	srv := httptest.NewServer(http.HandlerFunc(ok))
	f.Cleanup(srv.Close)
	channeltest.FuzzVerify(f, channeltest.Suite{
		Plugin: webhook.Plugin(), Config: phones(srv.URL), Address: "+441234567890", Respond: channeltest.TypeLastCode,
	})
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, webhook.Plugin()) }

func open(t *testing.T, config string) channel.Channel {
	t.Helper()
	ch, err := webhook.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{
		Instance: "sms", HTTP: http.DefaultClient, Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func send(t *testing.T, config string, m channel.Message) (channel.Receipt, error) {
	t.Helper()
	s, found := channel.As[channel.Sender](open(t, config))
	if !found {
		t.Fatal("it sends nothing")
	}
	return s.Send(t.Context(), m)
}

func message() channel.Message {
	return channel.Message{Key: "k7", To: "+441234567890", Locale: "de", Text: "Ihr Code ist 482915.", Code: "482915", Link: "https://x/l/1"}
}

func TestMessagesArriveWholeAndSigned(t *testing.T) {
	url, got := sink(t, func() time.Time { return time.Unix(1_800_000_100, 0) }, ok)
	r, err := send(t, phones(url), message())
	if err != nil || r.ID != "m-1" {
		t.Fatalf("%+v, %v", r, err)
	}
	head, body := got()
	var said struct {
		Type, Channel string
		channel.Message
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Type != "message.send" || said.Channel != "sms" || said.Message != message() {
		t.Errorf("%s, %v", body, err)
	}
	if head.Get(signature.ID) != "msg_k7" || head.Get("Content-Type") != "application/json" {
		t.Errorf("%v", head)
	}
}

func TestWhatAnswersMean(t *testing.T) {
	for status, want := range map[int]error{
		200: nil, 202: nil, 204: nil, 422: channel.ErrUndeliverable, 400: channel.ErrRefused, 401: channel.ErrRefused, 404: channel.ErrRefused,
		302: channel.ErrRefused, 500: channel.ErrUnavailable, 503: channel.ErrUnavailable,
	} {
		url, _ := sink(t, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if r, err := send(t, phones(url), message()); !errors.Is(err, want) || (err == nil) != (want == nil) || r.ID != "" {
			t.Errorf("%d: %+v, %v, want %v", status, r, err, want)
		}
	}
	url, _ := sink(t, nil, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"id":%q}`, strings.Repeat("x", 1000)) })
	if r, err := send(t, phones(url), message()); err != nil || r.ID != "" {
		t.Errorf("a name of 1000 bytes: %+v, %v", r, err)
	}
}

func TestItIsWhatItIsConfiguredToBe(t *testing.T) {
	for more, want := range map[string]channel.Descriptor{
		`,"address":"email"`:                                {Address: channel.Email, MaxAAL: 1, AMR: []string{"otp"}},
		`,"address":"phone"`:                                {Address: channel.Phone, MaxAAL: 2, AMR: []string{"sms"}},
		`,"address":"phone","form":"voice"`:                 {Address: channel.Phone, MaxAAL: 2, AMR: []string{"tel"}, Form: channel.FormVoice},
		`,"address":"phone","form":"chat","title":"Signal"`: {Address: channel.Phone, MaxAAL: 2, AMR: []string{"otp"}, Form: channel.FormChat, Title: "Signal"},
	} {
		d, found := channel.As[channel.Describer](open(t, config("https://hooks.example.com/codes", more)))
		if !found {
			t.Fatal("it does not say what it is")
		}
		got := d.Describe()
		if want.Title == "" {
			want.Title = "Message"
		}
		if got.Type != "webhook" || got.Title != want.Title || got.Address != want.Address || got.Form != want.Form || got.MaxAAL != want.MaxAAL || got.AMR[0] != want.AMR[0] {
			t.Errorf("%s: %+v", more, got)
		}
	}
}
