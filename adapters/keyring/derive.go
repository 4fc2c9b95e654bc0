package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/countersign/countersign/ports/seal"
)

// Derive implements seal.Deriver.
func (r *Ring) Derive(l seal.Label, parts ...[]byte) (seal.Sum, seal.KeyID) {
	c := r.content.Load()
	return c.active.derive(c.epoch, l, parts), c.active.id
}

// DeriveWith implements seal.Deriver.
func (r *Ring) DeriveWith(id seal.KeyID, l seal.Label, parts ...[]byte) (seal.Sum, error) {
	c := r.content.Load()
	k, ok := c.roots[id]
	if !ok {
		return seal.Sum{}, seal.ErrNoKey
	}
	return k.derive(c.epoch, l, parts), nil
}

// derive computes HMAC-SHA-256 over the epoch, or 0, and the parts, each after
// its length. Numbers are 8 bytes, big end first. A label without a key of its
// own shares one, and is the first part.
func (k *root) derive(epoch uint64, l seal.Label, parts [][]byte) seal.Sum {
	if !l.Epochal() {
		epoch = 0
	}
	pool, known := k.macs[l]
	if !known {
		pool = k.rest
	}
	m := pool.take()
	defer pool.give(m)
	m.number(epoch)
	if !known {
		m.part([]byte(l))
	}
	for _, p := range parts {
		m.part(p)
	}
	var sum seal.Sum
	m.hash.Sum(m.sum[:0])
	sum, m.sum = m.sum, seal.Sum{}
	return sum
}

// macs is the HMAC states of one key. Starting one costs as much as a short
// message, so they are used again.
type macs struct{ pool sync.Pool }

// mac is one state with room for what goes in and out; borrowed memory would
// have to be allocated for each call.
type mac struct {
	hash hash.Hash
	num  [8]byte
	sum  seal.Sum
}

func newMACs(key []byte) *macs {
	return &macs{pool: sync.Pool{New: func() any {
		return &mac{hash: hmac.New(sha256.New, key)}
	}}}
}

func (p *macs) take() *mac {
	m, _ := p.pool.Get().(*mac)
	m.hash.Reset()
	return m
}

func (p *macs) give(m *mac) { p.pool.Put(m) }

func (m *mac) number(n uint64) {
	binary.BigEndian.PutUint64(m.num[:], n)
	_, _ = m.hash.Write(m.num[:])
}

func (m *mac) part(p []byte) {
	m.number(uint64(len(p)))
	_, _ = m.hash.Write(p)
}
