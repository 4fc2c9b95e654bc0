package seal_test

import (
	"crypto/sha256"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/ports/seal"
)

// plainly derives without a key, which is enough to see what is put in.
type plainly struct{}

func (plainly) Derive(l seal.Label, parts ...[]byte) (seal.Sum, seal.KeyID) {
	text := []byte(l)
	for _, p := range parts {
		text = append(append(text, 0), p...)
	}
	return sha256.Sum256(text), 1
}

func (p plainly) DeriveWith(_ seal.KeyID, l seal.Label, parts ...[]byte) (seal.Sum, error) {
	s, _ := p.Derive(l, parts...)
	return s, nil
}

func TestPlacesNeverReadAlike(t *testing.T) {
	text := rapid.StringMatching(`[a:0-9]{0,4}`)
	place := rapid.Custom(func(t *rapid.T) seal.Place {
		return seal.Place{
			Tenant: text.Draw(t, "tenant"), Table: text.Draw(t, "table"),
			Row: text.Draw(t, "row"), Column: text.Draw(t, "column"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := place.Draw(t, "a"), place.Draw(t, "b")
		if (a == b) != (a.String() == b.String()) {
			t.Fatalf("%+v and %+v read %q and %q", a, b, a, b)
		}
	})
}

func TestWhatLetsSomebodyInEndsWithTheEpoch(t *testing.T) {
	for l, want := range map[seal.Label]bool{
		seal.Code: true, seal.Link: true, seal.Pending: true, seal.Refresh: true, "unheard of": true,
		seal.Limit: false, seal.Log: false, seal.Body: false,
	} {
		if l.Epochal() != want {
			t.Errorf("label %q: epochal is %t", l, !want)
		}
	}
}

func TestHashDependsOnLabelAndValue(t *testing.T) {
	a := seal.Hash(plainly{}, seal.Log, "a@example.com")
	if len(a) != 22 {
		t.Fatalf("hash %q has %d characters", a, len(a))
	}
	if a != seal.Hash(plainly{}, seal.Log, "a@example.com") {
		t.Fatal("one value has two hashes")
	}
	if a == seal.Hash(plainly{}, seal.Limit, "a@example.com") || a == seal.Hash(plainly{}, seal.Log, "b@example.com") {
		t.Fatal("two values have one hash")
	}
}

func TestSumsDifferInAnyBit(t *testing.T) {
	a := seal.Sum{1, 2, 3}
	for i := range 256 {
		b := a
		b[i/8] ^= 1 << (i % 8)
		if a.Equal(b) {
			t.Fatalf("bit %d does not count", i)
		}
	}
	if !a.Equal(seal.Sum{1, 2, 3}) {
		t.Fatal("a sum is not equal to itself")
	}
}
