package channeltest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// wrongs are responses that prove nothing to any channel.
func (r *rig) wrongs(t T, sc Scene) map[string]channel.Response {
	t.Helper()
	lie := channel.Response{Code: "WRONG1"}
	if r.Lie != nil {
		lie = r.Lie(t, sc)
	}
	return map[string]channel.Response{
		"a lie":              lie,
		"nothing":            {},
		"a short code":       {Code: "0"},
		"zeros":              {Code: "000000", Data: json.RawMessage(`{"code":"000000"}`)},
		"a long code":        {Code: strings.Repeat("9", 1<<16)},
		"control characters": {Code: "\x00\r\n'\"%s\xff"},
		"other digits":       {Code: "１２３４５６"},
		"an empty object":    {Data: json.RawMessage(`{}`)},
		"an empty list":      {Data: json.RawMessage(`[]`)},
		"a null":             {Data: json.RawMessage(`null`)},
		"a number":           {Data: json.RawMessage(`1e999`)},
		"invalid JSON":       {Data: json.RawMessage(`[[`)},
		"strange types":      {Data: json.RawMessage(`{"id":[],"hash":{},"code":1,"number":null,"id_token":false,"response":7}`)},
		"deep JSON":          {Data: json.RawMessage(strings.Repeat("[", 5000) + strings.Repeat("]", 5000))},
	}
}

func (s Suite) wrong(t T) {
	r := s.open(t)
	cred, _ := r.enroll(t)
	for _, c := range []channel.Challenge{r.challenge(channel.Enroll, nil), r.challenge(channel.Authenticate, cred)} {
		sc, o := r.begin(t, c)
		for name, resp := range r.wrongs(t, sc) {
			v, err := r.ch.Verify(t.Context(), sc.Challenge, o.State, resp)
			switch {
			case err != nil:
				t.Errorf("%s, %s: a wrong response is not an error: %v", c.Purpose, name, err)
			case v.Outcome == channel.Verified:
				t.Errorf("%s, %s: accepted", c.Purpose, name)
			default:
				checkRefusal(t, name, v)
			}
		}
	}
}

func checkRefusal(t T, name string, v channel.Verdict) {
	t.Helper()
	if v.Outcome != channel.Rejected && v.Outcome != channel.Pending {
		t.Errorf("%s: outcome %q is unknown", name, v.Outcome)
	}
	if v.Credential != nil || v.Identity != nil || v.Ref != "" {
		t.Errorf("%s: a refusal must not come with a credential, an identity or a ref", name)
	}
	switch v.Reason {
	case channel.Mismatch, channel.Expired, channel.Replayed, channel.Denied:
	case "":
		if v.Outcome == channel.Rejected {
			t.Errorf("%s: rejected without a reason", name)
		}
	default:
		t.Errorf("%s: reason %q is unknown", name, v.Reason)
	}
}

// storage passes values that no channel has written. An error is right here:
// the core's storage is broken, or somebody has tampered with it.
func (s Suite) storage(t T) {
	r := s.open(t)
	for _, junk := range []string{"", "{}", "[]", "null", "0", `{"secret":"","step":0}`, "\xff\xfe", strings.Repeat("A", 4096)} {
		c := r.challenge(channel.Authenticate, channel.Credential(junk))
		for _, resp := range []channel.Response{{Code: "000000"}, {Data: json.RawMessage(`{}`)}, {}} {
			v, err := r.ch.Verify(t.Context(), c, channel.State(junk), resp)
			if err == nil && v.Outcome == channel.Verified {
				t.Errorf("verified on the strength of %q in storage", junk)
			}
		}
		if n, ok := channel.As[channel.Counter](r.ch); ok && n.Remaining(channel.Credential(junk)) != 0 {
			t.Errorf("%q in storage counts as uses left", junk)
		}
	}
}

// replay answers the next challenge, at the same moment, with a response that
// was right before.
func (s Suite) replay(t T) {
	r := s.open(t)
	cred, enrolled := r.enroll(t)
	r.again(t, "the response that enrolled", cred, enrolled, "")
	sc, o, resp := r.authenticate(t, cred)
	first := r.verify(t, sc.Challenge, o.State, resp)
	r.again(t, "the response to one challenge", kept(cred, first.Credential), resp, first.OnceKey)
}

func (r *rig) again(t T, what string, cred channel.Credential, resp channel.Response, used string) {
	t.Helper()
	sc, o := r.begin(t, r.challenge(channel.Authenticate, cred))
	v, err := r.ch.Verify(t.Context(), sc.Challenge, o.State, resp)
	if err != nil {
		t.Errorf("replay: %v", err)
	}
	if v.Outcome == channel.Verified && (v.OnceKey == "" || used != "" && v.OnceKey != used) {
		t.Errorf("%s was accepted for the next", what)
	}
}

// crossed answers for one device with another.
func (s Suite) crossed(t T) {
	r := s.open(t)
	mine, _ := r.enroll(t)
	theirs, _ := r.enroll(t)
	if len(mine) == 0 || bytes.Equal(mine, theirs) {
		t.Skipf("the channel has no credentials")
	}
	sc, o, resp := r.authenticate(t, theirs)
	sc.Challenge.Credential = bytes.Clone(mine)
	if v, err := r.ch.Verify(t.Context(), sc.Challenge, o.State, resp); err == nil && v.Outcome == channel.Verified {
		t.Errorf("one device's response was accepted for another")
	}
}

// inputs checks that the core may go on using what it passed.
func (s Suite) inputs(t T) {
	r := s.open(t)
	cred, _ := r.enroll(t)
	sc, o, resp := r.authenticate(t, cred)
	wantCred, wantState, wantData := bytes.Clone(sc.Challenge.Credential), bytes.Clone(o.State), bytes.Clone(resp.Data)
	v := r.verify(t, sc.Challenge, o.State, resp)
	for _, out := range [][]byte{v.Credential, v.State} {
		for i := range out {
			out[i] ^= 0xff // a result that shares memory with an argument shows now
		}
	}
	if !bytes.Equal(sc.Challenge.Credential, wantCred) {
		t.Errorf("Verify changed the credential in place")
	}
	if !bytes.Equal(o.State, wantState) {
		t.Errorf("Verify changed the state in place")
	}
	if !bytes.Equal(resp.Data, wantData) {
		t.Errorf("Verify changed the response in place")
	}
}
