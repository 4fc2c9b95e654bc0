package channeltest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

type deskConfig struct {
	URL string `json:"url" doc:"Where the desk is."`
}

func (deskConfig) Validate() error { return nil }

// desk is a channel whose provider makes, sends and checks codes.
func desk(b bug) channel.Plugin {
	d := channel.Descriptor{Type: "desk", Title: "Desk", Summary: "Calls.", Address: channel.Phone, Factor: channel.Possession, MaxAAL: 1, AMR: []string{"tel"}, Costs: true}
	return channel.Define(d, func() deskConfig { return deskConfig{} }, func(_ context.Context, cfg deskConfig, env channel.Env) (channel.Channel, error) {
		c := clerk{bug: b, url: cfg.URL, env: env}
		switch b {
		case "no preview":
			return struct{ channel.Channel }{c}, nil
		case "claims to cost nothing":
			own := d
			own.Costs = false
			return modest{c, own}, nil
		}
		return c, nil
	})
}

// modest says what it is, which is not true.
type modest struct {
	clerk
	own channel.Descriptor
}

func (m modest) Describe() channel.Descriptor { return m.own }

type clerk struct {
	bug bug
	url string
	env channel.Env
}

func (k clerk) prompt() channel.Prompt {
	return channel.EnterCode(channel.Shape{Length: 6, Alphabet: channel.Digits})
}

func (k clerk) Preview(c channel.Challenge) channel.Prompt {
	p := k.prompt()
	switch {
	case k.bug == "preview reaches somebody":
		_, _ = k.Begin(context.Background(), c)
	case k.bug == "preview promises another", k.bug == "preview tells strangers apart" && c.Subject == "":
		p.Length++
	case k.bug == "preview shows a secret":
		p.Show = []string{"look"}
	}
	return p
}

// ask says what the desk answered. "" is a refusal.
func (k clerk) ask(ctx context.Context, path string, q url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.url+path+"?"+q.Encode(), nil)
	if err != nil {
		return "", err
	}
	resp, err := k.env.HTTP.Do(req)
	if err != nil {
		if k.bug == "typed code in an error" {
			return "", fmt.Errorf("%w: %w", channel.ErrUnavailable, err)
		}
		return "", channel.ErrUnavailable
	}
	defer func() { _ = resp.Body.Close() }()
	busy := resp.StatusCode == http.StatusTooManyRequests
	switch {
	case k.bug == "throttle taken for a mismatch" && busy && path == "/check",
		k.bug == "outage taken for a mismatch" && resp.StatusCode >= 500 && path == "/check":
		return "no", nil
	case k.bug == "throttle swallowed beginning" && busy && path == "/call":
		return "1", nil
	}
	if err := channel.StatusError(resp); err != nil {
		return "", err
	}
	var said struct{ Answer string }
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 1000)).Decode(&said); err != nil && !k.credulous(path) {
		return "", channel.ErrUnavailable
	}
	if said.Answer == "" && !k.credulous(path) {
		return "", channel.ErrUnavailable
	}
	return said.Answer, nil
}

func (k clerk) credulous(path string) bool {
	if path == "/call" {
		return k.bug == "nonsense taken for a beginning" || k.bug == "silence taken for a beginning"
	}
	return k.bug == "nonsense taken for a mismatch" || k.bug == "silence taken for a mismatch"
}

func (k clerk) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	o := channel.Opening{Prompt: k.prompt(), Deliver: k.bug == "delivered besides"}
	if k.bug == "second round reaches nobody" && c.Round > 1 {
		return o, ctx.Err()
	}
	id, err := k.ask(ctx, "/call", url.Values{"to": {c.Address}})
	if err == nil && k.bug == "reached twice" {
		id, err = k.ask(ctx, "/call", url.Values{"to": {c.Address}})
	}
	o.State = channel.State(id)
	return o, err
}

func (k clerk) Verify(ctx context.Context, _ channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	if n, err := strconv.Atoi(r.Code); err != nil || len(r.Code) != 6 || n < 0 {
		return channel.Reject(channel.Mismatch), nil
	}
	if k.bug == "judged without the provider" && r.Code == (&switchboard{}).code(string(s)) {
		return channel.Verdict{Outcome: channel.Verified}, nil
	}
	said, err := k.ask(ctx, "/check", url.Values{"id": {string(s)}, "code": {r.Code}})
	switch {
	case err != nil:
		return channel.Verdict{}, err
	case said == "yes", said == "used" && k.bug == "accepted twice":
		return channel.Verdict{Outcome: channel.Verified}, nil
	case said == "used" && k.bug == "used code is an error":
		return channel.Verdict{}, errors.New("that was used")
	}
	return channel.Reject(channel.Mismatch), nil
}

// switchboard is the desk itself.
type switchboard struct {
	mu    sync.Mutex // guards what follows
	calls int
	used  map[string]bool
}

func (b *switchboard) reached() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

func (b *switchboard) code(id string) string {
	n, _ := strconv.Atoi(id)
	return fmt.Sprintf("%06d", 482915+7919*n)
}

func (b *switchboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, answer := r.URL.Query().Get("id"), "no"
	switch {
	case r.URL.Path == "/call":
		b.calls++
		answer = strconv.Itoa(b.calls)
	case b.code(id) == r.URL.Query().Get("code"):
		if answer = "yes"; b.used[id] {
			answer = "used"
		}
		b.used[id] = true
	}
	fmt.Fprintf(w, `{"answer":%q}`, answer)
}

// deskSuite plays a person who types what the last call said.
func deskSuite(t *testing.T, b bug) channeltest.Suite {
	board := &switchboard{used: map[string]bool{}}
	srv := httptest.NewServer(board)
	t.Cleanup(srv.Close)
	config := func(url string) string { return fmt.Sprintf(`{"url":%q}`, url) }
	return channeltest.Suite{
		Plugin: desk(b), Config: config(srv.URL), Address: "+441234567890", Provider: config, Reached: board.reached,
		Respond: func(testing.TB, channeltest.Scene) channel.Response {
			return channel.Response{Code: board.code(strconv.Itoa(board.reached()))}
		},
		Lie: func(testing.TB, channeltest.Scene) channel.Response { return channel.Response{Code: "000001"} },
	}
}
