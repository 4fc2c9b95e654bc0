package twofactor_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// session is what the fake keeps of one code.
type session struct{ id, to, code string }

// fake is 2factor.in as far as we know it: everything is in the path, failures
// have status 400, an expired code is a success, and a right one may be right again.
type fake struct {
	*httptest.Server

	mu      sync.Mutex // guards what follows
	all     []session
	paths   []string
	expired bool
	balance string
	status  int // of scripted answers; 0: its own
	body    string
}

func serve(t *testing.T) *fake {
	t.Helper()
	f := &fake{balance: "4711"}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// script changes the fake.
func (f *fake) script(change func(f *fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fake) reached() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// read is the code in the newest message to an address.
func (f *fake) read(to string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.all) - 1; i >= 0; i-- {
		if "+"+f.all[i].to == to {
			return f.all[i].code
		}
	}
	return ""
}

// asked is how often it was asked, and the last path.
func (f *fake) asked() (int, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.paths) == 0 {
		return 0, ""
	}
	return len(f.paths), f.paths[len(f.paths)-1]
}

var number = regexp.MustCompile(`^[0-9]{10,15}$`)

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	rest, ours := strings.CutPrefix(r.URL.Path, "/API/V1/"+key+"/")
	f.paths = append(f.paths, rest)
	part := strings.Split(rest, "/")
	switch {
	case f.status != 0:
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, f.body)
	case !ours || r.Method != http.MethodGet:
		fail(w, "Invalid API Key")
	case part[0] == "BAL" && len(part) == 2:
		fmt.Fprintf(w, `{"Status":"Success","Details":%q}`, f.balance)
	case (part[0] == "SMS" || part[0] == "VOICE") && len(part) == 4 && part[1] == "VERIFY":
		f.check(w, part[2], part[3])
	case (part[0] == "SMS" || part[0] == "VOICE") && (len(part) == 3 || len(part) == 4):
		f.send(w, part[1], part[2])
	default:
		fail(w, "Invalid Request")
	}
}

func (f *fake) send(w http.ResponseWriter, to, code string) {
	if !number.MatchString(to) {
		fail(w, "Invalid Phone Number - Length Mismatch(Expected >= 10)")
		return
	}
	n := len(f.all) + 1
	if code == "AUTOGEN" {
		code = fmt.Sprintf("%06d", (482915*n+7919)%1000000)
	}
	f.all = append(f.all, session{id: fmt.Sprintf("5d6ebee6-ec04-4776-846d-%012x", n), to: to, code: code})
	fmt.Fprintf(w, `{"Status":"Success","Details":%q}`, f.all[n-1].id)
}

func (f *fake) check(w http.ResponseWriter, id, code string) {
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
			fail(w, "OTP Mismatch")
			return
		}
	}
	fail(w, "Invalid API / SessionId Combination - No Entry Exists")
}

func fail(w http.ResponseWriter, details string) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"Status":"Error","Details":%q}`, details)
}
