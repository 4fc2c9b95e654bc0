package twilioverify_test

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

// verification is what the fake keeps of one.
type verification struct {
	sid, to, code, status string
	sends, checks         int
}

// fake is Twilio Verify as far as we know it: one pending verification for an
// address, five messages and five wrong codes for each, and none of it remembered
// once it is over.
type fake struct {
	*httptest.Server

	mu     sync.Mutex // guards what follows
	all    []*verification
	sent   int
	asked  int
	form   url.Values // of the last message
	status int        // of scripted answers to everything but cancelling; 0: its own
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

// expire lets ten minutes pass.
func (f *fake) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range f.all {
		v.status = "expired"
	}
}

func (f *fake) reached() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

func (f *fake) questions() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// read is the code in the newest message to an address.
func (f *fake) read(to string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.all) - 1; i >= 0; i-- {
		if f.all[i].to == to {
			return f.all[i].code
		}
	}
	return ""
}

func (f *fake) last() url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.form
}

// pending finds what is under way, by address or SID.
func (f *fake) pending(name string) *verification {
	for _, v := range f.all {
		if v.status == "pending" && (v.to == name || v.sid == name) {
			return v
		}
	}
	return nil
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	w.Header().Set("Content-Type", "application/json")
	path, ours := strings.CutPrefix(r.URL.Path, "/v2/Services/"+service)
	user, password, _ := r.BasicAuth()
	err := r.ParseForm()
	name, cancels := strings.CutPrefix(path, "/Verifications/")
	switch {
	case f.status != 0 && !cancels:
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, f.body)
	case err != nil:
		fail(w, http.StatusBadRequest, 20001)
	case user != account || password != token:
		fail(w, http.StatusUnauthorized, 20003)
	case !ours:
		fail(w, http.StatusNotFound, 20404)
	case r.Method == http.MethodGet && path == "":
		fmt.Fprintf(w, `{"sid":%q,"code_length":6}`, service)
	case path == "/Verifications":
		f.create(w, r.PostForm)
	case path == "/VerificationCheck":
		f.check(w, r.PostForm)
	case cancels && r.PostForm.Get("Status") == "canceled":
		f.cancel(w, name)
	default:
		fail(w, http.StatusNotFound, 20404)
	}
}

func (f *fake) create(w http.ResponseWriter, form url.Values) {
	to := form.Get("To")
	if !strings.HasPrefix(to, "+") && !strings.Contains(to, "@") {
		fail(w, http.StatusBadRequest, 60200)
		return
	}
	if form.Get("Locale") == "tl" { // stands for a language that it does not speak
		fail(w, http.StatusNotFound, 20404)
		return
	}
	v := f.pending(to)
	if v == nil {
		n := len(f.all) + 1
		v = &verification{sid: fmt.Sprintf("VE%032x", n), to: to, code: fmt.Sprintf("%06d", (482915*n+7919)%1000000), status: "pending"}
		f.all = append(f.all, v)
	}
	if v.sends >= 5 {
		fail(w, http.StatusTooManyRequests, 60203)
		return
	}
	v.sends++
	f.sent++
	f.form = form
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"sid":%q,"service_sid":%q,"to":%q,"channel":%q,"status":"pending","valid":false}`, v.sid, service, to, form.Get("Channel"))
}

func (f *fake) check(w http.ResponseWriter, form url.Values) {
	v := f.pending(form.Get("VerificationSid"))
	switch {
	case v == nil:
		fail(w, http.StatusNotFound, 20404)
		return
	case v.checks >= 5:
		fail(w, http.StatusTooManyRequests, 60202)
		return
	case form.Get("Code") == v.code:
		v.status = "approved"
	default:
		v.checks++
	}
	fmt.Fprintf(w, `{"sid":%q,"to":%q,"status":%q,"valid":%t}`, v.sid, v.to, v.status, v.status == "approved")
}

func (f *fake) cancel(w http.ResponseWriter, name string) {
	v := f.pending(name)
	if v == nil {
		fail(w, http.StatusNotFound, 20404)
		return
	}
	v.status = "canceled"
	fmt.Fprintf(w, `{"sid":%q,"status":"canceled","valid":false}`, v.sid)
}

func fail(w http.ResponseWriter, status, code int) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"code":%d,"message":"about +491701234567","more_info":"https://www.twilio.com/docs/errors/%d","status":%d}`, code, code, status)
}
