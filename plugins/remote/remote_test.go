package remote_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp"
	libhotp "github.com/pquerna/otp/hotp"

	"github.com/countersign/countersign/plugins/hotp"
	"github.com/countersign/countersign/plugins/recovery"
	"github.com/countersign/countersign/plugins/remote"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/ports/signature"
)

const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

func config(url string) string {
	return fmt.Sprintf(`{"url":%q,"secret":%q,"title":"Elsewhere","max_aal":2}`, url, secret)
}

// elsewhere runs a channel behind a handler, and says where. Its clock is that of
// whoever asks: the kit's runs through hours.
func elsewhere(tb testing.TB, ch channel.Channel) string {
	tb.Helper()
	var at atomic.Int64
	h, err := remote.Handler(ch, channel.NewSecret(secret), func() time.Time { return time.Unix(at.Load(), 0) })
	if err != nil {
		tb.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.Header.Get(signature.Timestamp), 10, 64)
		at.Store(n)
		h.ServeHTTP(w, r)
	}))
	tb.Cleanup(srv.Close)
	return srv.URL
}

func open(tb testing.TB, p channel.Plugin, config string) channel.Channel {
	tb.Helper()
	ch, err := p.Open(tb.Context(), channeltest.Decoder(config), channel.Env{
		Brand: "Example", Random: rand.Reader, Now: time.Now, HTTP: http.DefaultClient, Log: slog.Default(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return ch
}

// fob scans what it is shown, and counts on with every press.
type fob struct {
	mu     sync.Mutex // guards the rest
	secret string
	next   uint64
}

func (f *fob) respond(tb testing.TB, s channeltest.Scene) channel.Response {
	tb.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(s.Prompt.Show) > 0 {
		key, err := otp.NewKeyFromURL(s.Prompt.Show[0])
		if err != nil {
			tb.Fatal(err)
		}
		f.secret, f.next = key.Secret(), 0
	}
	code, err := libhotp.GenerateCode(f.secret, f.next)
	if err != nil {
		tb.Fatal(err)
	}
	f.next++
	return channel.Response{Code: code}
}

func counting(url string) channeltest.Suite {
	return channeltest.Suite{
		Plugin: remote.Plugin(), Config: config(url), Provider: config, Respond: new(fob).respond,
		Broken: map[string]string{
			"nothing": `{}`, "no secret": `{"url":"https://x.example.com"}`, "plain HTTP": config("http://x.example.com"), "a slash": config(url + "/"),
			"a short secret":  fmt.Sprintf(`{"url":%q,"secret":"whsec_aGVsbG8="}`, url),
			"too much trust":  fmt.Sprintf(`{"url":%q,"secret":%q,"max_aal":3}`, url, secret),
			"trust in e-mail": fmt.Sprintf(`{"url":%q,"secret":%q,"max_aal":2,"address":"email"}`, url, secret),
			"a strange value": fmt.Sprintf(`{"url":%q,"secret":%q,"amr":["magic"]}`, url, secret),
			"no way to send":  fmt.Sprintf(`{"url":%q,"secret":%q,"sends":true}`, url, secret),
			"a blank title":   fmt.Sprintf(`{"url":%q,"secret":%q,"title":"  "}`, url, secret),
		},
		Lie: func(testing.TB, channeltest.Scene) channel.Response { return channel.Response{Code: "12345a"} },
	}
}

func TestConformanceOfWhatCounts(t *testing.T) {
	channeltest.Run(t, counting(elsewhere(t, open(t, hotp.Plugin(), ""))))
}

func TestConformanceOfSheets(t *testing.T) {
	var mu sync.Mutex // guards left
	var left []string
	channeltest.Run(t, channeltest.Suite{
		Plugin: remote.Plugin(), Config: config(elsewhere(t, open(t, recovery.Plugin(), ""))), Provider: config,
		Respond: func(_ testing.TB, s channeltest.Scene) channel.Response {
			mu.Lock()
			defer mu.Unlock()
			if len(s.Prompt.Show) > 0 {
				left = s.Prompt.Show
			}
			code := left[0]
			left = left[1:]
			return channel.Response{Code: code}
		},
	})
}

func FuzzVerify(f *testing.F) {
	channeltest.FuzzVerify(f, counting(elsewhere(f, open(f, hotp.Plugin(), ""))))
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, remote.Plugin()) }

// pager is a channel that only delivers.
type pager struct {
	channel.Channel

	err error
	got chan channel.Message
}

func (p pager) Send(_ context.Context, m channel.Message) (channel.Receipt, error) {
	if p.got != nil {
		p.got <- m
	}
	return channel.Receipt{ID: "r1"}, p.err
}

func sending(url string) string {
	return fmt.Sprintf(`{"url":%q,"secret":%q,"sends":true,"address":"phone","amr":["sms"],"max_aal":2}`, url, secret)
}

func TestConformanceOfWhatSends(t *testing.T) {
	channeltest.Run(t, channeltest.Suite{
		Plugin: remote.Plugin(), Config: sending(elsewhere(t, pager{})), Provider: sending, Address: "+441234567890", Respond: channeltest.TypeLastCode,
	})
}

func TestMessagesAndErrorsArriveAsTheyAre(t *testing.T) {
	want := channel.Message{Key: "k", To: "+441234567890", Locale: "de", Subject: "s", Text: "t", HTML: "<p>", Code: "482915", Link: "https://x"}
	for _, said := range []error{nil, channel.ErrUnavailable, channel.ErrUndeliverable, channel.ErrRefused, &channel.ThrottledError{After: 7 * time.Second}} {
		p := pager{err: said, got: make(chan channel.Message, 1)}
		ch := open(t, remote.Plugin(), sending(elsewhere(t, p)))
		s, ok := channel.As[channel.Sender](ch)
		if !ok {
			t.Fatal("it sends nothing")
		}
		r, err := s.Send(t.Context(), want)
		if got := <-p.got; got != want {
			t.Errorf("%#v arrived", got)
		}
		busy, throttled := errors.AsType[*channel.ThrottledError](err)
		switch {
		case said == nil && (err != nil || r.ID != "r1"):
			t.Errorf("%+v, %v", r, err)
		case throttled && busy.After == 7*time.Second:
		case said != nil && !errors.Is(err, said):
			t.Errorf("%v became %v", said, err)
		}
	}
}

// claiming says more of itself than it may.
type claiming struct{ channel.Verdict }

func (c claiming) Begin(context.Context, channel.Challenge) (channel.Opening, error) {
	return channel.Opening{Prompt: channel.Wait()}, nil
}

func (c claiming) Verify(context.Context, channel.Challenge, channel.State, channel.Response) (channel.Verdict, error) {
	return c.Verdict, nil
}

func TestNothingSaidElsewhereMakesItMore(t *testing.T) {
	who := &channel.Identity{Issuer: "x", Email: "ann@example.com", EmailVerified: true, Authoritative: true}
	loud := channel.Verdict{Outcome: channel.Verified, AMR: []string{"hwk", "mfa"}, Identity: who, Ref: "7", Credential: []byte("c")}
	url := elsewhere(t, claiming{loud})
	for identify, want := range map[bool]*channel.Identity{true: who, false: nil} {
		ch := open(t, remote.Plugin(), fmt.Sprintf(`{"url":%q,"secret":%q,"identify":%t}`, url, secret, identify))
		v, err := ch.Verify(t.Context(), channel.Challenge{}, nil, channel.Response{Code: "1"})
		if err != nil || v.AMR != nil || (v.Identity == nil) != (want == nil) || v.Ref != "7" || string(v.Credential) != "c" {
			t.Errorf("identify %t: %+v, %v", identify, v, err)
		}
		d, _ := channel.As[channel.Describer](ch)
		if got := d.Describe(); got.MaxAAL != 1 || got.Identify != identify || got.Phishing || got.Backup {
			t.Errorf("identify %t: %+v", identify, got)
		}
	}
	for _, v := range []channel.Verdict{
		{Outcome: channel.Rejected, Reason: "because", Ref: "7", Identity: who, Credential: []byte("c")},
		{Outcome: channel.Pending, Ref: "7", Identity: who, Credential: []byte("c")},
	} {
		got, err := open(t, remote.Plugin(), config(elsewhere(t, claiming{v}))).Verify(t.Context(), channel.Challenge{}, nil, channel.Response{})
		if err != nil || got.Outcome != v.Outcome || got.Ref != "" || got.Identity != nil || got.Credential != nil || got.Reason == "because" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	for _, v := range []channel.Verdict{{}, {Outcome: "great"}} {
		if got, err := open(t, remote.Plugin(), config(elsewhere(t, claiming{v}))).Verify(t.Context(), channel.Challenge{}, nil, channel.Response{}); err == nil {
			t.Errorf("%+v", got)
		}
	}
}

func TestAnswersAreSignedAndAnswerWhatWasAsked(t *testing.T) {
	keys, err := signature.ParseKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	others, err := signature.ParseKeys("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"outcome":"verified"}`)
	for name, row := range map[string]struct {
		keys    []signature.Key
		off     time.Duration
		id      string
		version string
		body    string
		ok      bool
	}{
		"as it should be": {keys: keys, version: "1", ok: true}, "a minute late": {keys: keys, version: "1", off: -time.Minute, ok: true},
		"signed by another": {keys: others, version: "1"}, "to another question": {keys: keys, id: "msg_1", version: "1"},
		"from long ago": {keys: keys, version: "1", off: -301 * time.Second}, "of another version": {keys: keys, version: "2"},
		"of no version": {keys: keys}, "changed": {keys: keys, version: "1", body: `{"outcome":"verified" }`},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			id := r.Header.Get(signature.ID)
			if row.id != "" {
				id = row.id
			}
			maps.Copy(w.Header(), signature.Sign(row.keys, id, body, time.Now().Add(row.off)))
			w.Header().Set(remote.Header, row.version)
			if row.body == "" {
				row.body = string(body)
			}
			_, _ = io.WriteString(w, row.body)
		}))
		v, err := open(t, remote.Plugin(), config(srv.URL)).Verify(t.Context(), channel.Challenge{}, nil, channel.Response{Code: "1"})
		srv.Close()
		if (err == nil) != row.ok || (v.Outcome == channel.Verified) != row.ok || err != nil && !errors.Is(err, channel.ErrRefused) {
			t.Errorf("an answer %s: %s, %v", name, v.Outcome, err)
		}
	}
}
