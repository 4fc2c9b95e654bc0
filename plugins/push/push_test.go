package push_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/push"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

func config(url string) string { return fmt.Sprintf(`{"gateway":%q,"secret":%q}`, url, secret) }

func suite(tb testing.TB) channeltest.Suite {
	tb.Helper()
	g := newGateway(tb)
	p := &phone{gateway: g}
	return channeltest.Suite{
		Plugin: push.Plugin(), Config: config(g.url), Provider: config, Reached: g.rung, Respond: p.respond,
		Broken: map[string]string{
			"nothing": `{}`, "no secret": `{"gateway":"https://push.example.com"}`, "plain HTTP": config("http://push.example.com"),
			"a short secret": `{"gateway":"https://push.example.com","secret":"whsec_aGVsbG8="}`,
		},
		Lie: func(tb testing.TB, s channeltest.Scene) channel.Response { // all is right but the number, or the key
			if s.Challenge.Purpose == channel.Enroll {
				other := &phone{gateway: g}
				s.Prompt.Show = []string{strings.Replace(s.Prompt.Show[0], "&key=whsec_", "&key=whsec_AAAA", 1)}
				return other.respond(tb, s)
			}
			return p.answer(tb, s, another(s.Prompt.Show[0]))
		},
	}
}

// another is a number that is not the one that is seen.
func another(number string) string {
	if number == "17" {
		return "71"
	}
	return "17"
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite(t)) }

func FuzzVerify(f *testing.F) { channeltest.FuzzVerify(f, suite(f)) }

func FuzzReceive(f *testing.F) { channeltest.FuzzReceive(f, suite(f)) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, push.Plugin()) }

// bench is an open channel, a gateway, and a phone that is paired.
type bench struct {
	channel.Channel

	clock   *channeltest.Clock
	gateway *gateway
	phone   *phone
	cred    channel.Credential
	made    int
}

