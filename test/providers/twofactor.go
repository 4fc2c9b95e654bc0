package providers

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// texted is what the fake keeps of one code.
type texted struct{ id, to, code string }

// TwoFactor is 2factor.in as far as we know it: everything is in the path, failures
// have status 400, an expired code is a success, and a right one may be right
// again. Start it. It is safe for concurrent use.
type TwoFactor struct {
	Key string // of the account

	Silence Silence // while it lasts, nothing is answered

	URL    string // where it is, since it was started
	server *httptest.Server

	mu      sync.Mutex // guards the rest
	all     []texted
	paths   []string
	expired bool
	balance string
	status  int // of scripted answers; 0: its own
	body    string
}

// Start begins to serve. Close it.
func (f *TwoFactor) Start() *TwoFactor {
	f.balance = "4711"
	f.server = httptest.NewServer(f.Silence.Keeps(f))
	f.URL = f.server.URL
	return f
}

// Close stops serving.
func (f *TwoFactor) Close() {
	f.Silence.Break()
	f.server.Close()
}

// Say gives every next request the same answer; status 0 its own again.
func (f *TwoFactor) Say(status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status, f.body = status, body
}

// Expire makes all codes too old.
func (f *TwoFactor) Expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expired = true
}

// Balance says how many messages are left.
func (f *TwoFactor) Balance(left string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.balance = left
}

// Reached is how many messages were sent.
func (f *TwoFactor) Reached() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// Read is the code in the newest message to an address.
func (f *TwoFactor) Read(to string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range slices.Backward(f.all) {
		if "+"+v.to == to {
			return v.code
		}
	}
	return ""
}

// Asked is how often it was asked, and the last path below the key.
func (f *TwoFactor) Asked() (int, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.paths) == 0 {
		return 0, ""
	}
	return len(f.paths), f.paths[len(f.paths)-1]
}

var plainNumber = regexp.MustCompile(`^[0-9]{10,15}$`)

// ServeHTTP answers one request.
func (f *TwoFactor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	rest, ours := strings.CutPrefix(r.URL.Path, "/API/V1/"+f.Key+"/")
	f.paths = append(f.paths, rest)
	part := strings.Split(rest, "/")
	switch {
	case f.status != 0:
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, f.body)
	case !ours || r.Method != http.MethodGet:
		failed(w, "Invalid API Key")
	case part[0] == "BAL" && len(part) == 2:
		fmt.Fprintf(w, `{"Status":"Success","Details":%q}`, f.balance)
	case (part[0] == "SMS" || part[0] == "VOICE") && len(part) == 4 && part[1] == "VERIFY":
		f.check(w, part[2], part[3])
	case (part[0] == "SMS" || part[0] == "VOICE") && (len(part) == 3 || len(part) == 4):
		f.send(w, part[1], part[2])
	default:
		failed(w, "Invalid Request")
	}
}

func (f *TwoFactor) send(w http.ResponseWriter, to, code string) {
	if !plainNumber.MatchString(to) {
		failed(w, "Invalid Phone Number - Length Mismatch(Expected >= 10)")
		return
	}
	n := len(f.all) + 1
	if code == "AUTOGEN" {
		code = fmt.Sprintf("%06d", (482915*n+7919)%1000000)
	}
	f.all = append(f.all, texted{id: fmt.Sprintf("5d6ebee6-ec04-4776-846d-%012x", n), to: to, code: code})
	fmt.Fprintf(w, `{"Status":"Success","Details":%q}`, f.all[n-1].id)
}

func (f *TwoFactor) check(w http.ResponseWriter, id, code string) {
	for _, s := range f.all {
		switch {
		case s.id != id:
		case f.expired:
			_, _ = io.WriteString(w, `{"Status":"Success","Details":"OTP Expired"}`)
			return
		case s.code == code:
			_, _ = io.WriteString(w, `{"Status":"Success","Details":"OTP Matched"}`)
			return
		default:
			failed(w, "OTP Mismatch")
			return
		}
	}
	failed(w, "Invalid API / SessionId Combination - No Entry Exists")
}

func failed(w http.ResponseWriter, details string) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"Status":"Error","Details":%q}`, details)
}
