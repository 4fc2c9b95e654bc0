package channeltest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// bug is the one thing that is wrong with a channel; "" is nothing.
type bug string

type pagerConfig struct {
	Gateway string         `json:"gateway" doc:"URL of the paging service." min:"1"`
	Token   channel.Secret `json:"token" secret:"file" doc:"What the service knows us by."`
	Kind    string         `json:"kind" doc:"How it beeps." enum:"loud,quiet"`
	Wait    time.Duration  `json:"wait" doc:"How long it may take." min:"1s" max:"1m"`
	careful bool
}

func (c pagerConfig) Validate() error {
	if c.careful && !strings.HasPrefix(c.Gateway, "http") {
		return errors.New("gateway: not a URL")
	}
	return nil
}

// pager is the channel of a third party: it sends codes over HTTP.
func pager(b bug) channel.Plugin {
	d := channel.Descriptor{
		Type: "pager", Title: "Pager", Summary: "Beeps.", Address: channel.Phone, Factor: channel.Possession, MaxAAL: 1, AMR: []string{"tel"},
	}
	switch b {
	case "unregistered method":
		d.AMR = []string{"pager"}
	case "title case type":
		d.Type = "Pager"
	case "e-mail at AAL2":
		d.Address, d.MaxAAL = channel.Email, 2
	case "kind of address of its own":
		d.Address = "pager"
	}
	defaults := func() pagerConfig {
		return pagerConfig{Kind: "loud", Wait: 5 * time.Second, careful: b != "broken config accepted"}
	}
	if b == "sender to accounts" {
		d.Address = channel.Account
		return channel.DefineSender(d, defaults, func(_ context.Context, cfg pagerConfig, env channel.Env) (channel.Sender, error) {
			return &beeper{cfg: cfg, env: env}, nil
		})
	}
	return channel.Define(d, defaults, func(_ context.Context, cfg pagerConfig, env channel.Env) (channel.Channel, error) {
		p := &beeper{bug: b, cfg: cfg, env: env, stop: make(chan struct{})}
		if b == "goroutine left running" {
			go func() { <-p.stop }()
		}
		return p, nil
	})
}

type beeper struct {
	bug  bug
	cfg  pagerConfig
	env  channel.Env
	stop chan struct{}
	told atomic.Int64 // announcements
}

func (p *beeper) Announce() channel.Announcement {
	switch p.bug {
	case "token announced":
		return channel.Announcement{ClientID: "pager " + p.cfg.Token.Reveal()}
	case "something else announced":
		return channel.Announcement{ClientID: fmt.Sprint(p.told.Add(1))}
	}
	return channel.Announcement{ClientID: "pager"}
}

func (p *beeper) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	o := channel.Opening{Prompt: channel.EnterCode(p.env.Codes.Shape(c)), Deliver: true}
	code := p.env.Codes.(channeltest.Codes).Code(c) // a real channel cannot see it
	switch p.bug {
	case "deliver not set":
		o.Deliver = false
	case "code in state":
		o.State = channel.State(code)
	case "hash of code in state":
		o.State = fmt.Appendf(nil, "%x", sha256.Sum256([]byte(code)))
	case "code in prompt":
		o.Prompt = o.Prompt.Showing(code)
	case "prompt of fixed length":
		o.Prompt.Length, o.Prompt.Alphabet = 6, channel.Digits
	case "prompt tells strangers apart":
		if c.Subject == "" {
			o.Prompt.Show = []string{"Welcome!"}
		}
	case "begin ignores cancellation":
		if ctx.Err() != nil {
			<-time.After(3 * time.Second)
		}
	}
	return o, nil
}