func open(t *testing.T) *bench {
	t.Helper()
	b := &bench{clock: channeltest.NewClock(time.Unix(1_800_000_000, 0)), gateway: newGateway(t)}
	b.gateway.now, b.phone = b.clock.Now, &phone{gateway: b.gateway}
	ch, err := push.Plugin().Open(t.Context(), channeltest.Decoder(config(b.gateway.url)), channel.Env{
		Brand: "Example", Now: b.clock.Now, Random: rand.Reader, HTTP: http.DefaultClient, Log: slog.Default(),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Channel = ch
	c, o := b.begin(t, channel.Enroll)
	v := b.verify(t, c, o, b.phone.respond(t, b.scene(c, o)))
	if v.Outcome != channel.Verified {
		t.Fatalf("pairing: %s (%s)", v.Outcome, v.Reason)
	}
	b.cred = v.Credential
	return b
}

func (b *bench) begin(t *testing.T, p channel.Purpose) (channel.Challenge, channel.Opening) {
	t.Helper()
	b.made++
	c := channel.Challenge{
		Handle: fmt.Sprintf("handle-%d", b.made), Purpose: p, Label: "ann@example.com", Detail: "Pay: €12\nTo: Bob <b@example.com>",
		Callback: "https://login.example.com/callback/push", Credential: b.cred, Locale: "de", ExpiresAt: b.clock.Now().Add(5 * time.Minute),
	}
	o, err := b.Begin(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return c, o
}

func (b *bench) scene(c channel.Challenge, o channel.Opening) channeltest.Scene {
	return channeltest.Scene{Challenge: c, Prompt: o.Prompt, Channel: b.Channel, Clock: b.clock}
}

func (b *bench) verify(t *testing.T, c channel.Challenge, o channel.Opening, r channel.Response) channel.Verdict {
	t.Helper()
	v, err := b.Verify(t.Context(), c, o.State, r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// post is what becomes of a request of the phone.
func (b *bench) post(t *testing.T, c channel.Challenge, o channel.Opening, body map[string]string) channel.Verdict {
	t.Helper()
	cb, _ := channel.As[channel.Callback](b.Channel)
	_, r, err := cb.Receive(t.Context(), b.phone.says(t, b.clock.Now(), body))
	if err != nil {
		t.Fatal(err)
	}
	return b.verify(t, c, o, r)
}

func TestThePhoneShowsWhatIsApprovedAndNobodyElseReadsIt(t *testing.T) {
	b := open(t)
	c, o := b.begin(t, channel.Authenticate)
	got := b.phone.asks(t, c.Handle)
	want := asked{c.Handle, c.Callback, "Example", c.Label, c.Detail, "de"}
	if got != want {
		t.Errorf("the phone reads %+v, want %+v", got, want)
	}
	for _, body := range b.gateway.bodies {
		for _, hush := range []string{c.Handle, c.Label, "Bob", `"` + o.Prompt.Show[0] + `"`} {
			if strings.Contains(body, hush) {
				t.Errorf("the gateway reads %q", hush)
			}
		}
	}
	n := b.gateway.notes[0]
	n.Sealed[20] ^= 1
	if _, err := b.phone.read(n); err == nil {
		t.Error("the gateway may change what the phone reads")
	}
}

func TestOnlyTheNumberThatIsSeenApproves(t *testing.T) {
	b := open(t)
	c, o := b.begin(t, channel.Authenticate)
	number := o.Prompt.Show[0]
	body := func(change ...string) map[string]string {
		m := map[string]string{"handle": c.Handle, "device": b.phone.name, "answer": "approve", "number": number}
		for i := 0; i+1 < len(change); i += 2 {
			m[change[i]] = change[i+1]
		}
		return m
	}
	for name, wrong := range map[string]map[string]string{
		"another number": body("number", another(number)), "no number": body("number", ""), "a longer number": body("number", number+"0"),
		"another phone": body("device", "x"), "pairing": body("answer", "pair", "to", "x"), "a word of its own": body("answer", "yes"),
		"another challenge": body("handle", "handle-0"),
	} {
		if v := b.post(t, c, o, wrong); v.Outcome != channel.Rejected || v.Reason != channel.Mismatch {
			t.Errorf("%s: %s (%s)", name, v.Outcome, v.Reason)
		}
	}
	if v := b.verify(t, c, o, channel.Response{}); v.Outcome != channel.Pending {
		t.Errorf("nothing has been said, and it is %s", v.Outcome)
	}
	if v := b.post(t, c, o, body("answer", "deny")); v.Outcome != channel.Rejected || v.Reason != channel.Denied {
		t.Errorf("no: %s (%s)", v.Outcome, v.Reason)
	}
	if v := b.post(t, c, o, body()); v.Outcome != channel.Verified || v.Ref != b.phone.name {
		t.Errorf("yes: %s, by %q", v.Outcome, v.Ref)
	}
}

func TestPhonesAreKnownByTheirKey(t *testing.T) {
	b := open(t)
	c, o := b.begin(t, channel.Authenticate)
	right := map[string]string{"handle": c.Handle, "device": b.phone.name, "answer": "approve", "number": o.Prompt.Show[0]}
	own := b.phone.key
	b.phone.key = secret // somebody else's
	if v := b.post(t, c, o, right); v.Outcome != channel.Rejected {
		t.Errorf("signed with another key: %s", v.Outcome)
	}
	b.phone.key = own
	cb, _ := channel.As[channel.Callback](b.Channel)
	for name, spoil := range map[string]func(*channel.Inbound){
		"unsigned":       func(in *channel.Inbound) { in.Header = nil },
		"a GET":          func(in *channel.Inbound) { in.Method = http.MethodGet },
		"no handle":      func(in *channel.Inbound) { in.Body = []byte(`{"answer":"approve"}`) },
		"too long":       func(in *channel.Inbound) { in.Body = append(in.Body, strings.Repeat(" ", 1<<15)...) },
		"from long ago":  func(in *channel.Inbound) { *in = b.phone.says(t, b.clock.Now().Add(-301*time.Second), right) },
		"from tomorrow":  func(in *channel.Inbound) { *in = b.phone.says(t, b.clock.Now().Add(301*time.Second), right) },
		"no text at all": func(in *channel.Inbound) { in.Body = []byte("{\"handle\":\"\xff\"}") },
	} {
		in := b.phone.says(t, b.clock.Now(), right)
		spoil(&in)
		if h, _, err := cb.Receive(t.Context(), in); !errors.Is(err, channel.ErrForged) || h != "" {
			t.Errorf("%s: %q, %v", name, h, err)
		}
	}
	in := b.phone.says(t, b.clock.Now(), right)
	in.Body = []byte(strings.Replace(string(in.Body), `"approve"`, `"deny"`, 1))
	_, r, err := cb.Receive(t.Context(), in)
	if v := b.verify(t, c, o, r); err != nil || v.Reason != channel.Mismatch {
		t.Errorf("changed on its way: %s (%s), %v", v.Outcome, v.Reason, err)
	}
	b.clock.Advance(6 * time.Minute)
	_, r, err = cb.Receive(t.Context(), b.phone.says(t, b.clock.Now().Add(-4*time.Minute), right))
	b.clock.Advance(2 * time.Minute)
	if v := b.verify(t, c, o, r); err != nil || v.Outcome != channel.Rejected {
		t.Errorf("received in time and judged too late: %s, %v", v.Outcome, err)
	}
}

func TestNumbersAreTwoDigitsAndAllOfThemComeUp(t *testing.T) {
	b := open(t)
	seen := map[string]bool{}
	for range 2000 {
		_, o := b.begin(t, channel.Authenticate)
		seen[o.Prompt.Show[0]] = true
	}
	if len(seen) != 100 || !seen["00"] || !seen["99"] {
		t.Errorf("%d different numbers", len(seen))
	}
}

func TestWhatTheGatewayMeans(t *testing.T) {
	b := open(t)
	for status, want := range map[int]error{
		404: channel.ErrUndeliverable, 410: channel.ErrUndeliverable, 400: channel.ErrRefused, 401: channel.ErrRefused, 500: channel.ErrUnavailable,
	} {
		b.gateway.status = status
		_, err := b.Begin(t.Context(), channel.Challenge{Handle: "h", Purpose: channel.Authenticate, Credential: b.cred})
		if !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", status, err, want)
		}
	}
}

func TestPairingIsWhatThePictureSays(t *testing.T) {
	b := open(t)
	if b.phone.url != "https://login.example.com/callback/push" || b.phone.handle != "handle-1" {
		t.Errorf("post to %q about %q", b.phone.url, b.phone.handle)
	}
	var kept struct{ Name, To string }
	if err := json.Unmarshal(b.cred, &kept); err != nil || kept.Name != b.phone.name || kept.To != "token-of-the-push-service" {
		t.Errorf("%+v, %v", kept, err)
	}
}
