package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
)

const hush = "482915"

func ask(t *testing.T, h http.HandlerFunc) (provider.Answer, error) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return provider.Ask(t.Context(), srv.Client(), provider.Question{
		Method: http.MethodPost, URL: srv.URL + "/send/" + hush, Form: url.Values{"code": {hush}}, User: "me", Password: "pass",
	})
}

func TestAQuestionArrivesWhole(t *testing.T) {
	a, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if err := r.ParseForm(); err != nil || user != "me" || password != "pass" || r.PostForm.Get("code") != hush || r.URL.Path != "/send/"+hush {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, `{"ok":true}`)
	})
	if err != nil || a.Status != http.StatusOK || string(a.Body) != `{"ok":true}` || a.Err != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestBodiesAreWrittenAsTheyAreMeant(t *testing.T) {
	var got, kind string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got, kind = string(raw), r.Header.Get("Content-Type")
	}))
	t.Cleanup(srv.Close)
	for want, q := range map[string]provider.Question{
		`application/json {"to":"1"}`:            {JSON: map[string]string{"to": "1"}},
		`application/json {"to":"2"}`:            {JSON: []byte(`{"to":"2"}`)},
		`application/json {"to":"3"}`:            {JSON: json.RawMessage(`{"to":"3"}`)},
		`application/x-www-form-urlencoded to=4`: {Form: url.Values{"to": {"4"}}, JSON: 5},
		` as it is`:                              {Body: []byte("as it is")},
		`text/xml <a/>`:                          {Body: []byte("<a/>"), Header: http.Header{"content-type": {"text/xml"}}},
	} {
		q.Method, q.URL = http.MethodPost, srv.URL
		if _, err := provider.Ask(t.Context(), srv.Client(), q); err != nil || kind+" "+got != want {
			t.Errorf("%q, %q, %v; want %q", kind, got, err, want)
		}
	}
	_, err := provider.Ask(t.Context(), srv.Client(), provider.Question{Method: http.MethodPost, URL: srv.URL, JSON: map[string]any{hush: func() {}}})
	if err == nil || strings.Contains(err.Error(), hush) {
		t.Errorf("what is no JSON led to: %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere = true }))
	t.Cleanup(other.Close)
	a, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	if err != nil || !errors.Is(a.Err, channel.ErrRefused) || elsewhere {
		t.Errorf("%v, %v, asked elsewhere %t", a.Err, err, elsewhere)
	}
}

func TestLongAnswersEnd(t *testing.T) {
	a, err := ask(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("a", 1<<20)) })
	if err != nil || len(a.Body) > 1<<17 {
		t.Errorf("%d bytes, %v", len(a.Body), err)
	}
}

func TestErrorsSayNothingOfTheQuestion(t *testing.T) {
	_, hungUp := ask(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, cut := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, hush)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-ctx.Done()
	_, late := provider.Ask(ctx, http.DefaultClient, provider.Question{Method: http.MethodGet, URL: "http://127.0.0.1:1/" + hush})
	for what, err := range map[string]error{"hung up": hungUp, "cut": cut, "late": late} {
		if !errors.Is(err, channel.ErrUnavailable) || strings.Contains(err.Error(), hush) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !errors.Is(late, context.DeadlineExceeded) {
		t.Errorf("late: %v", late)
	}
	_, err := provider.Ask(t.Context(), http.DefaultClient, provider.Question{Method: http.MethodGet, URL: "http://\x00" + hush})
	if err == nil || strings.Contains(err.Error(), hush) {
		t.Errorf("unreadable: %v", err)
	}
}

func TestAPIsAreReachedSafely(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://api.example.com": true, "https://api.example.com/v1": true, "http://127.0.0.1:8080": true, "http://localhost": true, "http://[::1]:80": true,
		"": false, "api.example.com": false, "http://api.example.com": false, "https://api.example.com/": false, "https://u:p@api.example.com": false,
		"https://api.example.com?x=1": false, "ftp://localhost": false, "https://": false, "https://a b": false,
	} {
		if err := provider.CheckURL(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestABodyAndHeadersArriveAsTheyAre(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != hush || r.Header.Get("Authorization") != "Bearer key" || r.Header.Get("Accept") != "text/plain" || r.Header.Get("Content-Type") != "" {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(srv.Close)
	a, err := provider.Ask(t.Context(), srv.Client(), provider.Question{
		Method: http.MethodPost, URL: srv.URL, Body: []byte(hush), Header: http.Header{"authorization": {"Bearer key"}, "Accept": {"text/plain"}},
	})
	if err != nil || a.Taken() != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestWhatWasNotTakenIsAnError(t *testing.T) {
	for status, want := range map[int]error{
		200: nil, 202: nil, 204: nil, 304: channel.ErrRefused, 400: channel.ErrRefused, 404: channel.ErrRefused, 422: channel.ErrRefused,
		401: channel.ErrRefused, 408: channel.ErrUnavailable, 503: channel.ErrUnavailable,
	} {
		a, err := ask(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if got := a.Taken(); err != nil || !errors.Is(got, want) || want == nil && got != nil {
			t.Errorf("%d: %v, %v, want %v", status, got, err, want)
		}
	}
	a, _ := ask(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	if _, ok := errors.AsType[*channel.ThrottledError](a.Taken()); !ok {
		t.Errorf("429: %v", a.Taken())
	}
}
