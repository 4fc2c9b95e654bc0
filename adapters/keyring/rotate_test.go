package keyring_test

import (
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/token"
)

// counting gives bytes that never repeat within a test, and always the same ones.
type counting struct{ n byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		c.n++
		p[i] = c.n
	}
	return len(p), nil
}

func TestRotationMovesEveryKeyOn(t *testing.T) {
	f := newFile(t)
	first, second := f.Signing[0].ID, f.Signing[1].ID
	if err := rotate(f, now); err != nil {
		t.Fatal(err)
	}
	set := newRing(t, f).Keys()
	if set.Active.ID != second || len(set.Others) != 2 {
		t.Fatalf("active %v, others %v", set.Active, set.Others)
	}
	if old := set.Others[0]; old.ID != first || !old.Until.Equal(now.Add(time.Hour)) {
		t.Fatalf("retired %v until %v", old, old.Until)
	}
	if next := set.Others[1]; !next.Until.IsZero() {
		t.Fatalf("the next key ends at %v", next.Until)
	}
	if err := rotate(f, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if knows(newRing(t, f).Keys(), first) {
		t.Error("a key whose tokens have run out is still there")
	}
	if len(f.Roots) != 4 {
		t.Errorf("%d roots, want every one there was", len(f.Roots))
	}
}

func TestRotationWithoutANextKeyMakesIt(t *testing.T) {
	f := newFile(t)
	f.Roots, f.Signing = f.Roots[:1], f.Signing[:1]
	err := f.Rotate(keyring.Rotation{Random: rand.Reader, Now: now, Algorithm: token.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if f.Roots[0].State != keyring.Retired || f.Roots[1].State != keyring.Active || f.Roots[2].State != keyring.Next {
		t.Errorf("roots are %+v", f.Roots)
	}
	if k := newRing(t, f).Keys().Active; k.Algorithm != token.ES256 {
		t.Errorf("active is %v", k)
	}
}

func TestAFailedRotationChangesNothing(t *testing.T) {
	f := newFile(t)
	before := marshal(t, f)
	for n := range 2 {
		short := io.LimitReader(&counting{}, int64(n)*32+16)
		if err := f.Rotate(keyring.Rotation{Random: short, Now: now}); err == nil {
			t.Fatal("rotated without randomness")
		}
		if after := marshal(t, f); after != before {
			t.Fatalf("changed to %s", after)
		}
	}
}

func TestOnlyRetiredRootsCanBeForgotten(t *testing.T) {
	f := newFile(t)
	for _, id := range []seal.KeyID{1, 2, 9} {
		if f.Forget(id) == nil {
			t.Errorf("root %d is forgotten", id)
		}
	}
	if err := errors.Join(rotate(f, now), f.Forget(1)); err != nil {
		t.Fatal(err)
	}
}

func TestRootIDsDoNotWrapAround(t *testing.T) {
	f := newFile(t)
	f.Roots[1].ID = 255
	if err := rotate(f, now); err == nil {
		t.Fatal("a root got the id 0 or a used one")
	}
}

func TestGenerateDependsOnTheReaderOnly(t *testing.T) {
	a, err := keyring.Generate(&counting{}, now, "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := keyring.Generate(&counting{}, now, token.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	if marshal(t, a) != marshal(t, b) {
		t.Fatal("one reader made two files")
	}
	if _, err := keyring.Generate(&counting{}, now, "HS256"); err == nil {
		t.Fatal("made a key for HS256")
	}
}
