package httpsender

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

const (
	sesTopic = "arn:aws:sns:eu-central-1:123456789012:bounces"
	sesHost  = "https://sns.eu-central-1.amazonaws.com"
	sesCert  = sesHost + "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
)

// notaryFake is SNS: it has a certificate, and hears confirmations.
type notaryFake struct {
	cert []byte

	mu     sync.Mutex // guards the rest
	asked  []string
	status int
}

func newNotary(t *testing.T) *notaryFake {
	t.Helper()
	key, _ := keyPair()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sns.amazonaws.com"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &notaryFake{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), status: http.StatusOK}
}

// RoundTrip stands in for the network.
func (n *notaryFake) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, r.URL.String())
	return &http.Response{StatusCode: n.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(n.cert)), Request: r}, nil
}

func (n *notaryFake) seen() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.asked...)
}

func (n *notaryFake) answer(status int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status = status
}

// notify is a message of SNS, signed at a time.
func notify(t *testing.T, fields map[string]string, at time.Time) []byte {
	t.Helper()
	all := map[string]string{
		"MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": sesTopic, "Timestamp": at.UTC().Format("2006-01-02T15:04:05.000Z"),
		"SignatureVersion": "2", "SigningCertURL": sesCert,
	}
	maps.Copy(all, fields)
	var over strings.Builder
	for _, name := range []string{"Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"} {
		if v, ok := all[name]; ok {
			over.WriteString(name + "\n" + v + "\n")
		}
	}
	key, _ := keyPair()
	digest := sha256.Sum256([]byte(over.String()))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	all["Signature"] = base64.StdEncoding.EncodeToString(signature)
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// sesTracker is a channel that takes reports of SES, and its SNS.
func sesTracker(t *testing.T) (channel.Tracker, *notaryFake) {
	t.Helper()
	tr := theFake(t, "ses").tracker(t)
	return tr, tr.(*tracked).client.Transport.(*notaryFake)
}

const delivered = `{"notificationType":"Delivery","mail":{"messageId":"m-1"}}`

func TestCertificatesAreFetchedOnce(t *testing.T) {
	tr, sns := sesTracker(t)
	for _, subject := range []string{"", "Amazon SES Email Event Notification"} {
		fields := map[string]string{"Type": "Notification", "Message": delivered}
		if subject != "" {
			fields["Subject"] = subject
		}
		if got, err := tr.Track(t.Context(), channel.Inbound{Method: "POST", Body: notify(t, fields, now)}); err != nil || len(got) != 1 || !got[0].Delivered {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if asked := sns.seen(); len(asked) != 1 || asked[0] != sesCert {
		t.Errorf("asked for %q", asked)
	}
}

func TestWhatSNSDidNotSignIsForgedAndNothingIsFetchedForIt(t *testing.T) {
	for name, row := range map[string]struct {
		change map[string]string
		raw    func(string) string
		at     time.Duration
		asks   bool
	}{
		"another topic":           {change: map[string]string{"TopicArn": sesTopic + "2"}},
		"signed by SHA-1":         {change: map[string]string{"SignatureVersion": "1"}},
		"another kind":            {change: map[string]string{"Type": "Advertisement"}},
		"old":                     {at: -3 * time.Hour},
		"from the future":         {at: time.Hour},
		"no time":                 {change: map[string]string{"Timestamp": "today"}},
		"another host":            {change: map[string]string{"SigningCertURL": "https://sns.evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"}},
		"a host that begins like": {change: map[string]string{"SigningCertURL": sesHost + ".evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"}},
		"a user before the host":  {change: map[string]string{"SigningCertURL": sesHost + "@evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"}},
		"another region":          {change: map[string]string{"SigningCertURL": strings.Replace(sesCert, "eu-central-1", "us-east-1", 1)}},
		"a bucket":                {change: map[string]string{"SigningCertURL": strings.Replace(sesCert, "sns.eu-central-1", "s3", 1)}},
		"another path":            {change: map[string]string{"SigningCertURL": sesHost + "/?Action=Publish#SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"}},
		"a port":                  {change: map[string]string{"SigningCertURL": strings.Replace(sesCert, ".com/", ".com:8443/", 1)}},
		"without TLS":             {change: map[string]string{"SigningCertURL": strings.Replace(sesCert, "https", "http", 1)}},
		"our own network":         {change: map[string]string{"SigningCertURL": "http://169.254.169.254/latest/meta-data"}},
		"no JSON":                 {raw: func(string) string { return "Type=Notification" }},
		"fields that are lists":   {raw: func(s string) string { return strings.Replace(s, `"`+sesTopic+`"`, `["`+sesTopic+`"]`, 1) }},
		"no signature":            {raw: func(s string) string { return strings.Replace(s, `"Signature":`, `"X":`, 1) }, asks: true},
		"another message":         {raw: func(s string) string { return strings.Replace(s, "m-1", "m-2", 1) }, asks: true},
		"a subject on top":        {raw: func(s string) string { return strings.Replace(s, "{", `{"Subject":"x",`, 1) }, asks: true},
	} {
		tr, sns := sesTracker(t)
		fields := map[string]string{"Type": "Notification", "Message": delivered}
		maps.Copy(fields, row.change)
		body := string(notify(t, fields, now.Add(row.at)))
		if row.raw != nil {
			body = row.raw(body)
		}
		got, err := tr.Track(t.Context(), channel.Inbound{Method: "POST", Body: []byte(body)})
		if !errors.Is(err, channel.ErrForged) || got != nil || (len(sns.seen()) > 0) != row.asks {
			t.Errorf("%s: %+v, %v, asked %q", name, got, err, sns.seen())
		}
	}
}

func TestSubscriptionsAreConfirmedWhereSNSIs(t *testing.T) {
	tr, sns := sesTracker(t)
	confirm := func(kind string) error {
		_, err := tr.Track(t.Context(), channel.Inbound{Method: "POST", Body: notify(t, map[string]string{
			"Type": kind, "Token": "2336412f37f&Action=Evil", "Message": "You have chosen to subscribe.", "SubscribeURL": "https://evil.example/?Action=ConfirmSubscription",
		}, now)})
		return err
	}
	if err := confirm("UnsubscribeConfirmation"); err != nil || len(sns.seen()) != 1 {
		t.Errorf("%v, asked %q", err, sns.seen())
	}
	want := sesHost + "/?Action=ConfirmSubscription&Token=2336412f37f%26Action%3DEvil&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A123456789012%3Abounces"
	if err := confirm("SubscriptionConfirmation"); err != nil || len(sns.seen()) != 2 || sns.seen()[1] != want {
		t.Errorf("%v, asked %q", err, sns.seen())
	}
	sns.answer(http.StatusBadGateway)
	if err := confirm("SubscriptionConfirmation"); !errors.Is(err, channel.ErrUnavailable) || errors.Is(err, channel.ErrForged) {
		t.Errorf("%v", err)
	}
}

func TestCertificatesThatCannotBeHadAreNoForgeries(t *testing.T) {
	tr, sns := sesTracker(t)
	track := func() error {
		_, err := tr.Track(t.Context(), channel.Inbound{Method: "POST", Body: notify(t, map[string]string{"Type": "Notification", "Message": delivered}, now)})
		return err
	}
	sns.answer(http.StatusServiceUnavailable)
	for range 3 {
		if err := track(); !errors.Is(err, channel.ErrUnavailable) || errors.Is(err, channel.ErrForged) {
			t.Errorf("%v", err)
		}
	}
	if len(sns.seen()) != 1 {
		t.Errorf("asked %d times in a moment", len(sns.seen()))
	}
	for name, cert := range map[string]string{"nothing": "", "no certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		tr, sns = sesTracker(t)
		sns.cert = []byte(cert)
		if err := track(); !errors.Is(err, channel.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, sns = sesTracker(t)
	block, _ := pem.Decode(sns.cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	topic := &topic{arn: sesTopic, host: sesHost[len("https://"):], client: &http.Client{Transport: sns}, now: func() time.Time { return cert.NotAfter.Add(time.Second) }, keys: map[string]*x509.Certificate{}}
	if _, err := topic.certificate(t.Context(), sesCert); !errors.Is(err, errUnsigned) {
		t.Errorf("a certificate that has run out: %v", err)
	}
}

func TestTopicsSayWhereSNSIs(t *testing.T) {
	for arn, want := range map[string]string{
		sesTopic: "sns.eu-central-1.amazonaws.com", "arn:aws-cn:sns:cn-north-1:123456789012:x": "sns.cn-north-1.amazonaws.com.cn",
		"arn:aws-us-gov:sns:us-gov-west-1:123456789012:x": "sns.us-gov-west-1.amazonaws.com", "arn:aws:sqs:eu-central-1:123456789012:x": "", "x": "",
		"arn:aws:sns:evil.example/#:123456789012:x": "",
	} {
		if got, err := snsHost(arn); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v", arn, got, err)
		}
	}
}
