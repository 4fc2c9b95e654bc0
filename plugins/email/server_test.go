package email_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/countersign/countersign/plugins/email"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

const (
	user     = "mailer"
	password = "correct horse battery"
)

// server is a mail server on loopback that does as it is told.
type server struct {
	addr   string
	caFile string

	mu       sync.Mutex // guards the rest
	sessions int        // connections so far
	mails    []received
	onRcpt   func() error // scripted answers
	onData   func() error
	onMail   func() error
	cut      map[net.Conn]bool
}

type received struct {
	from, to, raw     string
	envelope, returns string // what reports should hold
}

type how struct {
	tls  string // starttls, tls or none
	auth bool
	dsn  bool // it asks what reports should hold
}

func serve(tb testing.TB, h how) *server {
	tb.Helper()
	cert, caFile := certificate(tb)
	s := &server{caFile: caFile, cut: map[net.Conn]bool{}}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sessions++
		s.cut[c.Conn()] = true
		if h.auth {
			return &locked{session{s: s}}, nil
		}
		return &session{s: s}, nil
	}))
	srv.EnableDSN = h.dsn
	srv.Domain, srv.AllowInsecureAuth, srv.ErrorLog = "localhost", true, log.New(io.Discard, "", 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s.addr = l.Addr().String()
	switch h.tls {
	case "starttls":
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	case "tls":
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	tb.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return s
}

// session is a conversation with somebody who need not sign in.
type session struct {
	s        *server
	from, to string
	options  smtp.MailOptions
}

func (c *session) Reset()        { c.from, c.to = "", "" }
func (c *session) Logout() error { return nil }

func (c *session) scripted(answer func() error) error {
	if answer == nil {
		return nil
	}
	return answer()
}

func (c *session) Mail(from string, options *smtp.MailOptions) error {
	c.from, c.options = from, *options
	return c.scripted(c.s.script().onMail)
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = to
	return c.scripted(c.s.script().onRcpt)
}

func (c *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := c.scripted(c.s.script().onData); err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.mails = append(c.s.mails, received{c.from, c.to, string(raw), c.options.EnvelopeID, string(c.options.Return)})
	return nil
}

// locked is a session that wants to know who is there.
type locked struct{ session }

func (*locked) AuthMechanisms() []string { return []string{sasl.Plain} }

func (*locked) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, u, p string) error {
		if u != user || p != password {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

type script struct{ onMail, onRcpt, onData func() error }

func (s *server) script() script {
	s.mu.Lock()
	defer s.mu.Unlock()
	return script{s.onMail, s.onRcpt, s.onData}
}

func (s *server) say(next script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onMail, s.onRcpt, s.onData = next.onMail, next.onRcpt, next.onData
}

// hangUp breaks every connection there is.
func (s *server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.cut {
		_ = conn.Close()
	}
	clear(s.cut)
}

func (s *server) seen() (int, []received) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions, append([]received(nil), s.mails...)
}

// certificate makes one for 127.0.0.1, and the file that says to trust it.
func certificate(tb testing.TB) (tls.Certificate, string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// sender opens the plugin; the channel is closed with the test.
func sender(tb testing.TB, config string) channel.Sender {
	tb.Helper()
	ch, err := email.Plugin().Open(tb.Context(), channeltest.Decoder(config), channel.Env{Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	if err != nil {
		tb.Fatal(err)
	}
	closer, ok := channel.As[channel.Closer](ch)
	if !ok {
		tb.Fatal("the channel cannot be closed")
	}
	tb.Cleanup(func() {
		if err := closer.Close(tb.Context()); err != nil {
			tb.Error(err)
		}
	})
	s, ok := channel.As[channel.Sender](ch)
	if !ok {
		tb.Fatal("the channel cannot send")
	}
	return s
}

func reply(code int, a, b, c int) func() error {
	return func() error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{a, b, c}, Message: "sorry, ann@example.com and your code 482915"}
	}
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
