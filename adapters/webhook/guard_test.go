package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/adapters/webhook"
)

func TestPrivateAddressesAreRefusedWhenConnecting(t *testing.T) {
	var hits atomic.Int32
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer s.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), ":")
	for _, host := range []string{"localhost", "LOCALHOST", "2130706433", "0x7f.1", "017700000001", "127.1"} {
		e := endpoint(t, func(o *webhook.Options) { o.URL, o.AllowPrivate = "https://"+host+":"+port+"/hooks", false })
		err := e.Hear(t.Context(), fact)
		if err == nil || hits.Load() != 0 {
			t.Fatalf("%s was connected to: %v", host, err)
		}
		if strings.EqualFold(host, "localhost") && !strings.Contains(err.Error(), "private addresses are refused") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestURLsAreChecked(t *testing.T) {
	for url, want := range map[string][2]string{ // with public addresses only, and with all
		"https://example.com/hooks":       {"", ""},
		"HTTPS://example.com:8443/h?a=b":  {"", ""},
		"http://example.com/hooks":        {"not https", ""},
		"https://127.0.0.1/":              {"private", ""},
		"https://[::1]:1/":                {"private", ""},
		"https://[::ffff:10.0.0.1]/":      {"private", ""},
		"https://169.254.169.254/latest":  {"private", ""},
		"https://u:secret@example.com/":   {"password", "password"},
		"https://example.com/#secret":     {"fragment", "fragment"},
		"ftp://example.com/":              {"no", "not a web address"},
		"file:///etc/passwd":              {"not a web address", "not a web address"},
		"gopher://example.com":            {"not a web address", "not a web address"},
		"https:example.com":               {"not a web address", "not a web address"},
		"https://:443/":                   {"not a web address", "not a web address"},
		"https://example.com/\r\nX: y":    {"not a web address", "not a web address"},
		"//example.com/":                  {"not a web address", "not a web address"},
		"":                                {"not a web address", "not a web address"},
		"https://example.com:notaport/":   {"not a web address", "not a web address"},
		"https://example.com/%zz":         {"not a web address", "not a web address"},
		"javascript:alert(1)//secret.com": {"not a web address", "not a web address"},
	} {
		for i, private := range []bool{false, true} {
			err := webhook.CheckURL(url, private)
			switch {
			case want[i] == "" && err != nil, want[i] != "" && err == nil:
				t.Errorf("%q, private %v: %v", url, private, err)
			case err != nil && (!strings.Contains(err.Error(), want[i]) || strings.Contains(err.Error(), "secret@")):
				t.Errorf("%q, private %v: %v", url, private, err)
			}
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	f.Add("https://example.com/hooks")
	f.Add("https://[::ffff:127.0.0.1]/")
	f.Fuzz(func(t *testing.T, text string) {
		if webhook.CheckURL(text, false) == nil && webhook.CheckURL(text, true) != nil {
			t.Errorf("%q is refused only when more is allowed", text)
		}
		webhook.DefaultName(text)
	})
}
