package email

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
	gomail "github.com/wneessen/go-mail"

	"github.com/countersign/countersign/ports/channel"
)

// DKIM is one key that messages are signed with.
type DKIM struct {
	Selector string         `json:"selector" doc:"Selector: the public key is in the TXT record of selector._domainkey.domain."`
	Domain   string         `json:"domain" doc:"Domain that signs; the sender's if empty. For DMARC it has to be the sender's or one around it."`
	Key      channel.Secret `json:"key" secret:"file" doc:"Private key, PEM: RSA of 2048 to 4096 bits, or Ed25519 (RFC 8463)."`
}

// Validate says what is wrong with one entry. Whether it needs a domain depends
// on the sender: Config.Validate says so.
func (k DKIM) Validate() error {
	var errs []error
	if !dnsName(k.Selector) {
		errs = append(errs, errors.New("selector: not labels of letters, digits and hyphens, with dots between them"))
	}
	if k.Domain != "" && !dnsDomain(k.Domain) {
		errs = append(errs, errors.New("domain: not a domain such as example.com; names in other letters are written xn--…"))
	}
	if _, err := k.signer(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// label is a part of a name in the DNS, whatever its length.
var label = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)

// dnsName reports whether a text is one label or more, as they are asked for in
// the DNS.
func dnsName(text string) bool {
	for l := range strings.SplitSeq(text, ".") {
		if len(l) > 63 || !label.MatchString(l) {
			return false
		}
	}
	return len(text) <= 253
}

func dnsDomain(text string) bool { return dnsName(text) && strings.Contains(text, ".") }

// Bits of RSA keys. RFC 8301 section 3.2: signers use 2048 or more, and nobody
// has to understand more than 4096.
const fewestBits, mostBits = 2048, 4096

// signer reads the key. Its errors show nothing of it.
func (k DKIM) signer() (crypto.Signer, error) {
	if k.Key.IsZero() {
		return nil, errors.New("key: required")
	}
	block, _ := pem.Decode([]byte(k.Key.Reveal()))
	if block == nil {
		return nil, errors.New("key: not a PEM file")
	}
	switch key := private(block).(type) {
	case *rsa.PrivateKey:
		if n := key.N.BitLen(); n < fewestBits || n > mostBits {
			return nil, fmt.Errorf("key: has %d bits; RSA keys need %d at least, as shorter ones can be forged, and %d at most, as receivers need not take longer ones (RFC 8301)", n, fewestBits, mostBits)
		}
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	case nil:
		return nil, errors.New("key: not a private key in PKCS #8 or PKCS #1, without a password")
	default:
		return nil, errors.New("key: neither RSA nor Ed25519")
	}
}

// private is the key in a PEM block, or nil.
func private(block *pem.Block) any {
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key
	}
	return nil
}

// seals are the signatures that each message gets, ready to be made. None cost
// nothing.
type seals []*dkim.SignOptions

// seals reads what is configured.
func (c Config) seals() (seals, error) {
	var all seals
	seen := map[string]bool{}
	for _, k := range c.DKIM {
		if err := k.Validate(); err != nil {
			return nil, fmt.Errorf("dkim: %w", err)
		}
		if k.Domain == "" {
			k.Domain = c.senderDomain()
		}
		if !dnsDomain(k.Domain) {
			return nil, errors.New("dkim: domain is required, as the sender's cannot be asked for in the DNS")
		}
		if seen[k.Selector+"@"+k.Domain] {
			return nil, fmt.Errorf("dkim: two keys have the selector %s", k.Selector)
		}
		seen[k.Selector+"@"+k.Domain] = true
		key, err := k.signer()
		if err != nil {
			return nil, fmt.Errorf("dkim: %w", err)
		}
		all = append(all, &dkim.SignOptions{
			Domain: k.Domain, Selector: k.Selector, Signer: key, Hash: crypto.SHA256, HeaderKeys: signedHeaders(),
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		})
	}
	return all, nil
}

func (c Config) senderDomain() string {
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return ""
	}
	return domain(from.Address)
}

// signedHeaders names each header that we write once, and then once more, so that
// nobody can add another one (RFC 6376 section 8.15). Those that we do not
// write are there for the same reason.
func signedHeaders() []string {
	ours := []string{
		"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language",
		"MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	}
	return slices.Concat(ours, ours, []string{"Reply-To", "Cc"})
}

// apply writes the message and puts the signatures before it.
func (all seals) apply(msg *gomail.Msg) ([]byte, error) {
	var body bytes.Buffer
	if _, err := msg.WriteTo(&body); err != nil {
		return nil, fmt.Errorf("%w: the message cannot be written", channel.ErrRefused)
	}
	if len(all) == 0 {
		return body.Bytes(), nil
	}
	var out bytes.Buffer
	for _, options := range all {
		line, err := sign(body.Bytes(), options)
		if err != nil {
			return nil, fmt.Errorf("%w: the message cannot be signed with the DKIM key %s", channel.ErrRefused, options.Selector)
		}
		out.WriteString(line)
	}
	out.Write(body.Bytes())
	return out.Bytes(), nil
}

// sign makes the header DKIM-Signature, with its end of line.
func sign(message []byte, options *dkim.SignOptions) (string, error) {
	s, err := dkim.NewSigner(options)
	if err != nil {
		return "", err
	}
	if _, err := s.Write(message); err != nil {
		return "", errors.Join(err, s.Close())
	}
	if err := s.Close(); err != nil {
		return "", err
	}
	return s.Signature(), nil
}
