package email_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/countersign/countersign/plugins/email"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// pemOf writes a private key as PKCS #8.
func pemOf(tb testing.TB, key any) string {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// rsaKey makes one key of each size for all tests: making them takes time.
var rsaKey = func() func(testing.TB, int) *rsa.PrivateKey {
	var mu sync.Mutex
	made := map[int]*rsa.PrivateKey{}
	return func(tb testing.TB, bits int) *rsa.PrivateKey {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if made[bits] == nil {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				tb.Fatal(err)
			}
			made[bits] = key
		}
		return made[bits]
	}
}()

func edKey(tb testing.TB) ed25519.PrivateKey {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// records is a DNS with the public keys of these.
func records(tb testing.TB, keys map[string]crypto.Signer) map[string]string {
	tb.Helper()
	all := map[string]string{}
	for at, key := range keys {
		switch public := key.Public().(type) {
		case ed25519.PublicKey:
			all[at] = "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
		default:
			der, err := x509.MarshalPKIXPublicKey(public)
			if err != nil {
				tb.Fatal(err)
			}
			all[at] = "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
		}
	}
	return all
}

// holding counts the signatures of a message that hold, and that do not.
func holding(tb testing.TB, raw string, dns map[string]string) (good, bad int) {
	tb.Helper()
	found, err := dkim.VerifyWithOptions(strings.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(at string) ([]string, error) {
		return []string{dns[at]}, nil
	}})
	if err != nil {
		tb.Fatal(err)
	}
	for _, v := range found {
		if v.Err != nil {
			bad++
		} else {
			good++
		}
	}
	return good, bad
}

// signedConfig has a key for each selector, in this order.
func signedConfig(addr string, entries ...string) string {
	return fmt.Sprintf(`{"addr":%q,"from":"Example <login@example.com>","tls":"none","dkim":[%s]}`, addr, strings.Join(entries, ","))
}

func entry(selector, domain, key string) string {
	return fmt.Sprintf(`{"selector":%q,"domain":%q,"key":%q}`, selector, domain, key)
}

// signedMail sends a message that is signed with both kinds of key.
func signedMail(tb testing.TB, m channel.Message) (raw string, dns map[string]string) {
	tb.Helper()
	long, short := rsaKey(tb, 2048), edKey(tb)
	srv := serve(tb, how{tls: "none"})
	s := sender(tb, signedConfig(srv.addr, entry("r1", "", pemOf(tb, long)), entry("e1", "mail.example.com", pemOf(tb, short))))
	if _, err := s.Send(tb.Context(), m); err != nil {
		tb.Fatal(err)
	}
	_, mails := srv.seen()
	return mails[0].raw, records(tb, map[string]crypto.Signer{"r1._domainkey.example.com": long, "e1._domainkey.mail.example.com": short})
}

// letters are messages that are written in different ways.
func letters() map[string]channel.Message {
	plain, odd := message(), message()
	plain.HTML = ""
	odd.Text, odd.Subject, odd.Locale = ".\n..\n  two  spaces \t \nFrom here\n\n\n\n", strings.Repeat("lang ", 40)+"ü", ""
	odd.Key = strings.Repeat("k", 200)
	return map[string]channel.Message{"two parts": message(), "one part": plain, "odd": odd}
}

func TestSignaturesHold(t *testing.T) {
	for name, m := range letters() {
		raw, dns := signedMail(t, m)
		if good, bad := holding(t, raw, dns); good != 2 || bad != 0 {
			t.Errorf("%s: %d hold, %d do not\n%s", name, good, bad, raw)
		}
		for line := range strings.SplitSeq(raw, "\r\n") {
			if len(line) > 998 { // RFC 5322 section 2.1.1
				t.Errorf("%s: a line of %d characters", name, len(line))
			}
		}
	}
}

// dkimpy finds a Python that has it: the one of the system, where packages of the
// system go, may not be the first.
func dkimpy(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-I", "-c", "import dkim, nacl").Run() == nil {
			return python
		}
	}
	if strings.Contains(os.Getenv("COUNTERSIGN_TEST_REQUIRE"), "dkimpy") {
		t.Fatal("dkimpy is required, but not installed (python3-dkim)")
	}
	t.Skip("dkimpy is not installed")
	return ""
}

// Somebody else's verifier says so too.
func TestSignaturesHoldForDkimpy(t *testing.T) {
	python := dkimpy(t)
	const script = `
import dkim, json, sys
given = json.load(sys.stdin)
dns = lambda name, timeout=5: given["dns"][name.decode().rstrip(".")].encode()
for raw in (given["raw"], given["raw"].replace("482915", "111111")):
    d = dkim.DKIM(raw.encode())
    n = sum(1 for k, v in d.headers if k.lower() == b"dkim-signature")
    def holds(i):
        try:
            return d.verify(idx=i, dnsfunc=dns)
        except dkim.DKIMException:
            return False
    print(*[holds(i) for i in range(n)])
`
	for name, m := range letters() {
		raw, dns := signedMail(t, m)
		in, err := json.Marshal(map[string]any{"raw": raw, "dns": dns})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), python, "-I", "-c", script)
		cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
		if out, err := cmd.Output(); err != nil || string(out) != "True True\nFalse False\n" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}

