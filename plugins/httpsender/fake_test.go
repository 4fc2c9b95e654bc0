package httpsender

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// reply is what a fake provider answers.
type reply struct {
	Name    string            `yaml:"name"`
	Status  int               `yaml:"status"`
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	ID      string            `yaml:"id"`
	Is      string            `yaml:"is"`
	After   time.Duration     `yaml:"after"`
}

// told is a report that a fake provider sends.
type told struct {
	Name string            `yaml:"name"`
	Body string            `yaml:"body"`
	Form map[string]string `yaml:"form"`
	// Query is of a report that comes without a body.
	Query map[string]string `yaml:"query"`
	ID    string            `yaml:"id"`
	Is    string            `yaml:"is"`
}

// fake is a provider as its documentation describes it: what it insists on, and
// what it answers. Whatever it does not know it refuses.
type fake struct {
	Params  map[string]string `yaml:"params"`
	Secrets map[string]string `yaml:"secrets"`
	Request struct {
		Method  string            `yaml:"method"`
		Path    string            `yaml:"path"`
		Headers map[string]string `yaml:"headers"`
		Query   map[string]string `yaml:"query"`
		Fields  map[string]string `yaml:"fields"`
	} `yaml:"request"`
	Accepts reply   `yaml:"accepts"`
	Answers []reply `yaml:"answers"`
	Reports []told  `yaml:"reports"`

	name string

	mu       sync.Mutex // guards the rest
	next     *reply     // in place of what it would answer
	asked    int
	raw      []byte // the newest request's body
	uri      string
	header   http.Header
	problems []string
}

// theFake reads the fake of a recipe.
func theFake(t *testing.T, name string) *fake {
	t.Helper()
	content, err := os.ReadFile("recipes/" + name + "/fake.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{name: name}
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if f.Secrets["private_key"] != "" {
		f.Secrets["private_key"] = rsaPEM(t)
	}
	for key, secret := range reportSecrets(t)[name] {
		if strings.HasSuffix(key, "_user") || key == "topic" {
			f.set(&f.Params, key, secret)
		} else {
			f.set(&f.Secrets, key, secret)
		}
	}
	return f
}

func (*fake) set(m *map[string]string, key, value string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[key] = value
}

// config points a channel at a provider.
func (f *fake) config(t *testing.T, at string) string {
	t.Helper()
	secrets := map[string]any{}
	for name, s := range f.Secrets {
		secrets[name] = map[string]string{"value": s}
	}
	c := map[string]any{"recipe": f.name, "endpoint": at, "allow_private": true, "params": f.Params, "secrets": secrets}
	if f.Params == nil {
		delete(c, "params")
	}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// serve starts the provider.
func (f *fake) serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

// ServeHTTP checks a request and answers.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	f.raw, f.uri, f.header = raw, r.RequestURI, r.Header
	answer := f.Accepts
	if problems := f.check(r, raw); problems != nil {
		f.problems = append(f.problems, problems...)
		answer = reply{Status: http.StatusTeapot}
	}
	if f.next != nil {
		answer = *f.next
	}
	for name, v := range answer.Headers {
		w.Header().Set(name, v)
	}
	w.WriteHeader(answer.Status)
	_, _ = io.WriteString(w, answer.Body)
}

func (f *fake) check(r *http.Request, raw []byte) (problems []string) {
	bad := func(what, got string) { problems = append(problems, fmt.Sprintf("%s: %q", what, got)) }
	if r.Method != f.Request.Method {
		bad("method", r.Method)
	}
	if !regexp.MustCompile(f.Request.Path).MatchString(r.URL.EscapedPath()) {
		bad("path", r.URL.EscapedPath())
	}
	for name, want := range f.Request.Headers {
		if got := r.Header.Values(name); len(got) != 1 || !regexp.MustCompile(want).MatchString(got[0]) {
			bad(name, fmt.Sprint(got))
		}
	}
	for _, pair := range []struct {
		got  map[string]string
		want map[string]string
	}{{flat(nil, "", r.URL.Query()), f.Request.Query}, {f.fields(r, raw), f.Request.Fields}} {
		for key, got := range pair.got {
			want, ok := pair.want[key]
			if !ok {
				want, ok = pair.want[key+"?"]
			}
			if !ok || !regexp.MustCompile(want).MatchString(got) {
				bad(key, got)
			}
		}
		for key := range pair.want {
			if _, ok := pair.got[key]; !ok && !strings.HasSuffix(key, "?") {
				bad(key, "nothing")
			}
		}
	}
	return problems
}

func (f *fake) fields(r *http.Request, raw []byte) map[string]string {
	if r.Header.Get("Content-Type") == "application/json" {
		return flat(nil, "", decodeJSON(raw))
	}
	form, _ := url.ParseQuery(string(raw))
	return flat(nil, "", form)
}

// flat lists the leaves of a value by path.
func flat(into map[string]string, at string, v any) map[string]string {
	if into == nil {
		into = map[string]string{}
	}
	deeper := func(key string) string { return strings.TrimPrefix(at+"."+key, ".") }
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			flat(into, deeper(key), item)
		}
	case []any:
		for i, item := range v {
			flat(into, deeper(strconv.Itoa(i)), item)
		}
	case url.Values:
		for key, list := range v {
			into[key] = strings.Join(list, " AND ")
		}
	default:
		into[at] = fmt.Sprint(v)
	}
	return into
}

// say makes the provider answer r until it is told nil.
func (f *fake) say(r *reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = r
}

// complaints are what the provider did not like so far.
func (f *fake) complaints() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.problems)
}

// newest is what was asked last.
func (f *fake) newest() (uri string, header http.Header, raw []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.uri, maps.Clone(f.header), slices.Clone(f.raw)
}

// now is the fakes' time, that of the conformance kit.
var now = time.Date(2026, time.March, 14, 15, 9, 40, 0, time.UTC)

// reportURL is where reports go.
const reportURL = "https://login.example.com/receipts/gateway"

// opened opens a channel, as the host would.
func opened(t *testing.T, config string) channel.Channel {
	t.Helper()
	return openedAt(t, config, reportURL)
}

func openedAt(t *testing.T, config, receipts string) channel.Channel {
	t.Helper()
	ch, err := Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{
		Instance: "gateway", Brand: "Example", Receipts: receipts, Now: func() time.Time { return now }, Random: rand.Reader,
		Codes: channeltest.Codes{Form: channel.Shape{Length: 6, Alphabet: channel.Digits}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c, ok := channel.As[channel.Closer](ch); ok {
			_ = c.Close(context.Background())
		}
	})
	return ch
}

// send hands a message to a channel.
func send(t *testing.T, ch channel.Channel, m channel.Message) (channel.Receipt, error) {
	t.Helper()
	s, ok := channel.As[channel.Sender](ch)
	if !ok {
		t.Fatal("the channel sends nothing")
	}
	return s.Send(t.Context(), m)
}

// message is what the kit would send.
func message(to string) channel.Message {
	return channel.Message{
		Key: "kit-1-1", To: to, Locale: "en", Subject: "Your Example code", Text: "Your code is 482915.",
		HTML: "<p>Your code is <b>482915</b>.</p>", Code: "482915", Link: "https://login.example.com/l/x",
	}
}

// address is somebody whom the recipe can reach.
func (f *fake) address(t *testing.T) string {
	t.Helper()
	r, err := builtIn(f.name)
	if err != nil {
		t.Fatal(err)
	}
	if r.Address == "email" {
		return "ann@example.com"
	}
	return "+447700900123"
}
