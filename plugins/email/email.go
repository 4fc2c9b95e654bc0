// Package email sends codes by e-mail, over SMTP.
package email

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"

	"github.com/countersign/countersign/ports/channel"
)

// Plugin is the e-mail channel.
func Plugin() channel.Plugin {
	return channel.DefineSender(channel.Descriptor{
		Type: "email", Title: "E-mail", Summary: "Sends a code by e-mail.",
		Address: channel.Email, Factor: channel.Possession, MaxAAL: 1, AMR: []string{"otp"},
	}, defaults, open)
}

func open(_ context.Context, cfg Config, env channel.Env) (channel.Sender, error) {
	host, _, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("addr: %w", err)
	}
	from, err := mail.ParseAddress(cfg.From)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	roots, err := authorities(cfg.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	signatures, err := cfg.seals()
	if err != nil {
		return nil, err
	}
	d := dialer{cfg: cfg, host: host, domain: domain(from.Address), tls: &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12}}
	s := &sender{from: *from, bounces: cmp.Or(cfg.Bounces, from.Address), env: env, pool: newPool(d), seals: signatures}
	if cfg.ReportSecret.IsZero() {
		return s, nil
	}
	return &tracked{s, cfg.ReportSecret.Reveal()}, nil
}

// authorities reads who is trusted; nil is the system's choice.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in it")
	}
	return roots, nil
}

type sender struct {
	from    mail.Address
	bounces string // sender of the envelope
	env     channel.Env
	pool    *pool
	seals   seals
}

// Send hands the message to the server. A connection that was kept warm may
// have gone cold meanwhile: then, as long as the server cannot have taken the
// message, it is tried once more on a new one.
func (s *sender) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	msg, err := s.compose(m)
	if err != nil {
		return channel.Receipt{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.pool.dialer.cfg.Timeout)
	defer cancel()
	release, err := s.pool.enter(ctx)
	if err != nil {
		return channel.Receipt{}, err
	}
	defer release()

	l, warm := s.pool.take()
	if warm {
		err = l.send(ctx, msg)
		if !stale(err) || ctx.Err() != nil {
			return channel.Receipt{ID: msg.id}, s.pool.finish(ctx, l, err)
		}
		l.drop()
	}
	if l, err = s.pool.dialer.dial(ctx); err != nil {
		return channel.Receipt{}, explain(ctx, err)
	}
	return channel.Receipt{ID: msg.id}, s.pool.finish(ctx, l, l.send(ctx, msg))
}

// Probe connects and signs in, and sends nothing.
func (s *sender) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.pool.dialer.cfg.Timeout)
	defer cancel()
	release, err := s.pool.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	l, err := s.pool.dialer.dial(ctx)
	if err != nil {
		return explain(ctx, err)
	}
	s.pool.put(l)
	return nil
}

// Close hangs up on the server.
func (s *sender) Close(context.Context) error {
	s.pool.close()
	return nil
}

// Interfaces that the host looks for.
var (
	_ channel.Sender = (*sender)(nil)
	_ channel.Prober = (*sender)(nil)
	_ channel.Closer = (*sender)(nil)

	_ channel.Tracker = (*tracked)(nil)
)
