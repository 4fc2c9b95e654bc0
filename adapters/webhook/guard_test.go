package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/adapters/webhook"
)

func TestWhatIsNotPublicIsRefused(t *testing.T) {
	for _, a := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fe80::1", "fe80::1%eth0",
		"2600::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1",
		"100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "4000::1",
	} {
		if webhook.Public(netip.MustParseAddr(a)) {
			t.Errorf("%s passes for public", a)
		}
	}
	for _, a := range []string{
		"1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "100.63.0.1", "192.0.1.1", "223.255.255.255",
		"::ffff:8.8.8.8", "2600::1", "2606:4700:4700::1111", "2a00:1450:4001::1",
	} {
		if !webhook.Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is refused", a)
		}
	}
}

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
