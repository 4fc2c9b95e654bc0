package channeltest

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/channel"
)

// secrecy looks for secrets where they must not be.
func (s Suite) secrecy(t T) {
	r := s.open(t)
	enrolment, o := r.begin(t, r.challenge(channel.Enroll, nil))
	proof := r.Respond(t, enrolment)
	enrolled := r.verify(t, enrolment.Challenge, o.State, proof)
	r.ref = enrolled.Ref
	sc, opening, resp := r.authenticate(t, enrolled.Credential)
	v := r.verify(t, sc.Challenge, opening.State, resp)
	_, _ = r.ch.Verify(t.Context(), sc.Challenge, opening.State, channel.Response{Code: "WRONG1"})

	for what, text := range map[string]string{
		"log": r.log.String(), "prompt": encoded(opening.Prompt), "state": string(opening.State), "credential": string(v.Credential),
	} {
		r.hides(t, what, text, derived(resp.Code)...)
	}
	if a, ok := channel.As[channel.Announcer](r.ch); ok {
		first, second := a.Announce(), a.Announce()
		r.hides(t, "announcement", first.ClientID, r.private(enrolment, sc)...)
		if first != second {
			t.Errorf("it announces something else each time")
		}
	}
	r.hides(t, "log", r.log.String(), r.private(enrolment, sc)...)
	r.hides(t, "log", r.log.String(), proof.Code, string(o.State), string(opening.State), string(v.Credential))
}

// private lists what belongs in no log and no error text.
func (r *rig) private(scenes ...Scene) []string {
	list := append([]string(nil), r.secrets...)
	for _, sc := range scenes {
		list = append(list, sc.Challenge.Handle, sc.Challenge.Address, string(sc.Challenge.Credential))
		list = append(list, sc.Prompt.Show...)
		for _, m := range sc.Inbox {
			list = append(list, m.Code, m.Link, m.Text)
		}
	}
	return list
}

// derived is a code and the forms in which it would be as good as written down:
// a digest without a key is guessed in no time.
func derived(code string) []string {
	if len(code) < 4 {
		return nil
	}
	list := []string{code, hex.EncodeToString([]byte(code)), base64.RawStdEncoding.EncodeToString([]byte(code))}
	one, two := sha1.Sum([]byte(code)), sha256.Sum256([]byte(code))
	for _, sum := range [][]byte{one[:], two[:]} {
		list = append(list, string(sum), hex.EncodeToString(sum), base64.RawStdEncoding.EncodeToString(sum), base64.RawURLEncoding.EncodeToString(sum))
	}
	return list
}

// hides fails if text contains one of the secrets. It does not repeat it.
func (r *rig) hides(tb testing.TB, what, text string, secrets ...string) {
	tb.Helper()
	for i, s := range secrets {
		if len(s) >= 4 && strings.Contains(text, s) {
			tb.Errorf("a secret can be read in the %s (number %d, %d characters)", what, i, len(s))
		}
	}
}

func encoded(p channel.Prompt) string {
	text, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// chance checks that secrets come from the injected reader and from no other.
func (s Suite) chance(t T) {
	r := s.open(t)
	c := r.challenge(channel.Enroll, nil)
	one, err := r.ch.Begin(t.Context(), c)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	two, err := r.ch.Begin(t.Context(), c)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	made := !reflect.DeepEqual(one.State, two.State) && !r.costs() // whose provider makes what differs
	if !made && reflect.DeepEqual(one.Prompt.Show, two.Prompt.Show) {
		t.Skipf("the channel makes no secrets")
	}
	dry := s.rig()
	dry.env.Random = exhausted{}
	if err := dry.reopen(t); err != nil {
		return
	}
	if _, err := dry.ch.Begin(t.Context(), c); err == nil {
		t.Errorf("a secret was made although there was no randomness")
	}
}

// exhausted is a source of randomness that fails.
type exhausted struct{}

func (exhausted) Read([]byte) (int, error) { return 0, errors.New("no randomness") }
