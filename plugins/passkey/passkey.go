// Package passkey verifies signatures by keys that the person's own devices keep
// (Web Authentication Level 3): passkeys, and security keys.
package passkey

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"github.com/countersign/countersign/ports/channel"
)

// The calls that a browser is asked for, both of navigator.credentials. The
// prompt's options are their publicKey argument in its JSON form (WebAuthn
// 5.1.8 and 5.1.9), and the response is what toJSON gives.
const (
	Create = "webauthn.create"
	Get    = "webauthn.get"
)

const (
	nonceBytes = 32 // WebAuthn 13.4.3 wants 16 at least
	mostUser   = 64 // bytes of a user handle
)

// Plugin is the passkey channel. What a key proves is said by each verdict: "hwk"
// for one that cannot leave its device and "swk" for one that is synchronised,
// and "user" and "mfa" with it if the device has recognised its owner.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "passkey", Title: "Passkey", Summary: "Checks a signature by a key that the person's own device keeps.",
		Factor: channel.Possession, MaxAAL: 2, AMR: []string{swk}, Identify: true, Phishing: true,
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		s, err := cfg.at(env.Origin, env.Brand)
		if err != nil {
			return nil, err
		}
		return lock{s, env}, nil
	})
}

type lock struct {
	site site
	env  channel.Env
}

// asked is the state: what the response has to be about.
type asked struct {
	Nonce  []byte `json:"nonce"`
	User   []byte `json:"user,omitempty"`   // while enrolling: the user handle that we gave
	Nobody bool   `json:"nobody,omitempty"` // nobody was named, so the device must say whose key it is
	Verify bool   `json:"verify,omitempty"` // the device must have recognised its owner
}

// device is the credential: one key.
type device struct {
	ID         []byte   `json:"id"`
	Key        []byte   `json:"key"` // COSE_Key (RFC 9052 section 7)
	User       []byte   `json:"user"`
	Counter    uint32   `json:"counter"` // of signatures; 0 for ever if the device does not count
	Synced     bool     `json:"synced"`  // may be on several devices; never changes
	Transports []string `json:"transports,omitempty"`
}

// Begin asks the browser to make a key while enrolling, and otherwise to sign
// with one: that of the device, or any of this site if nobody was named.
func (l lock) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	q := asked{Nonce: make([]byte, nonceBytes), Verify: l.site.verify == protocol.VerificationRequired}
	if _, err := io.ReadFull(l.env.Random, q.Nonce); err != nil {
		return channel.Opening{}, fmt.Errorf("make a challenge: %w", err)
	}
	api := Get
	var options any
	var err error
	if c.Purpose == channel.Enroll {
		if c.Subject == "" || len(c.Subject) > mostUser {
			return channel.Opening{}, errors.New("a key belongs to somebody, with a name of at most 64 bytes")
		}
		q.User, api = []byte(c.Subject), Create
		options = l.creation(q, c)
	} else if options, err = l.request(&q, c); err != nil {
		return channel.Opening{}, err
	}
	argument, err := json.Marshal(options)
	if err != nil {
		return channel.Opening{}, fmt.Errorf("write the browser's options: %w", err)
	}
	state, err := json.Marshal(q)
	if err != nil {
		return channel.Opening{}, fmt.Errorf("keep the challenge: %w", err)
	}
	return channel.Opening{Prompt: channel.CallBrowser(api, argument), State: state}, nil
}

// creation wants no attestation: it would tell which product somebody uses, and
// we would turn none away. The user handle is the same for all of a person's
// keys, so a device that keeps one for us replaces it rather than keep two; a
// list of keys to exclude we cannot have, as no device's channel knows of others.
func (l lock) creation(q asked, c channel.Challenge) protocol.PublicKeyCredentialCreationOptions {
	return protocol.PublicKeyCredentialCreationOptions{
		RelyingParty: protocol.RelyingPartyEntity{CredentialEntity: protocol.CredentialEntity{Name: l.site.name}, ID: l.site.id},
		User: protocol.UserEntity{
			CredentialEntity: protocol.CredentialEntity{Name: c.Label}, DisplayName: c.Label, ID: protocol.URLEncodedBase64(q.User),
		},
		Challenge: q.Nonce, Parameters: algorithms(), Timeout: l.patience(c),
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: l.site.verify,
		},
		Attestation: protocol.PreferNoAttestation,
	}
}

func (l lock) request(q *asked, c channel.Challenge) (protocol.PublicKeyCredentialRequestOptions, error) {
	o := protocol.PublicKeyCredentialRequestOptions{
		Challenge: q.Nonce, Timeout: l.patience(c), RelyingPartyID: l.site.id, UserVerification: l.site.verify,
	}
	if c.Credential == nil {
		q.Nobody = true
		return o, nil
	}
	d, err := read(c.Credential)
	if err != nil {
		return o, err
	}
	allowed := protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: d.ID}
	for _, t := range d.Transports {
		allowed.Transport = append(allowed.Transport, protocol.AuthenticatorTransport(t))
	}
	o.AllowedCredentials = []protocol.CredentialDescriptor{allowed}
	return o, nil
}

// patience is how long the browser may ask, in milliseconds.
func (l lock) patience(c channel.Challenge) int {
	return int(max(time.Second, c.ExpiresAt.Sub(l.env.Now())).Milliseconds())
}

// algorithms are those that every authenticator knows one of, best first.
func algorithms() []protocol.CredentialParameter {
	var list []protocol.CredentialParameter
	for _, a := range []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256} {
		list = append(list, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: a})
	}
	return list
}

func read(stored []byte) (device, error) {
	var d device
	if err := json.Unmarshal(stored, &d); err != nil || len(d.ID) == 0 || len(d.Key) == 0 {
		return device{}, errors.New("stored passkey is unreadable")
	}
	return d, nil
}

// name is the Ref of a key: its identifier, in base64url without padding.
func name(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }
