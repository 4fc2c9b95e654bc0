package channeltest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/channel"
)

// FuzzVerify answers one challenge with anything at all: nothing may panic, be
// an error, or be accepted without being right.
func FuzzVerify(f *testing.F, s Suite) {
	f.Helper()
	r := s.open(f)
	cred, _ := r.enroll(f)
	sc, o, right := r.authenticate(f, cred)
	for _, code := range []string{"", "0", "000000", "123 456", "1e5", "WRONG1", "AAAA-BBBB-CCCC-DDDD", right.Code} {
		f.Add(code, []byte(`{}`))
	}
	f.Add("", []byte(`{"id":1,"hash":""}`))
	f.Add("", []byte(right.Data))
	f.Fuzz(func(t *testing.T, code string, data []byte) {
		v, err := r.ch.Verify(t.Context(), sc.Challenge, o.State, channel.Response{Code: code, Data: json.RawMessage(data)})
		if err != nil {
			t.Errorf("a response is never an error: %v", err)
		}
		if v.Outcome == channel.Verified && !r.plausible(code, data, right) {
			t.Errorf("accepted %q, %q", code, data)
		}
	})
}

// plausible reports whether a response may have been accepted: it is the right
// one, or so like a code that it may be right by chance.
func (r *rig) plausible(code string, data []byte, right channel.Response) bool {
	if right.Data != nil {
		return json.Valid(data)
	}
	plain := strings.NewReplacer(" ", "", "-", "").Replace(code)
	return len(plain) == len(strings.ReplaceAll(right.Code, "-", ""))
}

// FuzzReceive brings the channel anything at all: nothing may panic, or name no
// challenge and yet be no error.
func FuzzReceive(f *testing.F, s Suite) {
	f.Helper()
	r := s.open(f)
	cb, ok := channel.As[channel.Callback](r.ch)
	if !ok {
		f.Fatal("the channel has no callback")
	}
	for _, in := range inbounds() {
		f.Add(in.Method, in.Query.Encode(), []byte(in.Body))
	}
	f.Fuzz(func(t *testing.T, method, query string, body []byte) {
		h, _, err := cb.Receive(t.Context(), channel.Inbound{Method: method, Query: parseQuery(query), Body: body})
		if err == nil && h == "" {
			t.Errorf("accepted without a handle")
		}
	})
}

// FuzzTrack brings the channel anything at all as a carrier's report: nothing may
// panic, and all of it is channel.ErrForged.
func FuzzTrack(f *testing.F, s Suite) {
	f.Helper()
	r := s.open(f)
	tr, ok := channel.As[channel.Tracker](r.ch)
	if !ok {
		f.Fatal("the channel tracks nothing")
	}
	for _, in := range inbounds() {
		f.Add(in.Method, in.Query.Encode(), []byte(in.Body))
	}
	f.Fuzz(func(t *testing.T, method, query string, body []byte) {
		in := channel.Inbound{Method: method, URL: "https://login.example.com/receipts/kit", Query: parseQuery(query), Body: body}
		reports, err := tr.Track(t.Context(), in)
		if !errors.Is(err, channel.ErrForged) || len(reports) > 0 {
			t.Errorf("%d reports believed that nobody has signed, %v", len(reports), err)
		}
	})
}
