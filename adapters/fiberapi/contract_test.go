package fiberapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

var update = flag.Bool("update", false, "rewrite testdata/openapi.json")

// contract checks traffic against the document.
type contract struct {
	t      *testing.T
	router routers.Router
}

func newContract(t *testing.T, document []byte) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		t.Fatalf("load the document: %v", err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("the document is not valid: %v", err)
	}
	return &contract{t, must(gorillamux.NewRouter(doc))(t)}
}

// check validates the answer, and the request too if it succeeded.
func (k *contract) check(req *http.Request, body string, a answer) {
	k.t.Helper()
	if req.Host != "login.example.com" || req.Method == http.MethodHead {
		return
	}
	route, params, err := k.router.FindRoute(req)
	if err != nil {
		if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
			k.t.Errorf("%s %s: %d from a route that is not in the document", req.Method, req.URL.Path, a.status)
		}
		return
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true}
	options.ExcludeResponseBody = strings.HasPrefix(a.header.Get("Content-Type"), "text/html")
	req.Body = io.NopCloser(strings.NewReader(body))
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	if a.status < 300 && body != "" {
		if err := openapi3filter.ValidateRequest(k.t.Context(), in); err != nil {
			k.t.Errorf("%s %s: the request is not as documented: %v", req.Method, req.URL.Path, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: a.status, Header: a.header, Options: options}
	if err := openapi3filter.ValidateResponse(k.t.Context(), out.SetBodyBytes(a.raw)); err != nil {
		k.t.Errorf("%s %s: the answer is not as documented: %v", req.Method, req.URL.Path, err)
	}
}

func TestTheDocumentIsTheReviewedOne(t *testing.T) {
	var got bytes.Buffer
	if err := json.Indent(&got, must(newRig(t).api.Document())(t), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	const file = "testdata/openapi.json"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the document has changed: review it, then run go test -update")
	}
}

func TestTrafficThatIsNotAsDocumentedIsNoticed(t *testing.T) {
	r := newRig(t)
	probe := &testing.T{}
	bad := &contract{probe, r.valid.router}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, publicURL+"/healthz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil && !probe.Failed() {
			t.Error("an answer without its required members passed")
		}
	}()
	bad.check(req, "", answer{status: 200, header: http.Header{"Content-Type": {"application/json"}}, raw: []byte(`{}`)})
}
