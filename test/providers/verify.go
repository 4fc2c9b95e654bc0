package providers

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// verification is what the fake keeps of one.
type verification struct {
	sid, to, code, status string
	sends, checks         int
}

// Verify is Twilio Verify for one service: one pending verification for an address,
// five messages and five wrong codes for each, and none of it remembered once it
// is over. Start it. It is safe for concurrent use.
type Verify struct {
	Account, Token, Service string

	Digits int // of a code; 6 if 0

	Silence Silence // while it lasts, nothing is answered

	URL    string // where it is, since it was started
	server *httptest.Server

	mu     sync.Mutex // guards the rest
	all    []*verification
	sent   int
	asked  int
	form   url.Values // of the last message
	status int        // of scripted answers to everything but cancelling; 0: its own
	body   string
}

// Start begins to serve. Close it.
func (f *Verify) Start() *Verify {
	f.server = httptest.NewServer(f.Silence.Keeps(f))
	f.URL = f.server.URL
	return f
}

// Close stops serving.
func (f *Verify) Close() {
	f.Silence.Break()
	f.server.Close()
}

// Say gives every next request the same answer; status 0 its own again.
func (f *Verify) Say(status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status, f.body = status, body
}

// Expire lets ten minutes pass.
func (f *Verify) Expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range f.all {
		v.status = "expired"
	}
}

// Reached is how many messages were sent.
func (f *Verify) Reached() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

// Asked is how many requests were made.
func (f *Verify) Asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// Read is the code in the newest message to an address.
func (f *Verify) Read(to string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range slices.Backward(f.all) {
		if v.to == to {
			return v.code
		}
	}
	return ""
}

// Last is the form that asked for the newest message.
func (f *Verify) Last() url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.form
}

// pending finds what is under way, by address or SID.
func (f *Verify) pending(name string) *verification {
	for _, v := range f.all {
		if v.status == "pending" && (v.to == name || v.sid == name) {
			return v
		}
	}
	return nil
}

// ServeHTTP answers one request.
func (f *Verify) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	w.Header().Set("Content-Type", "application/json")
	path, ours := strings.CutPrefix(r.URL.Path, "/v2/Services/"+f.Service)
	user, password, _ := r.BasicAuth()
	err := r.ParseForm()
	name, cancels := strings.CutPrefix(path, "/Verifications/")
	switch {
	case f.status != 0 && !cancels:
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, f.body)
	case err != nil:
		refuse(w, http.StatusBadRequest, 20001)
	case user != f.Account || password != f.Token:
		refuse(w, http.StatusUnauthorized, 20003)
	case !ours:
		refuse(w, http.StatusNotFound, 20404)
	case r.Method == http.MethodGet && path == "":
		fmt.Fprintf(w, `{"sid":%q,"code_length":6}`, f.Service)
	case path == "/Verifications":
		f.create(w, r.PostForm)
	case path == "/VerificationCheck":
		f.check(w, r.PostForm)
	case cancels && r.PostForm.Get("Status") == "canceled":
		f.cancel(w, name)
	default:
		refuse(w, http.StatusNotFound, 20404)
	}
}

func (f *Verify) create(w http.ResponseWriter, form url.Values) {
	to := form.Get("To")
	if !strings.HasPrefix(to, "+") && !strings.Contains(to, "@") {
		refuse(w, http.StatusBadRequest, 60200)
		return
	}
	if form.Get("Locale") == "tl" { // stands for a language that it does not speak
		refuse(w, http.StatusNotFound, 20404)
		return
	}
	v := f.pending(to)
	if v == nil {
		n := len(f.all) + 1
		v = &verification{sid: fmt.Sprintf("VE%032x", n), to: to, code: f.code(n), status: "pending"}
		f.all = append(f.all, v)
	}
	if v.sends >= 5 {
		refuse(w, http.StatusTooManyRequests, 60203)
		return
	}
	v.sends++
	f.sent++
	f.form = form
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"sid":%q,"service_sid":%q,"to":%q,"channel":%q,"status":"pending","valid":false}`, v.sid, f.Service, to, form.Get("Channel"))
}

// code is the n-th verification's.
func (f *Verify) code(n int) string {
	digits := f.Digits
	if digits == 0 {
		digits = 6
	}
	text := fmt.Sprintf("%012d", (7907928482915*n+7919)%1_000_000_000_000)
	return text[len(text)-digits:]
}

func (f *Verify) check(w http.ResponseWriter, form url.Values) {
	v := f.pending(form.Get("VerificationSid"))
	switch {
	case v == nil:
		refuse(w, http.StatusNotFound, 20404)
		return
	case v.checks >= 5:
		refuse(w, http.StatusTooManyRequests, 60202)
		return
	case form.Get("Code") == v.code:
		v.status = "approved"
	default:
		v.checks++
	}
	fmt.Fprintf(w, `{"sid":%q,"to":%q,"status":%q,"valid":%t}`, v.sid, v.to, v.status, v.status == "approved")
}

func (f *Verify) cancel(w http.ResponseWriter, name string) {
	v := f.pending(name)
	if v == nil {
		refuse(w, http.StatusNotFound, 20404)
		return
	}
	v.status = "canceled"
	fmt.Fprintf(w, `{"sid":%q,"status":"canceled","valid":false}`, v.sid)
}

// refuse is an error as Twilio writes it.
func refuse(w http.ResponseWriter, status, code int) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"code":%d,"message":"about +491701234567","more_info":"https://www.twilio.com/docs/errors/%d","status":%d}`, code, code, status)
}
