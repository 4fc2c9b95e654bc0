package twilio_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/plugins/twilio"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// tracked opens a sender whose token and callback are those of Twilio's own
// examples, unless said otherwise.
func tracked(t *testing.T, callback string) channel.Tracker {
	t.Helper()
	raw := fmt.Sprintf(`{"account":%q,"token":"12345","from":"Example","callback":%q}`, account, callback)
	tr, ok := channel.As[channel.Tracker](sender(t, raw))
	if !ok {
		t.Fatal("no tracker")
	}
	return tr
}

func inbound(signature string, form url.Values) channel.Inbound {
	return channel.Inbound{Method: http.MethodPost, Header: map[string][]string{"X-Twilio-Signature": {signature}}, Body: []byte(form.Encode())}
}

// signed signs a form as Twilio does.
func signed(callback string, form url.Values) channel.Inbound {
	text := callback
	keys := make([]string, 0, len(form))
	for k := range form {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		text += k + form.Get(k)
	}
	mac := hmac.New(sha1.New, []byte("12345"))
	mac.Write([]byte(text))
	return inbound(base64.StdEncoding.EncodeToString(mac.Sum(nil)), form)
}

// example is the form of the vectors that Twilio publishes with its libraries
// (twilio-go, client/request_validator_test.go), whose URL is exampleURL.
func example() url.Values {
	return url.Values{
		"Digits": {"1234"}, "CallSid": {"CA1234567890ABCDE"}, "To": {"+18005551212"}, "Caller": {"+14158675309"}, "From": {"+14158675309"},
	}
}

const exampleURL = "https://mycompany.com/myapp.php?foo=1&bar=2"

