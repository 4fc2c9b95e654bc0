package vonage_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/vonage"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

func tracker(t *testing.T, more string) channel.Tracker {
	t.Helper()
	tr, ok := channel.As[channel.Tracker](sender(t, config("https://rest.nexmo.com", more)))
	if !ok {
		t.Fatal("no tracker")
	}
	return tr
}

const signedBy = `,"signature_secret":"` + signing + `"`

// The vectors are those of Vonage's Python library (tests/test_signature.py).
func TestPublishedSignaturesAreGood(t *testing.T) {
	for method, sig := range map[string]string{
		"sha256": "a321e824b9b816be7c3f28859a31749a098713d39f613c80d455bbaffae1cd24",
		"sha512": "812a18f76680fa0fe1b8bd9ee1625466ceb1bd96242e4d050d2cfd9a7b40166c63ed26ec9702168781b6edcf1633db8ff95af9341701004eec3fcf9550572ee8",
	} {
		form := url.Values{"a": {"1"}, "b": {"2"}, "timestamp": {"1461605396"}, "sig": {sig}}
		tr := tracker(t, signedBy+`,"signature_method":"`+method+`"`)
		for what, in := range map[string]channel.Inbound{
			"form": {Method: "POST", Body: []byte(form.Encode())}, "query": {Method: "GET", Query: form},
			"JSON":       {Method: "POST", Body: []byte(`{"a":"1","b":2,"timestamp":"1461605396","sig":"` + sig + `"}`)},
			"upper case": {Method: "POST", Body: []byte(strings.Replace(form.Encode(), sig, strings.ToUpper(sig), 1))},
		} {
			if _, err := tr.Track(t.Context(), in); err != nil {
				t.Errorf("%s, %s: %v", method, what, err)
			}
		}
		form.Set("b", "3")
		if _, err := tr.Track(t.Context(), channel.Inbound{Body: []byte(form.Encode())}); !errors.Is(err, channel.ErrForged) {
			t.Errorf("%s, changed: %v", method, err)
		}
	}
}

// signed signs fields as Vonage does.
func signed(fields map[string]string) map[string]string {
	mac := hmac.New(sha256.New, []byte(signing))
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(mac, "&%s=%s", k, strings.NewReplacer("&", "_", "=", "_").Replace(fields[k]))
	}
	out := maps.Clone(fields)
	out["sig"] = hex.EncodeToString(mac.Sum(nil))
	return out
}

func receipt(status, code string, at time.Time) map[string]string {
	return map[string]string{
		"msisdn": "491701234567", "to": "Example", "network-code": "26201", "messageId": "0C1", "price": "0.03", "status": status,
		"scts": "1604251929", "err-code": code, "api-key": account, "client-ref": "m=1&x", "message-timestamp": "2016-04-25 17:29:56",
		"timestamp": strconv.FormatInt(at.Unix(), 10), "nonce": "aaaaaaaa-bbbb",
	}
}

func posted(t *testing.T, fields map[string]string) channel.Inbound {
	t.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return channel.Inbound{Method: "POST", Body: body}
}

func TestReportsSayWhatBecameOfAMessage(t *testing.T) {
	tr := tracker(t, signedBy)
	for name, row := range map[string]struct {
		status, code string
		reports      int
		delivered    bool
		want         error
	}{
		"delivered": {"delivered", "0", 1, true, nil},
		"accepted":  {"accepted", "0", 0, false, nil}, "buffered": {"buffered", "0", 0, false, nil}, "unknown": {"unknown", "1", 0, false, nil},
		"gone": {"failed", "3", 1, false, channel.ErrUndeliverable}, "illegal number": {"rejected", "9", 1, false, channel.ErrUndeliverable},
		"spam": {"rejected", "6", 1, false, channel.ErrRefused}, "switched off": {"expired", "2", 1, false, channel.ErrUnavailable}, "unexplained": {"failed", "", 1, false, channel.ErrUnavailable},
	} {
		got, err := tr.Track(t.Context(), posted(t, signed(receipt(row.status, row.code, now()))))
		if err != nil || len(got) != row.reports {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if len(got) == 1 && (got[0].Receipt.ID != "0C1" || got[0].Delivered != row.delivered || !errors.Is(got[0].Err, row.want)) {
			t.Errorf("%s: %+v", name, got[0])
		}
	}
}

func TestForgedAndOldReportsAreRefused(t *testing.T) {
	tr := tracker(t, signedBy)
	good := signed(receipt("delivered", "0", now()))
	without := maps.Clone(good)
	delete(without, "sig")
	form := url.Values{}
	for k, v := range good {
		form.Set(k, v)
	}
	for name, in := range map[string]channel.Inbound{
		"unsigned":           posted(t, without),
		"old":                posted(t, signed(receipt("delivered", "0", now().Add(-6*time.Minute)))),
		"of the future":      posted(t, signed(receipt("delivered", "0", now().Add(6*time.Minute)))),
		"without time":       posted(t, signed(map[string]string{"messageId": "0C1", "status": "delivered"})),
		"with a field twice": {Body: []byte(form.Encode() + "&status=delivered")},
		"nested":             {Body: []byte(`{"sig":{}}`)}, "a list": {Body: []byte(`[]`)}, "cut off": {Body: []byte(`{"sig":"00"`)}, "no form": {Body: []byte("%zz")}, "empty": {},
		"followed by more":    {Body: append(posted(t, good).Body, `{"a":1}`...)},
		"with a member twice": {Body: []byte(strings.Replace(string(posted(t, good).Body), `"status"`, `"status":"failed","status"`, 1))},
	} {
		if got, err := tr.Track(t.Context(), in); !errors.Is(err, channel.ErrForged) || got != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := tr.Track(t.Context(), posted(t, good)); err != nil {
		t.Errorf("the good one: %v", err)
	}
	mac := hmac.New(sha256.New, nil) // what an empty secret signs
	fmt.Fprintf(mac, "&timestamp=%d", now().Unix())
	in := posted(t, map[string]string{"timestamp": strconv.FormatInt(now().Unix(), 10), "sig": hex.EncodeToString(mac.Sum(nil))})
	if _, err := tracker(t, "").Track(t.Context(), in); !errors.Is(err, channel.ErrForged) {
		t.Errorf("nobody's secret: %v", err)
	}
}

func FuzzTrack(f *testing.F) {
	ch, err := vonage.Plugin().Open(f.Context(), channeltest.Decoder(config("https://rest.nexmo.com", signedBy)), channel.Env{Now: now})
	if err != nil {
		f.Fatal(err)
	}
	tr, _ := channel.As[channel.Tracker](ch)
	f.Add(`{"messageId":"0C1","status":"delivered","sig":"00"}`, "")
	f.Add("messageId=0C1&sig=", "")
	f.Add("", "sig=00&timestamp=1461605396")
	f.Fuzz(func(t *testing.T, body, query string) {
		in := channel.Inbound{Method: "POST", Body: []byte(body)}
		in.Query, _ = url.ParseQuery(query) // whatever can be read of it
		if got, err := tr.Track(t.Context(), in); !errors.Is(err, channel.ErrForged) || got != nil {
			t.Errorf("believed %+v, %v", got, err)
		}
	})
}
