package fiberkit_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/domain/fault"
)

func fasthttpAddr(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 1} }

type inner struct {
	Name string `json:"name"`
}

// free reads itself.
type free struct{ raw string }

func (f *free) UnmarshalJSON(b []byte) error { f.raw = string(b); return nil }

type into struct {
	To    string            `json:"to"`
	N     int               `json:"n,omitempty"`
	Inner *inner            `json:"inner,omitempty"`
	List  []inner           `json:"list,omitempty"`
	Map   map[string]string `json:"map,omitempty"`
	Free  free              `json:"free,omitzero"`
	Raw   json.RawMessage   `json:"raw,omitempty"`
	hides string            //nolint:unused // must not be reachable
}

func TestBodiesAreReadStrictly(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	for body, want := range map[string]string{
		`{"to":"x","n":1,"inner":{"name":"y"},"list":[{"name":"z"}],"map":{"any":"thing"},"free":{"a":1},"raw":[{"b":2}]}`: "",
		`{}`: "", ` {"to":"x"} `: "", `{"n":null}`: "",
		`{"to":"x","to":"y"}`:                 "malformed_request /to duplicate",
		`{"to":"x","t\u006f":"y"}`:            "malformed_request /to duplicate",
		`{"map":{"a":"1","a":"2"}}`:           "malformed_request /map/a duplicate",
		`{"free":{"a":1,"a":2}}`:              "malformed_request /free/a duplicate",
		`{"raw":[{"a":1,"a":2}]}`:             "malformed_request /raw/-/a duplicate",
		`{"To":"x"}`:                          "unknown_field /To unknown_field",
		`{"to":"x","TO":"y"}`:                 "unknown_field /TO unknown_field",
		`{"hides":"x"}`:                       "unknown_field /hides unknown_field",
		`{"inner":{"a/b~c":1}}`:               "unknown_field /inner/a~1b~0c unknown_field",
		`{"list":[{"name":"x"},{"nam":"y"}]}`: "unknown_field /list/-/nam unknown_field",
		`{"to":1}`:                            "malformed_request /to wrong_type",
		`{"inner":{"name":{}}}`:               "malformed_request /inner/name wrong_type",
		`{"n":1.5}`:                           "malformed_request /n wrong_type",
		`{"n":1e400}`:                         "malformed_request /n wrong_type",
		`{"to":"x"}{}`:                        "malformed_request",
		`{"to":"x"} x`:                        "malformed_request",
		`[]`:                                  "malformed_request",
		`null`:                                "malformed_request",
		`"x"`:                                 "malformed_request",
		`{"to":NaN}`:                          "malformed_request",
		`{"to":"x",}`:                         "malformed_request",
		`{"to":"x"`:                           "malformed_request",
		"\xef\xbb\xbf{}":                      "malformed_request",
		"{\"to\":\"\xff\"}":                   "malformed_request",
		`{"raw":` + deep(15) + `}`:            "",
		`{"raw":` + deep(17) + `}`:            "malformed_request",
		`{"raw":` + deep(10000) + `}`:         "malformed_request",
	} {
		var v into
		got := ""
		if err := fiberkit.Strict([]byte(body), &v); err != nil {
			f, ok := fault.Of(err)
			if !ok {
				t.Errorf("%.60s: %v is no fault", body, err)
				continue
			}
			got = f.Code
			for _, x := range f.Fields {
				got += " " + x.Pointer + " " + x.Code
			}
		}
		if got != want {
			t.Errorf("%.60s: %q, want %q", body, got, want)
		}
	}
}

func TestMediaTypesAreLookedAt(t *testing.T) {
	app, _ := kit()
	app.Post("/", func(c *fiber.Ctx) error {
		var v into
		return fiberkit.Decode(c, &v)
	})
	for _, c := range []struct {
		typ, encoding, body string
		want                int
	}{
		{"application/json", "", `{}`, 200}, {"Application/JSON; charset=utf-8", "", `{}`, 200}, {"application/json", "identity", `{}`, 200},
		{"", "", "", 200}, {"text/plain", "", "", 200}, // nothing to read
		{"", "", `{}`, 415}, {"text/plain", "", `{}`, 415}, {"application/x-www-form-urlencoded", "", `to=x`, 415},
		{"application/jsonp", "", `{}`, 415}, {"application/json", "gzip", `{}`, 415}, {"application/json", "br", "", 415},
	} {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
		req.Header.Set("Content-Type", c.typ)
		if c.encoding != "" {
			req.Header.Set("Content-Encoding", c.encoding)
		}
		resp, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != c.want {
			t.Errorf("%q %q %q: %d, want %d", c.typ, c.encoding, c.body, resp.StatusCode, c.want)
		}
	}
}

// FuzzStrict checks that whatever is accepted means one thing only: written
// again it is accepted again, and means the same.
func FuzzStrict(f *testing.F) {
	for _, seed := range []string{`{"to":"x"}`, `{"to":"x","to":"y"}`, `{"inner":{"name":"y"},"list":[{}],"map":{"a":"b"}}`, `[[[[`, `{"raw":{"a":[1,2,{"b":null}]}}`, "{\"to\":\"\\ud800\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var v, again struct {
			To    string            `json:"to"`
			N     int               `json:"n,omitempty"`
			Inner *inner            `json:"inner,omitempty"`
			Map   map[string]string `json:"map,omitempty"`
		}
		if err := fiberkit.Strict(body, &v); err != nil {
			if _, ok := fault.Of(err); !ok {
				t.Fatalf("%v is no fault", err)
			}
			return
		}
		written, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := fiberkit.Strict(written, &again); err != nil {
			t.Fatalf("%s became %s: %v", body, written, err)
		}
		if rewritten, err := json.Marshal(again); err != nil || string(rewritten) != string(written) {
			t.Fatalf("%s, then %s: %v", written, rewritten, err)
		}
	})
}

func TestAFieldThatPeopleDoNotSeeIsNoticed(t *testing.T) {
	for body, want := range map[string]string{
		`{"to":"x"}`:                          "empty",
		`{"to":"x","website":""}`:             "empty",
		`{"website":null}`:                    "empty",
		`{"website":"http://x"}`:              "filled",
		`{"website":0}`:                       "filled",
		`{"website":["x"]}`:                   "filled",
		`{"website":"","website":"x"}`:        "refused",
		`{"inner":{"website":""},"to":"x"}`:   "refused",
		`{"website":"","phone":"x","to":"x"}`: "refused",
	} {
		app := fiber.New()
		app.Post("/", func(c *fiber.Ctx) error {
			filled, err := fiberkit.DecodeBut(c, &into{}, "website")
			switch {
			case err != nil:
				return c.SendString("refused")
			case filled:
				return c.SendString("filled")
			}
			return c.SendString("empty")
		})
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		resp, err := app.Test(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != want {
			t.Errorf("%s is %s, want %s", body, got, want)
		}
		_ = resp.Body.Close()
	}
}
