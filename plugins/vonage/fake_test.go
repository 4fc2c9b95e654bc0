package vonage_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"sync"
	"testing"
)

// fake is Vonage's SMS API as far as we know it: it says everything with status 200.
type fake struct {
	*httptest.Server

	mu    sync.Mutex // guards what follows
	forms []url.Values
	body  string // of scripted answers; "": its own
}

func serve(t *testing.T) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// say gives every next request the same answer.
func (f *fake) say(body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.body = body
}

func (f *fake) last() url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.forms[len(f.forms)-1]
}

var number = regexp.MustCompile(`^[1-9][0-9]{6,14}$`)

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if err := r.ParseForm(); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	known := r.Form.Get("api_key") == account && r.Form.Get("api_secret") == secret
	switch {
	case f.body != "":
		_, _ = io.WriteString(w, f.body)
	case r.URL.Path == "/account/get-balance" && !known:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/account/get-balance":
		_, _ = io.WriteString(w, `{"value":3.14159,"autoReload":false}`)
	case r.URL.Path != "/sms/json" || r.Method != http.MethodPost:
		w.WriteHeader(http.StatusNotFound)
	case !known:
		fail(w, 4)
	case r.PostForm.Get("text") == "" || r.PostForm.Get("from") == "":
		fail(w, 2)
	case !number.MatchString(r.PostForm.Get("to")):
		fail(w, 3)
	default:
		f.forms = append(f.forms, r.PostForm)
		fmt.Fprintf(w, `{"message-count":"1","messages":[{"to":%q,"message-id":"0C%014X","status":"0","remaining-balance":"3.14","message-price":"0.03","network":"26201"}]}`,
			r.PostForm.Get("to"), len(f.forms))
	}
}

func fail(w io.Writer, status int) {
	fmt.Fprintf(w, `{"message-count":"1","messages":[{"status":"%d","error-text":"about 491701234567 and 482915"}]}`, status)
}
