package email

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// dialer makes connections.
type dialer struct {
	cfg    Config
	host   string
	domain string // of the sender
	tls    *tls.Config
}

// link is one connection, signed in. One message at a time.
type link struct {
	session *smtp.Client
	timeout time.Duration // of one message
	reports bool          // somebody reads what comes back
	wire    *wire
	expiry  *time.Timer // set while it is idle
}

// wire is the connection beneath. The library does not close what it could not
// use, and does not know about contexts, so we hold on to it.
type wire struct {
	mu     sync.Mutex // guards the rest
	conn   net.Conn
	closed bool
}

func (w *wire) attach(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = conn
	if w.closed {
		_ = conn.Close()
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.conn != nil {
		_ = w.conn.Close()
	}
}

// dial connects, encrypts and signs in.
func (d dialer) dial(ctx context.Context) (*link, error) {
	w := &wire{}
	client, err := gomail.NewClient(d.host, d.options(w)...)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, w.cut)
	session, err := client.DialToSMTPClientWithContext(ctx)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		w.cut()
		return nil, err
	}
	return &link{session: session, timeout: d.cfg.Timeout, reports: !d.cfg.ReportSecret.IsZero(), wire: w}, nil
}

func (d dialer) options(w *wire) []gomail.Option {
	_, port, _ := net.SplitHostPort(d.cfg.Addr) // validated with the configuration
	number, _ := strconv.Atoi(port)
	helo := d.cfg.Helo
	if helo == "" {
		helo = d.domain
	}
	options := []gomail.Option{
		gomail.WithPort(number), gomail.WithTimeout(d.cfg.Timeout), gomail.WithHELO(helo), gomail.WithoutNoop(),
		gomail.WithTLSConfig(d.tls), gomail.WithTLSPolicy(d.policy()), gomail.WithDialContextFunc(d.connector(w)),
	}
	if d.cfg.Username == "" {
		return options
	}
	return append(options, gomail.WithUsername(d.cfg.Username), gomail.WithPassword(d.cfg.Password.Reveal()),
		gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
}

func (d dialer) policy() gomail.TLSPolicy {
	switch d.cfg.TLS {
	case "starttls":
		return gomail.TLSMandatory
	case "opportunistic":
		return gomail.TLSOpportunistic
	default: // none, or tls, which is encrypted from the first byte
		return gomail.NoTLS
	}
}

// connector opens the connection, with TLS from the first byte if so configured.
func (d dialer) connector(w *wire) gomail.DialContextFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		w.attach(conn)
		if d.cfg.TLS != "tls" {
			return conn, nil
		}
		encrypted := tls.Client(conn, d.tls)
		return encrypted, encrypted.HandshakeContext(ctx)
	}
}

// send hands one message over, or gives up when ctx ends. Its errors are
// failures. After a refusal the connection is cleared for the next message.
func (l *link) send(ctx context.Context, m letter) error {
	stop := context.AfterFunc(ctx, l.wire.cut)
	defer stop()
	failed := l.talk(m)
	if failed == nil {
		return nil
	}
	if failed.at < atData && read(failed).code >= 500 {
		failed.clean = l.session.Reset() == nil
	}
	return failed
}

// talk is the conversation about one message (RFC 5321 section 3.3). Nil means
// that the server has taken it.
func (l *link) talk(m letter) *failure {
	if err := l.session.UpdateDeadline(l.timeout); err != nil {
		return &failure{at: atStart, err: err}
	}
	if err := l.session.Mail("<" + m.from + ">" + l.wishes(m)); err != nil {
		return &failure{at: atSender, err: err}
	}
	if err := l.session.Rcpt("<" + m.to + ">"); err != nil {
		return &failure{at: atRecipient, err: err}
	}
	w, err := l.session.Data()
	if err != nil {
		return &failure{at: atData, err: err}
	}
	if _, err := w.Write(m.raw); err != nil {
		return &failure{at: atContent, err: err}
	}
	if err := w.Close(); err != nil {
		return &failure{at: atContent, err: err}
	}
	return nil
}

// wishes are what reports on the message should hold, of servers that ask (RFC
// 3461 section 4): its name, and no text, as there is a code in it.
func (l *link) wishes(m letter) string {
	if asks, _ := l.session.Extension("DSN"); !l.reports || !asks || len(m.id) > longestEnvelope || strings.Trim(m.id, inEnvelope) != "" {
		return ""
	}
	return " RET=HDRS ENVID=" + m.id
}

// Names of envelopes (RFC 3461 section 4.4), of characters that need no escape.
const (
	longestEnvelope = 100
	inEnvelope      = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@"
)

// reusable reports whether the next message may go the same way after err.
func (l *link) reusable(err error) bool {
	if err == nil {
		return l.session.HasConnection()
	}
	failed, ok := errors.AsType[*failure](err)
	return ok && failed.clean
}

// quit hangs up politely, but does not wait for long.
func (l *link) quit() {
	if l.session.UpdateDeadline(time.Second) == nil {
		_ = l.session.Quit()
	}
	l.drop()
}

// drop hangs up.
func (l *link) drop() { l.wire.cut() }
