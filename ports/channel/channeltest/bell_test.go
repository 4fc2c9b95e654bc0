package channeltest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// knows is what the porter shows when he tells who has rung.
const knows = "Bearer the-porter-0123456789"

// bell is a channel that enrols whoever rings, of which a porter tells, and asks
// for codes later.
func bell(b bug) channel.Plugin {
	d := channel.Descriptor{Type: "bell", Title: "Bell", Summary: "Rings.", Address: channel.Account, Factor: channel.Possession, MaxAAL: 1, AMR: []string{"otp"}}
	return channel.Define(d, func() none { return none{} }, func(_ context.Context, _ none, env channel.Env) (channel.Channel, error) {
		return door{b, env.Codes}, nil
	})
}

type door struct {
	bug   bug
	codes channel.Codes
}

// ring is who has rung, as Receive gives it to Verify.
type ring struct {
	From  string `json:"from"`
	Floor int    `json:"floor"`
	Seal  string `json:"seal,omitempty"`
}

func (d door) seal(handle string, r ring) string {
	mac := hmac.New(sha256.New, []byte("the house"))
	if d.bug == "half the data sealed" {
		r.From = ""
	}
	fmt.Fprintf(mac, "%q %q %d", handle, r.From, r.Floor)
	return hex.EncodeToString(mac.Sum(nil))
}

func (d door) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if c.Purpose == channel.Enroll {
		return channel.Opening{Prompt: channel.Wait().Showing(c.Handle)}, ctx.Err()
	}
	return channel.Opening{Prompt: channel.EnterCode(d.codes.Shape(c)), Deliver: true}, ctx.Err()
}

func (d door) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	return channel.Receipt{ID: m.Key}, ctx.Err()
}

func (d door) knows(in channel.Inbound) bool {
	got := http.Header(in.Header).Get("Authorization")
	switch {
	case d.bug == "anybody may ring", d.bug == "no header is as good" && got == "":
		return true
	case d.bug == "header compared in part":
		return strings.HasPrefix(got, knows[:len("Bearer the")])
	}
	return got == knows
}

func (d door) Receive(_ context.Context, in channel.Inbound) (string, channel.Response, error) {
	if !d.knows(in) {
		if d.bug == "forged is irrelevant" && in.Header != nil {
			return "", channel.Response{}, channel.ErrIrrelevant
		}
		return "", channel.Response{}, channel.ErrForged
	}
	var m struct{ Handle, From string }
	if json.Unmarshal(in.Body, &m) != nil || m.Handle == "" || m.From == "" {
		return "", channel.Response{}, channel.ErrIrrelevant
	}
	r := ring{From: m.From, Floor: 3}
	if d.bug != "data not sealed" {
		r.Seal = d.seal(m.Handle, r)
	}
	data, err := json.Marshal(r)
	if d.bug == "nothing to prove" {
		data = []byte(`{"rung":true}`)
	}
	return m.Handle, channel.Response{Data: data}, err
}

func (d door) believes(handle string, r ring) bool {
	switch {
	case d.bug == "data not sealed", d.bug == "seal unchecked", d.bug == "no seal is as good" && r.Seal == "":
		return r.From != ""
	}
	return hmac.Equal([]byte(r.Seal), []byte(d.seal(handle, r)))
}

func (d door) Verify(_ context.Context, c channel.Challenge, _ channel.State, resp channel.Response) (channel.Verdict, error) {
	if c.Purpose != channel.Enroll {
		if !d.codes.Match(c, resp.Code) {
			return channel.Reject(channel.Mismatch), nil
		}
		return channel.Verdict{Outcome: channel.Verified, Ref: c.Address}, nil
	}
	var r ring
	switch {
	case d.bug == "nothing to prove" && string(resp.Data) == `{"rung":true}`:
		return channel.Verdict{Outcome: channel.Verified, Ref: "upstairs"}, nil
	case json.Unmarshal(resp.Data, &r) != nil, !d.believes(c.Handle, r):
		return channel.Reject(channel.Mismatch), nil
	}
	return channel.Verdict{Outcome: channel.Verified, Ref: r.From}, nil
}

// bellSuite plays somebody who rings, and types what comes later.
func bellSuite(_ *testing.T, b bug) channeltest.Suite {
	return channeltest.Suite{Plugin: bell(b), Respond: func(tb testing.TB, s channeltest.Scene) channel.Response {
		if s.Challenge.Purpose != channel.Enroll {
			return channeltest.TypeLastCode(tb, s)
		}
		cb, _ := channel.As[channel.Callback](s.Channel)
		_, r, err := cb.Receive(tb.Context(), channel.Inbound{
			Method: http.MethodPost, Header: map[string][]string{"Authorization": {knows}, "Content-Type": {"application/json"}},
			Body: fmt.Appendf(nil, `{"handle":%q,"from":"12345678"}`, s.Prompt.Show[0]),
		})
		if err != nil {
			tb.Fatal(err)
		}
		return r
	}}
}
