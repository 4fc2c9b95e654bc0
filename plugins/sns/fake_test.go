package sns_test

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

// fake is SNS as far as we know it: the query protocol of AWS. It does not check
// signatures, but who signs.
type fake struct {
	*httptest.Server

	mu     sync.Mutex // guards what follows
	forms  []url.Values
	count  int // of requests
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

func (f *fake) asked() []url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.forms
}

func (f *fake) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	w.Header().Set("Content-Type", "text/xml")
	if f.status != 0 {
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, f.body)
		return
	}
	err := r.ParseForm()
	scope := "AWS4-HMAC-SHA256 Credential=" + keyID + "/"
	switch signed := r.Header.Get("Authorization"); {
	case err != nil:
		fail(w, http.StatusBadRequest, "MalformedQueryString")
	case !strings.HasPrefix(signed, scope) || !strings.Contains(signed, "/eu-central-1/sns/aws4_request"):
		fail(w, http.StatusForbidden, "InvalidClientTokenId")
	case r.PostForm.Get("Action") == "GetSMSAttributes":
		_, _ = io.WriteString(w, `<GetSMSAttributesResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><GetSMSAttributesResult><attributes/></GetSMSAttributesResult></GetSMSAttributesResponse>`)
	case r.PostForm.Get("Action") != "Publish":
		fail(w, http.StatusBadRequest, "InvalidAction")
	case !strings.HasPrefix(r.PostForm.Get("PhoneNumber"), "+"):
		fail(w, http.StatusBadRequest, "InvalidParameter")
	default:
		f.forms = append(f.forms, r.PostForm)
		fmt.Fprintf(w, `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>567910cd-659e-55d4-8ccb-%012x</MessageId></PublishResult><ResponseMetadata><RequestId>f187a3c1</RequestId></ResponseMetadata></PublishResponse>`, len(f.forms))
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, failure(code))
}

func failure(code string) string {
	return fmt.Sprintf(`<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>%s</Code><Message>about +491701234567 and 482915</Message></Error><RequestId>9dd01905</RequestId></ErrorResponse>`, code)
}