func TestTamperedMessagesBreakTheSignatures(t *testing.T) {
	raw, dns := signedMail(t, message())
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	end := strings.Index(head, "Date: ")
	signatures, head := head[:end], head[end:]
	for name, changed := range map[string]string{
		"another code":           signatures + head + "\r\n\r\n" + strings.ReplaceAll(body, "482915", "482916"),
		"more text":              raw + "Call +44 20 7946 0000 at once.\r\n",
		"another subject":        signatures + strings.Replace(head, "Subject: ", "Subject: Win! ", 1) + "\r\n\r\n" + body,
		"a second subject":       signatures + "Subject: Win!\r\n" + head + "\r\n\r\n" + body,
		"a second sender":        signatures + "From: <boss@example.com>\r\n" + head + "\r\n\r\n" + body,
		"another kind of body":   signatures + "Content-Type: text/html\r\n" + head + "\r\n\r\n" + body,
		"an address for answers": signatures + "Reply-To: <thief@example.net>\r\n" + head + "\r\n\r\n" + body,
		"somebody else":          signatures + strings.Replace(head, "ann@example.com", "eve@example.com", 1) + "\r\n\r\n" + body,
		"a second copy":          signatures + "Cc: <eve@example.com>\r\n" + head + "\r\n\r\n" + body,
	} {
		if good, bad := holding(t, changed, dns); good != 0 || bad != 2 || changed == raw {
			t.Errorf("%s: %d hold, %d do not", name, good, bad)
		}
	}
	if good, _ := holding(t, signatures+"Received: from here\r\n"+head+"\r\n\r\n"+body, dns); good != 2 {
		t.Error("what servers on the way add breaks them")
	}
	for at := range dns {
		dns[at] = records(t, map[string]crypto.Signer{at: edKey(t)})[at]
	}
	if good, _ := holding(t, raw, dns); good != 0 {
		t.Error("another's key will do")
	}
}

func TestNothingIsSignedUnasked(t *testing.T) {
	srv := serve(t, how{tls: "none"})
	if _, err := sender(t, plainConfig(srv.addr)).Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if _, mails := srv.seen(); strings.Contains(mails[0].raw, "DKIM") {
		t.Error(mails[0].raw)
	}
}

func TestParallelMessagesAreSignedWithOneKey(t *testing.T) {
	key := edKey(t)
	srv := serve(t, how{tls: "none"})
	s := sender(t, signedConfig(srv.addr, entry("e1", "", pemOf(t, key))))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := s.Send(t.Context(), message()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	dns := records(t, map[string]crypto.Signer{"e1._domainkey.example.com": key})
	_, mails := srv.seen()
	for _, m := range mails {
		if good, bad := holding(t, m.raw, dns); good != 1 || bad != 0 {
			t.Errorf("%d hold, %d do not", good, bad)
		}
	}
}

func TestKeysAreCheckedBeforeAnythingIsSent(t *testing.T) {
	weak, good := rsaKey(t, 1024), pemOf(t, edKey(t))
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey(t, 2048))})
	public, err := x509.MarshalPKIXPublicKey(weak.Public())
	if err != nil {
		t.Fatal(err)
	}
	open := func(config string) error {
		ch, err := email.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{})
		if err == nil {
			closer, _ := channel.As[channel.Closer](ch)
			return closer.Close(t.Context())
		}
		return err
	}
	for name, row := range map[string]struct{ entries, want string }{
		"RSA of 2048 bits, PKCS #1":  {entry("s", "", string(old)), ""},
		"a selector with dots":       {entry("a.b-c", "", good), ""},
		"one selector in two places": {entry("s", "", good) + "," + entry("s", "example.net", good), ""},
		"RSA of 1024 bits":           {entry("s", "", pemOf(t, weak)), "has 1024 bits; RSA keys need 2048 at least"},
		"RSA of too many bits":       {entry("s", "", pemOf(t, rsaKey(t, 4160))), "has 4160 bits"},
		"another kind of key":        {entry("s", "", pemOf(t, curve)), "neither RSA nor Ed25519"},
		"a public key":               {entry("s", "", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))), "not a private key"},
		"no PEM":                     {entry("s", "", "hunter2hunter2"), "not a PEM file"},
		"no key":                     {`{"selector":"s"}`, "key: required"},
		"no selector":                {entry("", "", good), "selector:"},
		"a selector of two lines":    {entry("a\r\nb", "", good), "selector:"},
		"a selector with a tag":      {entry("a;d=evil.example", "", good), "selector:"},
		"a domain with a tag":        {entry("s", "example.com; i=x", good), "domain:"},
		"a domain in other letters":  {entry("s", "bücher.example", good), "domain:"},
		"two of one name":            {entry("s", "", good) + "," + entry("s", "example.com", good), "two keys"},
	} {
		err := open(signedConfig("127.0.0.1:25", row.entries))
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: %v, want %s", name, err, row.want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the key is told: %v", name, err)
		}
	}
	file := filepath.Join(t.TempDir(), "dkim.pem")
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(signedConfig("127.0.0.1:25", fmt.Sprintf(`{"selector":"s","key_file":%q}`, file))); err != nil {
		t.Errorf("a key in a file: %v", err)
	}
}
