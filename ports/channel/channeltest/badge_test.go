package channeltest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// badge is a channel that identifies: somebody elsewhere signs the handle.
func badge(b bug) channel.Plugin {
	d := channel.Descriptor{Type: "badge", Title: "Badge", Summary: "Identifies.", Factor: channel.Possession, MaxAAL: 1, Identify: true}
	return channel.Define(d, func() none { return none{} }, func(context.Context, none, channel.Env) (channel.Channel, error) {
		return &reader{bug: b}, nil
	})
}

type reader struct {
	bug  bug
	seen atomic.Int64
}

type swipe struct {
	Handle string `json:"handle"`
	Who    string `json:"who"`
	Sum    string `json:"sum"`
}

func (s swipe) sum() string {
	mac := hmac.New(sha256.New, []byte("the badge office"))
	fmt.Fprint(mac, s.Handle, " ", s.Who)
	return hex.EncodeToString(mac.Sum(nil))
}

func (r *reader) Begin(_ context.Context, c channel.Challenge) (channel.Opening, error) {
	if r.bug == "unknown prompt" {
		return channel.Opening{Prompt: channel.Prompt{Kind: "swipe"}}, nil
	}
	return channel.Opening{Prompt: channel.Redirect("https://badge.example/?state=" + c.Handle)}, nil
}

func (r *reader) Verify(_ context.Context, c channel.Challenge, _ channel.State, resp channel.Response) (channel.Verdict, error) {
	var s swipe
	if err := json.Unmarshal(resp.Data, &s); err != nil && len(resp.Data) > 0 {
		return channel.Reject(channel.Mismatch), nil
	}
	if s.Who == "" || s.Handle != c.Handle && r.bug != "nonce unchecked" || !hmac.Equal([]byte(s.Sum), []byte(s.sum())) && r.bug != "sum unchecked" {
		return channel.Reject(channel.Mismatch), nil
	}
	v := channel.Verdict{Outcome: channel.Verified, Ref: s.Who, Identity: &channel.Identity{Issuer: "badge.example"}}
	switch {
	case r.bug == "ref unstable":
		v.Ref = fmt.Sprint(s.Who, r.seen.Add(1))
	case r.bug == "ref forgotten":
		v.Ref = ""
	case r.bug == "ref missing for strangers" && c.Subject == "":
		v.Ref = ""
	}
	return v, nil
}

func (r *reader) Receive(_ context.Context, in channel.Inbound) (string, channel.Response, error) {
	var s swipe
	err := json.Unmarshal(in.Body, &s)
	switch {
	case r.bug == "callback blames the provider" && err != nil:
		return "", channel.Response{}, channel.ErrUnavailable
	case err != nil, s.Handle == "" && r.bug != "empty callback handle accepted":
		return "", channel.Response{}, channel.ErrForged
	}
	return s.Handle, channel.Response{Data: in.Body}, nil
}

func badgeSuite(_ *testing.T, b bug) channeltest.Suite {
	return channeltest.Suite{Plugin: badge(b), Respond: func(tb testing.TB, s channeltest.Scene) channel.Response {
		answer := swipe{Handle: s.Challenge.Handle, Who: "ann"}
		answer.Sum = answer.sum()
		raw, err := json.Marshal(answer)
		if err != nil {
			tb.Fatal(err)
		}
		if b == "nothing is brought" {
			return channel.Response{Data: raw}
		}
		cb, _ := channel.As[channel.Callback](s.Channel)
		_, resp, err := cb.Receive(tb.Context(), channel.Inbound{Method: http.MethodPost, Body: raw})
		if err != nil {
			tb.Fatal(err)
		}
		return resp
	}}
}