func (p *beeper) Verify(_ context.Context, c channel.Challenge, _ channel.State, r channel.Response) (channel.Verdict, error) {
	if p.bug == "code changes on resend" {
		c.Handle += strings.Repeat("'", c.Round-1)
	}
	ok := p.env.Codes.Match(c, r.Code)
	switch {
	case p.bug == "address logged":
		p.env.Log.Info("verified", "to", c.Address)
	case p.bug == "any code accepted", p.bug == "no code accepted" && r.Code == "":
		ok = true
	case p.bug == "error in place of a verdict" && !ok:
		return channel.Verdict{}, errors.New("wrong code")
	case p.bug == "error about strange data" && r.Data != nil:
		if err := json.Unmarshal(r.Data, &struct{}{}); err != nil {
			return channel.Verdict{}, err
		}
	case p.bug == "rejected without reason" && !ok:
		return channel.Verdict{Outcome: channel.Rejected}, nil
	}
	if !ok {
		return channel.Reject(channel.Mismatch), nil
	}
	return channel.Verdict{Outcome: channel.Verified}, nil
}

func (p *beeper) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	if p.bug == "send ignores cancellation" || p.bug == "send ignores the deadline" {
		ctx = context.WithoutCancel(ctx)
	}
	if p.bug == "code logged" {
		p.env.Log.Debug("sending", "text", m.Text)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return channel.Receipt{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.cfg.Gateway, bytes.NewReader(body))
	if err != nil {
		return channel.Receipt{}, err
	}
	resp, err := p.env.HTTP.Do(req)
	if err != nil {
		return channel.Receipt{}, fmt.Errorf("%w: page", channel.ErrUnavailable)
	}
	defer func() { _ = resp.Body.Close() }()
	return channel.Receipt{ID: "1"}, p.read(resp)
}

// Track believes whoever knows the token.
func (p *beeper) Track(_ context.Context, in channel.Inbound) ([]channel.Report, error) {
	signed := len(in.Header["Token"]) == 1 && in.Header["Token"][0] == p.cfg.Token.Reveal()
	switch {
	case p.bug == "report blames the provider" && !signed:
		return nil, channel.ErrUnavailable
	case !signed && p.bug != "unsigned report believed":
		return nil, channel.ErrForged
	}
	return []channel.Report{{Receipt: channel.Receipt{ID: "1"}, Delivered: true}}, nil
}

// Probe asks the service for nothing.
func (p *beeper) Probe(ctx context.Context) error {
	switch {
	case p.bug == "probe ignores the deadline":
		ctx = context.WithoutCancel(ctx)
	case p.bug == "probe ignores cancellation" && ctx.Err() != nil:
		<-time.After(3 * time.Second)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.cfg.Gateway, nil)
	if err != nil {
		return err
	}
	resp, err := p.env.HTTP.Do(req)
	switch {
	case err != nil && p.bug == "probe quotes the token":
		return fmt.Errorf("%w: %s", channel.ErrUnavailable, p.cfg.Token.Reveal())
	case err != nil:
		return fmt.Errorf("%w: probe", channel.ErrUnavailable)
	}
	defer func() { _ = resp.Body.Close() }()
	if p.bug == "probe takes an outage for health" {
		return nil
	}
	return channel.StatusError(resp)
}

func (p *beeper) read(resp *http.Response) error {
	switch {
	case p.bug == "500 taken for success" && resp.StatusCode >= 500,
		p.bug == "429 swallowed" && resp.StatusCode == http.StatusTooManyRequests:
		return nil
	case p.bug == "401 taken for an outage" && resp.StatusCode == http.StatusUnauthorized:
		return channel.ErrUnavailable
	case p.bug == "error quotes the provider" && resp.StatusCode >= 400:
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%w: %s", channel.StatusError(resp), text)
	case p.bug == "answer read without end":
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	return channel.StatusError(resp)
}

// pagerSuite exercises a pager whose service always says yes.
func pagerSuite(t *testing.T, b bug) channeltest.Suite {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(srv.Close)
	config := func(url string) string { return fmt.Sprintf(`{"gateway":%q,"token":"top-secret-token"}`, url) }
	return channeltest.Suite{
		Plugin: pager(b), Config: config(srv.URL), Address: "+441234567890", Respond: channeltest.TypeLastCode, Provider: config,
		Broken: map[string]string{
			"no URL": `{"gateway":"nowhere"}`, "an unknown kind": `{"gateway":"http://x","kind":"silent"}`,
			"a short wait": `{"gateway":"http://x","wait":"1ms"}`, "a number for a duration": `{"gateway":"http://x","wait":5}`,
		},
	}
}
