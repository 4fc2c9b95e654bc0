package httpsender

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// Limits of Amazon SNS. It tries for about an hour, each time with the same
// signature.
const (
	snsWithin       = 2 * time.Hour
	mostCertificate = 16 << 10         // bytes
	mostCertified   = 4                // certificates that are kept: they change about once a year
	certificateRest = 10 * time.Second // after one that could not be had, before the next is asked for
)

// topic is an SNS topic, and the certificates that its messages are signed with.
// It is safe for concurrent use.
type topic struct {
	arn    string
	host   string // of SNS in the topic's region
	client *http.Client
	now    func() time.Time

	mu    sync.Mutex // guards the rest; held while a certificate is fetched
	keys  map[string]*x509.Certificate
	again time.Time // not asked for before
}

// sns checks messages of one topic, and says yes when SNS asks whether we want
// them. https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
func (s *sender) sns(g notary) (judge, error) {
	arn, err := g.Topic.fill(s.settings())
	if err != nil {
		return nil, err
	}
	host, err := snsHost(arn)
	if err != nil {
		return nil, err
	}
	t := &topic{arn: arn, host: host, client: s.client, now: s.env.Now, keys: map[string]*x509.Certificate{}}
	return t.judge, nil
}

var region = regexp.MustCompile(`^[a-z]{2}(-[a-z0-9]+)+$`)

// snsHost is where SNS is, in the region that the topic's name says.
func snsHost(arn string) (string, error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[2] != "sns" || !region.MatchString(parts[3]) {
		return "", errors.New("the topic is no ARN of an SNS topic")
	}
	host := "sns." + parts[3] + ".amazonaws.com"
	if parts[1] == "aws-cn" {
		host += ".cn"
	}
	return host, nil
}

// judge believes what the topic's own SNS has signed with SHA-256. Cheap
// questions come first: nobody makes us fetch anything without the topic's name.
func (t *topic) judge(ctx context.Context, r report) error {
	field := func(name string) string { return word(r.fields, name) }
	if field("TopicArn") != t.arn || field("SignatureVersion") != "2" {
		return errUnsigned
	}
	at, err := time.Parse(time.RFC3339, field("Timestamp"))
	if age := t.now().Sub(at); err != nil || age > snsWithin || age < -leeway {
		return errStale
	}
	signature, err := base64.StdEncoding.DecodeString(field("Signature"))
	over, known := signedBySNS(field)
	if err != nil || !known {
		return errUnsigned
	}
	cert, err := t.certificate(ctx, field("SigningCertURL"))
	if err != nil {
		return err
	}
	if cert.CheckSignature(x509.SHA256WithRSA, []byte(over), signature) != nil {
		return errUnsigned
	}
	if field("Type") == "SubscriptionConfirmation" {
		return t.confirm(ctx, field("Token"))
	}
	return nil
}

// signedBySNS is what SNS signs: names and values, each on a line of its own.
func signedBySNS(field func(string) string) (string, bool) {
	var names []string
	switch field("Type") {
	case "Notification":
		names = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	case "SubscriptionConfirmation", "UnsubscribeConfirmation":
		names = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	default:
		return "", false
	}
	var b strings.Builder
	for _, name := range names {
		if v := field(name); v != "" || name != "Subject" {
			b.WriteString(name + "\n" + v + "\n")
		}
	}
	return b.String(), true
}

// certificatePath is where SNS has its certificates.
var certificatePath = regexp.MustCompile(`^/SimpleNotificationService-[0-9a-f]{32}\.pem$`)

// certificate is the one at an address, which has to be SNS's own. TLS shows that
// it comes from there. Addresses of others are never asked.
func (t *topic) certificate(ctx context.Context, at string) (*x509.Certificate, error) {
	path, ours := strings.CutPrefix(at, "https://"+t.host)
	if !ours || !certificatePath.MatchString(path) {
		return nil, errUnsigned
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	cert := t.keys[path]
	if cert == nil {
		if t.now().Before(t.again) {
			return nil, fmt.Errorf("%w: the certificate of SNS could not be had a moment ago", channel.ErrUnavailable)
		}
		var err error
		if cert, err = t.fetch(ctx, at); err != nil {
			t.again = t.now().Add(certificateRest)
			return nil, err
		}
		if len(t.keys) >= mostCertified {
			clear(t.keys)
		}
		t.keys[path] = cert
	}
	if now := t.now(); now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return nil, errUnsigned
	}
	return cert, nil
}

// fetch gets a certificate.
func (t *topic) fetch(ctx context.Context, at string) (*x509.Certificate, error) {
	raw, err := t.get(ctx, at)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%w: what SNS names as its certificate is none", channel.ErrUnavailable)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: the certificate of SNS is unreadable", channel.ErrUnavailable)
	}
	if _, ok := cert.PublicKey.(*rsa.PublicKey); !ok {
		return nil, fmt.Errorf("%w: the certificate of SNS is for another kind of key", channel.ErrUnavailable)
	}
	return cert, nil
}

// confirm subscribes. The address is made here, of the token: nobody else's is
// asked, whatever the message says.
func (t *topic) confirm(ctx context.Context, token string) error {
	query := url.Values{"Action": {"ConfirmSubscription"}, "TopicArn": {t.arn}, "Token": {token}}
	_, err := t.get(ctx, "https://"+t.host+"/?"+query.Encode())
	return err
}

func (t *topic) get(ctx context.Context, at string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, errUnsigned
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: SNS does not answer", channel.ErrUnavailable)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	raw, err := io.ReadAll(io.LimitReader(resp.Body, mostCertificate))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: SNS answers %d", channel.ErrUnavailable, resp.StatusCode)
	}
	return raw, nil
}
