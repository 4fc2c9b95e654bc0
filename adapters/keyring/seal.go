package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/countersign/countersign/ports/seal"
)

// A sealed value is: format (1 byte), key id (1), nonce (12), AES-256-GCM
// ciphertext with its tag (16 more than the text). The first two bytes are
// associated data as well. Random nonces are good for 2³² values under one
// root secret (NIST SP 800-38D section 8.3): rotate before that.
const (
	format    = 1
	headerLen = 2
	nonceLen  = 12
	tagLen    = 16
)

// root is the keys made from one root secret.
type root struct {
	id   seal.KeyID
	aead cipher.AEAD
	macs map[seal.Label]*macs
	rest *macs // for labels we have not heard of
}

func newRootKeys(r Root) (*root, error) {
	key, err := subkey(r.Secret, "seal")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	k := &root{id: r.ID, aead: aead, macs: make(map[seal.Label]*macs)}
	for _, l := range seal.Labels() {
		if key, err = subkey(r.Secret, "derive/"+string(l)); err != nil {
			return nil, err
		}
		k.macs[l] = newMACs(key)
	}
	if key, err = subkey(r.Secret, "derive"); err != nil {
		return nil, err
	}
	k.rest = newMACs(key)
	return k, nil
}

// subkey separates uses with HKDF-SHA-256 (RFC 5869). It needs no salt, as the
// secret is uniform.
func subkey(secret Secret, use string) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, nil, "countersign/1/"+use, sha256.Size)
}

// Seal implements seal.Sealer.
func (r *Ring) Seal(plain []byte, where string) ([]byte, error) {
	k := r.content.Load().active
	out := make([]byte, headerLen+nonceLen, headerLen+nonceLen+len(plain)+tagLen)
	out[0], out[1] = format, byte(k.id)
	if _, err := io.ReadFull(r.random, out[headerLen:]); err != nil {
		return nil, fmt.Errorf("make nonce: %w", err)
	}
	return k.aead.Seal(out, out[headerLen:], plain, bind(out[:headerLen], where)), nil
}

// Open implements seal.Sealer.
func (r *Ring) Open(sealed []byte, where string) ([]byte, error) {
	if len(sealed) < headerLen+nonceLen+tagLen || sealed[0] != format {
		return nil, seal.ErrUnreadable
	}
	k, ok := r.content.Load().roots[seal.KeyID(sealed[1])]
	if !ok {
		return nil, fmt.Errorf("%w: root secret %d: %w", seal.ErrUnreadable, sealed[1], seal.ErrNoKey)
	}
	nonce, text := sealed[headerLen:headerLen+nonceLen], sealed[headerLen+nonceLen:]
	plain, err := k.aead.Open(nil, nonce, text, bind(sealed[:headerLen], where))
	if err != nil {
		return nil, seal.ErrUnreadable
	}
	return plain, nil
}

// Stale implements seal.Sealer.
func (r *Ring) Stale(sealed []byte) bool {
	return len(sealed) < headerLen || sealed[0] != format ||
		seal.KeyID(sealed[1]) != r.content.Load().active.id
}

func bind(header []byte, where string) []byte {
	return append(append(make([]byte, 0, headerLen+len(where)), header...), where...)
}
