package dial_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel/dial"
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
		if dial.Public(netip.MustParseAddr(a)) {
			t.Errorf("%s passes for public", a)
		}
	}
	for _, a := range []string{
		"1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "100.63.0.1", "192.0.1.1", "223.255.255.255",
		"::ffff:8.8.8.8", "2600::1", "2606:4700:4700::1111", "2a00:1450:4001::1",
	} {
		if !dial.Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is refused", a)
		}
	}
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, error) {
	t.Helper()
	t.Cleanup(c.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(r)
	if err == nil {
		_ = answer.Body.Close()
	}
	return answer, err
}

func TestPrivateAddressesAreForThoseWhoAllowThem(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("https://example.com/", http.StatusFound))
	t.Cleanup(s.Close)
	for _, host := range []string{"127.0.0.1", "localhost", "2130706433", "127.1", "[::ffff:127.0.0.1]"} {
		url := strings.Replace(s.URL, "127.0.0.1", host, 1)
		if _, err := get(t, dial.Client(time.Second, false), url); err == nil {
			t.Errorf("%s was connected to", host)
		}
	}
	if _, err := get(t, dial.Client(time.Second, false), s.URL); !errors.Is(err, dial.ErrPrivate) {
		t.Errorf("%v", err)
	}
	answer, err := get(t, dial.Client(time.Second, true), s.URL)
	if err != nil || answer.StatusCode != http.StatusFound {
		t.Errorf("the redirect was followed, or the answer is missing: %v", err)
	}
}

func TestStrangersCertificatesAreRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	if _, err := get(t, dial.Client(time.Second, true), s.URL); err == nil {
		t.Error("a certificate of nobody was accepted")
	}
}