func TestPublishedSignaturesAreGood(t *testing.T) {
	withPort := strings.Replace(exampleURL, ".com", ".com:1234", 1)
	for name, row := range map[string]struct {
		callback, signature string
		good                bool
	}{
		"as written":               {exampleURL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", true},
		"port of ours, not signed": {withPort, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", true},
		"default port signed":      {exampleURL, "kvajT1Ptam85bY51eRf/AJRuM3w=", true},
		"in clear":                 {exampleURL, "0ZXoZLH/DfblKGATFgpif+LLRf4=", false},
		"another port":             {withPort, "kvajT1Ptam85bY51eRf/AJRuM3w=", false},
		"another signature":        {exampleURL, "RSOYDt4T1cUTdK1PDd93/VVr8B9=", false},
		"none":                     {exampleURL, "", false},
	} {
		if _, err := tracked(t, row.callback).Track(t.Context(), inbound(row.signature, example())); (err == nil) != row.good || err != nil && !errors.Is(err, channel.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPublishedSignaturesOfOtherBodiesAreGood(t *testing.T) {
	const body, hash = `{"property": "value", "boolean": true}`, "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
	for callback, signature := range map[string]string{
		exampleURL: "a9nBmqA0ju/hNViExpshrM61xv4=", "https://mycompany.com/myapp.php": "y77kIzt2vzLz71DgmJGsen2scGs=",
	} {
		in := inbound(signature, nil)
		in.Query, in.Body = url.Values{"foo": {"1"}, "bar": {"2"}, "bodySHA256": {hash}}, []byte(body)
		if _, err := tracked(t, callback).Track(t.Context(), in); err != nil {
			t.Errorf("%s: %v", callback, err)
		}
		in.Body = []byte(body + " ")
		if _, err := tracked(t, callback).Track(t.Context(), in); !errors.Is(err, channel.ErrForged) {
			t.Errorf("%s, another body: %v", callback, err)
		}
		in.Body, in.Query = []byte(body), url.Values{"bodySHA256": {hash, hash}}
		if _, err := tracked(t, callback).Track(t.Context(), in); !errors.Is(err, channel.ErrForged) {
			t.Errorf("%s, two hashes: %v", callback, err)
		}
	}
}

func TestReportsSayWhatBecameOfAMessage(t *testing.T) {
	const callback = "https://login.example.com/receipts/sms"
	tr := tracked(t, callback)
	for name, row := range map[string]struct {
		status, code string
		reports      int
		delivered    bool
		want         error
	}{
		"delivered": {"delivered", "", 1, true, nil}, "read": {"read", "", 1, true, nil},
		"queued": {"queued", "", 0, false, nil}, "sent": {"sent", "", 0, false, nil}, "unheard of": {"teleported", "", 0, false, nil},
		"a landline": {"undelivered", "30006", 1, false, channel.ErrUndeliverable}, "filtered": {"failed", "30007", 1, false, channel.ErrRefused},
		"switched off": {"undelivered", "30003", 1, false, channel.ErrUnavailable}, "unexplained": {"failed", "x", 1, false, channel.ErrUnavailable},
	} {
		got, err := tr.Track(t.Context(), signed(callback, url.Values{
			"MessageSid": {"SM1"}, "MessageStatus": {row.status}, "ErrorCode": {row.code}, "To": {"+491701234567"}, "AccountSid": {account},
		}))
		if err != nil || len(got) != row.reports {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if len(got) == 1 && (got[0].Receipt.ID != "SM1" || got[0].Delivered != row.delivered || !errors.Is(got[0].Err, row.want)) {
			t.Errorf("%s: %+v", name, got[0])
		}
	}
	if got, err := tr.Track(t.Context(), signed(callback, url.Values{"MessageStatus": {"delivered"}})); err != nil || len(got) != 0 {
		t.Errorf("a report on nothing: %+v, %v", got, err)
	}
}

func TestForgedReportsAreRefused(t *testing.T) {
	const callback = "https://login.example.com/receipts/sms"
	form := url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"delivered"}}
	good := signed(callback, form)
	for name, change := range map[string]func(in *channel.Inbound){
		"a changed field":    func(in *channel.Inbound) { in.Body = []byte("MessageSid=SM2&MessageStatus=delivered") },
		"an added field":     func(in *channel.Inbound) { in.Body = append(in.Body, "&ErrorCode=1"...) },
		"a field twice":      func(in *channel.Inbound) { in.Body = append(in.Body, "&MessageSid=SM1"...) },
		"an unreadable form": func(in *channel.Inbound) { in.Body = []byte("%zz") },
		"no signature":       func(in *channel.Inbound) { in.Header = nil },
		"two signatures": func(in *channel.Inbound) {
			h := in.Header["X-Twilio-Signature"]
			in.Header = map[string][]string{"X-Twilio-Signature": {h[0], h[0]}}
		},
		"nothing": func(in *channel.Inbound) { *in = channel.Inbound{} },
	} {
		in := good
		in.Body = slices.Clone(good.Body)
		change(&in)
		if got, err := tracked(t, callback).Track(t.Context(), in); !errors.Is(err, channel.ErrForged) || got != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := tracked(t, "https://login.example.com/receipts/other").Track(t.Context(), good); !errors.Is(err, channel.ErrForged) {
		t.Errorf("for another channel: %v", err)
	}
	if _, err := tracked(t, callback).Track(t.Context(), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestNobodyReportsWhereNoTokenCanTell(t *testing.T) {
	raw := fmt.Sprintf(`{"account":%q,"key_sid":%q,"key_secret":"secret-secret","from":"Example"}`, account, key)
	tr, _ := channel.As[channel.Tracker](sender(t, raw))
	mac := hmac.New(sha1.New, nil) // what an empty token signs
	mac.Write([]byte("https://login.example.com/receipts/sms"))
	in := inbound(base64.StdEncoding.EncodeToString(mac.Sum(nil)), url.Values{})
	if _, err := tr.Track(t.Context(), in); !errors.Is(err, channel.ErrForged) {
		t.Errorf("%v", err)
	}
}

func FuzzTrack(f *testing.F) {
	ch, err := twilio.Plugin().Open(f.Context(), channeltest.Decoder(fmt.Sprintf(`{"account":%q,"token":"12345","from":"Example","callback":%q}`, account, exampleURL)), channel.Env{})
	if err != nil {
		f.Fatal(err)
	}
	tr, _ := channel.As[channel.Tracker](ch)
	f.Add("MessageSid=SM1&MessageStatus=delivered", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "")
	f.Add("a=1&a=2", "", "bodySHA256=00")
	f.Add("%zz", "=", "bodySHA256=&bodySHA256=")
	f.Fuzz(func(t *testing.T, body, signature, query string) {
		in := channel.Inbound{Method: http.MethodPost, Header: map[string][]string{"X-Twilio-Signature": {signature}}, Body: []byte(body)}
		in.Query, _ = url.ParseQuery(query) // whatever can be read of it
		if got, err := tr.Track(t.Context(), in); !errors.Is(err, channel.ErrForged) || got != nil {
			t.Errorf("believed %+v, %v", got, err)
		}
	})
}
