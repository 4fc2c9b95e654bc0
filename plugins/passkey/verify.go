package passkey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/countersign/countersign/ports/channel"
)

// The values of RFC 8176 that a signature may stand for.
const (
	hwk  = "hwk"
	swk  = "swk"
	user = "user"
	mfa  = "mfa"
)

// What of a response is stored is bounded: an identifier as WebAuthn 5.8.3 says,
// a key as long as the longest that we ask for, with room.
const (
	mostResponse   = 64 << 10 // bytes
	mostID         = 1023     // bytes
	mostKey        = 2 << 10  // bytes
	mostTransports = 8
	mostTransport  = 32 // bytes
)

// Verify checks a new key, or a signature by a known one (WebAuthn 7.1, 7.2).
func (l lock) Verify(ctx context.Context, c channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	if err := ctx.Err(); err != nil {
		return channel.Verdict{}, err
	}
	if len(s) == 0 {
		return channel.Reject(channel.Mismatch), nil // we asked nothing, so nothing can answer it
	}
	var q asked
	if err := json.Unmarshal(s, &q); err != nil || len(q.Nonce) < nonceBytes {
		return channel.Verdict{}, errors.New("stored challenge is unreadable")
	}
	if len(r.Data) > mostResponse {
		return channel.Reject(channel.Mismatch), nil
	}
	if c.Purpose == channel.Enroll {
		return l.created(q, r.Data)
	}
	if c.Credential == nil {
		return channel.Reject(channel.Mismatch), nil // nobody knows this key
	}
	d, err := read(c.Credential)
	if err != nil {
		return channel.Verdict{}, err
	}
	return l.signed(c, q, d, r.Data)
}

func (l lock) created(q asked, data []byte) (channel.Verdict, error) {
	p, err := protocol.ParseCredentialCreationResponseBytes(data)
	if err != nil {
		return channel.Reject(channel.Mismatch), nil //nolint:nilerr // it is no response
	}
	_, err = p.Verify(protocol.URLEncodedBase64(q.Nonce).String(), l.site.id, l.site.origins, l.site.apps, nil,
		protocol.TopOriginExplicitVerificationMode, false, q.Verify, true, nil, algorithms(),
		protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
	auth := p.Response.AttestationObject.AuthData
	d := device{
		ID: p.RawID, Key: auth.AttData.CredentialPublicKey, User: q.User,
		Counter: auth.Counter, Synced: auth.Flags.HasBackupEligible(), Transports: transports(p.Response.Transports),
	}
	if err != nil || len(d.ID) > mostID || len(d.Key) == 0 || len(d.Key) > mostKey || !consistent(auth.Flags) {
		return channel.Reject(channel.Mismatch), nil //nolint:nilerr // it is no right response
	}
	return verified(d, auth.Flags)
}

func (l lock) signed(c channel.Challenge, q asked, d device, data []byte) (channel.Verdict, error) {
	p, err := protocol.ParseCredentialRequestResponseBytes(data)
	if err != nil || !bytes.Equal(p.RawID, d.ID) || !mine(p.Response.UserHandle, d, q.Nobody) {
		return channel.Reject(channel.Mismatch), nil //nolint:nilerr // it is no response by this key
	}
	auth := p.Response.AuthenticatorData
	err = p.Verify(protocol.URLEncodedBase64(q.Nonce).String(), l.site.id, "", l.site.origins, l.site.apps, nil,
		protocol.TopOriginExplicitVerificationMode, false, q.Verify, true, d.Key, protocol.SignaturePolicy{})
	if err != nil || !consistent(auth.Flags) || auth.Flags.HasBackupEligible() != d.Synced {
		return channel.Reject(channel.Mismatch), nil //nolint:nilerr // it is no right response
	}
	// A device that counts its signatures only counts up. If it falls back, the
	// key has been copied, or the response was seen before (WebAuthn 7.2, 22).
	if (auth.Counter != 0 || d.Counter != 0) && auth.Counter <= d.Counter {
		l.env.Log.Warn("a passkey's counter fell back, so it was refused: the key may have been copied",
			"subject", c.Subject, "stored", d.Counter, "received", auth.Counter)
		return channel.Reject(channel.Replayed), nil
	}
	d.Counter = auth.Counter
	return verified(d, auth.Flags)
}

// mine reports whether the device names the owner of the key. It must where
// nobody else has; elsewhere it need not (WebAuthn 7.2, 6).
func mine(handle []byte, d device, needed bool) bool {
	if len(handle) == 0 {
		return !needed
	}
	return bytes.Equal(handle, d.User)
}

// consistent refuses a key that is backed up and yet cannot be (WebAuthn 6.1.3).
func consistent(f protocol.AuthenticatorFlags) bool {
	return f.HasBackupEligible() || !f.HasBackupState()
}

// verified says what a key has proved.
func verified(d device, f protocol.AuthenticatorFlags) (channel.Verdict, error) {
	cred, err := json.Marshal(d)
	if err != nil {
		return channel.Verdict{}, fmt.Errorf("keep the passkey: %w", err)
	}
	amr := []string{hwk}
	if d.Synced {
		amr = []string{swk}
	}
	if f.HasUserVerified() {
		amr = append(amr, user, mfa)
	}
	return channel.Verdict{Outcome: channel.Verified, Credential: cred, Ref: name(d.ID), AMR: amr}, nil
}

// transports are hints for the browser, as far as they look like any.
func transports(list []protocol.AuthenticatorTransport) []string {
	var out []string
	for _, t := range list[:min(len(list), mostTransports)] {
		if len(t) <= mostTransport {
			out = append(out, string(t))
		}
	}
	return out
}

// Locate reads which key claims to have signed. It is not believed before Verify.
func (l lock) Locate(r channel.Response) (string, bool) {
	if len(r.Data) > mostResponse {
		return "", false
	}
	p, err := protocol.ParseCredentialRequestResponseBytes(r.Data)
	if err != nil || len(p.RawID) > mostID {
		return "", false
	}
	return name(p.RawID), true
}
