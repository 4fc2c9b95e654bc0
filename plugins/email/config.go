package email

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// Config says which server takes our mail.
type Config struct {
	Addr         string         `json:"addr" doc:"SMTP server, host:port."`
	From         string         `json:"from" doc:"Sender, Name <address>."`
	Bounces      string         `json:"bounces" doc:"Where mail that cannot be delivered comes back to (sender of the envelope); the sender's address if empty."`
	Username     string         `json:"username" doc:"Account at the server; no authentication if empty."`
	Password     channel.Secret `json:"password" secret:"file" doc:"Password of that account."`
	TLS          string         `json:"tls" doc:"How the connection is protected: starttls and tls insist, opportunistic takes what it gets, none is for loopback only." enum:"starttls,tls,opportunistic,none"`
	CAFile       string         `json:"ca_file" doc:"PEM file with the authorities to trust in place of the system's."`
	Helo         string         `json:"helo" doc:"Name we greet with; the sender's domain if empty."`
	DKIM         []DKIM         `json:"dkim" doc:"Keys that messages are signed with (RFC 6376), one signature each: an RSA key, and for receivers that know it an Ed25519 key too. Leave it out if your server signs."`
	ReportSecret channel.Secret `json:"report_secret" secret:"file" doc:"What bounces and complaints are signed with that are brought to /receipts: whsec_ and base64 of 24 to 64 bytes; two of them while one is being replaced. Without it there are none."`
	Timeout      time.Duration  `json:"timeout" doc:"How long one message may take, connecting included." min:"1s" max:"2m"`
	Connections  int            `json:"connections" doc:"How many connections may be open at once." min:"1" max:"64"`
	Idle         time.Duration  `json:"idle" doc:"How long an unused connection is kept." min:"0s" max:"5m"`
}

func defaults() Config {
	return Config{TLS: "starttls", Timeout: 10 * time.Second, Connections: 4, Idle: 10 * time.Second}
}

// Validate implements channel.Config.
func (c Config) Validate() error {
	return errors.Join(c.validateAddr(), c.validateFrom(), c.validateBounces(), c.validateLogin(), c.validateHelo(), c.validateDKIM(), checkReports(c.ReportSecret))
}

func (c Config) validateAddr() error {
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil || host == "" {
		return fmt.Errorf("addr: %q is not host:port", c.Addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("addr: %q is not a port", port)
	}
	if c.TLS == "none" && !loopback(host) {
		return errors.New("tls: none is for servers on this machine only")
	}
	return nil
}

func (c Config) validateFrom() error {
	if strings.ContainsAny(c.From, "\r\n") {
		return errors.New("from: has a line break")
	}
	a, err := mail.ParseAddress(c.From)
	if err != nil || !strings.Contains(domain(a.Address), ".") && domain(a.Address) != "localhost" {
		return fmt.Errorf("from: %q is not Name <address>", c.From)
	}
	return nil
}

func (c Config) validateBounces() error {
	a, err := mail.ParseAddress(c.Bounces)
	if c.Bounces != "" && (err != nil || a.Address != c.Bounces || control(c.Bounces)) {
		return fmt.Errorf("bounces: %q is not an address", c.Bounces)
	}
	return nil
}

func (c Config) validateLogin() error {
	switch {
	case c.Username != "" && c.Password.IsZero():
		return errors.New("password: required with a username")
	case c.Username == "" && !c.Password.IsZero():
		return errors.New("username: required with a password")
	}
	return nil
}

func (c Config) validateHelo() error {
	if strings.ContainsFunc(c.Helo, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("helo: not a host name")
	}
	return nil
}

func (c Config) validateDKIM() error {
	_, err := c.seals()
	return err
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
