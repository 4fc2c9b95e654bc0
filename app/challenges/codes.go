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
type Codes struct{ deriver seal.Deriver }

// NewCodes makes codes.
func NewCodes(d seal.Deriver) *Codes { return &Codes{deriver: d} }

var _ channel.Codes = (*Codes)(nil)

// Shape says what codes look like: as the policy of the challenge's tenant said
// when it began.
func (k *Codes) Shape(c channel.Challenge) channel.Shape {
	return shapeOf(formatIn(c.Seed))
}

func shapeOf(f challenge.Format) channel.Shape {
	shape := channel.Shape{Length: f.Length(), Alphabet: channel.Crockford}
	if f == challenge.Digits(shape.Length) {
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
	f := formatIn(c.Seed)
	if !f.Typed() {
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
		if code, ok := challenge.Code(f, bytes); ok {
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

// seed is what, besides handle and address, a code follows from: the key, and,
// each with its length, the format, the tenant, the purpose, the nonce and what
// is approved. So a code for one transaction is none for another.
func seed(c challenge.Challenge) []byte {
	out := binary.BigEndian.AppendUint32(nil, c.KeyID)
	for _, part := range [][]byte{[]byte(c.Format), []byte(c.Tenant), []byte(c.Purpose), c.Nonce, challenge.DetailHash(c.Extra.Detail)} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part))) //nolint:gosec // a few bytes
		out = append(out, part...)
	}
	return out
}

// formatIn reads the format back from a seed; "" if there is none.
func formatIn(seed []byte) challenge.Format {
	if len(seed) < 8 {
		return ""
	}
	n := binary.BigEndian.Uint32(seed[4:])
	if uint64(n) > uint64(len(seed)-8) { //nolint:gosec // a length
		return ""
	}
	return challenge.Format(seed[8 : 8+n])
}
