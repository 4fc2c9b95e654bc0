package challenges

import (
	"crypto/hmac"
	"encoding/binary"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/seal"
)

// Codes derives one-time codes. Nothing about a code is stored: it follows from
// the challenge and a key that the database does not hold, so a resend repeats
// it, and a stolen database has nothing to guess at. It is safe for concurrent use.
type Codes struct {
	deriver seal.Deriver
	format  challenge.Format
}

// NewCodes makes codes of one format.
func NewCodes(d seal.Deriver, f challenge.Format) *Codes { return &Codes{deriver: d, format: f} }

var _ channel.Codes = (*Codes)(nil)

// Shape says what codes look like.
func (k *Codes) Shape(channel.Challenge) channel.Shape {
	shape := channel.Shape{Length: k.format.Length(), Alphabet: channel.Crockford}
	if k.format == challenge.Digits(k.format.Length()) {
		shape.Alphabet = channel.Digits
	}
	return shape
}

// Match reports, in constant time, whether code is the challenge's code.
func (k *Codes) Match(c channel.Challenge, code string) bool {
	clean, ok := challenge.Clean(code)
	want, found := k.derive(c)
	return hmac.Equal([]byte(clean), []byte(want)) && ok && found
}

// Of is the code of a challenge. It reports false if the key that the challenge
// was made under is gone, or the challenge has no such code.
func (k *Codes) Of(c challenge.Challenge) (string, bool) {
	return k.derive(channel.Challenge{Handle: c.Handle, Address: c.Destination, Seed: seed(c)})
}

// derive spreads the keyed bytes over the code, taking more where needed.
func (k *Codes) derive(c channel.Challenge) (string, bool) {
	if len(c.Seed) < 4 {
		return "", false
	}
	key := seal.KeyID(binary.BigEndian.Uint32(c.Seed)) //nolint:gosec // key ids fit into a byte
	var bytes []byte
	for round := range byte(8) {
		sum, err := k.deriver.DeriveWith(key, seal.Code, c.Seed, []byte(c.Handle), []byte(c.Address), []byte{round})
		if err != nil {
			return "", false
		}
		bytes = append(bytes, sum[:]...)
		if code, ok := challenge.Code(k.format, bytes); ok {
			return code, true
		}
	}
	return "", false
}

// key is the id of the key that new codes are derived under.
func (k *Codes) key() uint32 {
	_, id := k.deriver.Derive(seal.Code)
	return uint32(id)
}

// seed is what, besides handle and address, a code follows from: the key, the
// tenant, the purpose and the nonce, each with its length.
func seed(c challenge.Challenge) []byte {
	out := binary.BigEndian.AppendUint32(nil, c.KeyID)
	for _, part := range [][]byte{[]byte(c.Tenant), []byte(c.Purpose), c.Nonce} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part))) //nolint:gosec // a few bytes
		out = append(out, part...)
	}
	return out
}
