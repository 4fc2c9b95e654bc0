package twilio_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// fake is Twilio as far as we know it.
type fake struct {
	*httptest.Server

	mu     sync.Mutex // guards what follows
	forms  []url.Values
	status int // of scripted answers; 0: its own
	body   string
}

func serve(t *testing.T) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// say gives every next request the same answer.
func (f *fake) say(status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status, f.body = status, body
}

func (f *fake) last() url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.forms[len(f.forms)-1]
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if f.status != 0 {
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, f.body)
		return
	}
	if err := r.ParseForm(); err != nil {
		fail(w, http.StatusBadRequest, 20001)
		return
	}
	user, password, _ := r.BasicAuth()
	switch known := user == account && password == token || user == key && password == "secret-secret"; {
	case !known:
		fail(w, http.StatusUnauthorized, 20003)
	case r.Method == http.MethodGet && r.URL.Path == "/2010-04-01/Accounts/"+account+".json":
		fmt.Fprintf(w, `{"sid":%q,"status":"active"}`, account)
	case r.Method != http.MethodPost || r.URL.Path != "/2010-04-01/Accounts/"+account+"/Messages.json":
		fail(w, http.StatusNotFound, 20404)
	default:
		f.send(w, r.PostForm)
	}
}

func (f *fake) send(w http.ResponseWriter, form url.Values) {
	switch {
	case !strings.HasPrefix(form.Get("To"), "+"):
		fail(w, http.StatusBadRequest, 21211)
	case form.Get("From") == "" && form.Get("MessagingServiceSid") == "":
		fail(w, http.StatusBadRequest, 21603)
	case form.Get("Body") == "":
		fail(w, http.StatusBadRequest, 21602)
	default:
		f.forms = append(f.forms, form)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"sid":"SM%032x","status":"queued","error_code":null,"error_message":null,"to":%q}`, len(f.forms), form.Get("To"))
	}
}

func fail(w http.ResponseWriter, status, code int) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"code":%d,"message":"No.","more_info":"https://www.twilio.com/docs/errors/%d","status":%d}`, code, code, status)
}
