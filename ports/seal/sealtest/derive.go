package sealtest

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/ports/seal"
)

const unheardOf seal.Label = "unheard of"

func stable(t *testing.T, open func(testing.TB) Subject) {
	k := open(t).Keeper
	for _, l := range append(seal.Labels(), unheardOf) {
		a, id := k.Derive(l, []byte("one"), []byte("two"))
		b, _ := k.Derive(l, []byte("one"), []byte("two"))
		c, err := k.DeriveWith(id, l, []byte("one"), []byte("two"))
		if id == 0 || err != nil || !a.Equal(b) || !a.Equal(c) {
			t.Errorf("label %q: one input has several values, key %d, error %v", l, id, err)
		}
	}
}

func separate(t *testing.T, open func(testing.TB) Subject) {
	k := open(t).Keeper
	seen := make(map[seal.Sum]seal.Label)
	for _, l := range append(seal.Labels(), unheardOf, unheardOf+"2", "") {
		sum, _ := k.Derive(l, []byte("x"))
		if o, ok := seen[sum]; ok {
			t.Errorf("labels %q and %q derive the same", l, o)
		}
		seen[sum] = l
	}
	part := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a'}), 0, 4)
	parts := rapid.SliceOfN(part, 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		x, _ := k.Derive(seal.Code, a...)
		y, _ := k.Derive(seal.Code, b...)
		if same := slices.EqualFunc(a, b, slices.Equal); x.Equal(y) != same {
			t.Fatalf("parts %q and %q: equal values %t", a, b, !same)
		}
	})
}

func derivedBefore(t *testing.T, open func(testing.TB) Subject) {
	s := open(t)
	before, id := s.Keeper.Derive(seal.Code, []byte("x"))
	must(t, s.Rotate())
	if after, now := s.Keeper.Derive(seal.Code, []byte("x")); now == id || after.Equal(before) {
		t.Errorf("a rotation did not change the key %d", id)
	}
	again, err := s.Keeper.DeriveWith(id, seal.Code, []byte("x"))
	if err != nil || !again.Equal(before) {
		t.Errorf("a live code died of a rotation, error %v", err)
	}
}

func epoch(t *testing.T, open func(testing.TB) Subject) {
	s := open(t)
	sealed := mustSeal(t, s.Keeper)
	before := make(map[seal.Label]seal.Sum)
	var id seal.KeyID
	for _, l := range append(seal.Labels(), unheardOf) {
		before[l], id = s.Keeper.Derive(l, []byte("x"))
	}
	must(t, s.RaiseEpoch())
	for l, sum := range before {
		now, _ := s.Keeper.Derive(l, []byte("x"))
		then, err := s.Keeper.DeriveWith(id, l, []byte("x"))
		if err != nil || !now.Equal(then) {
			t.Errorf("label %q: the two ways differ, error %v", l, err)
		}
		if now.Equal(sum) == l.Epochal() {
			t.Errorf("label %q: epochal is %t, value changed is %t", l, l.Epochal(), !now.Equal(sum))
		}
	}
	if _, err := s.Keeper.Open(sealed, where); err != nil {
		t.Errorf("what is sealed must outlive the epoch: %v", err)
	}
}
