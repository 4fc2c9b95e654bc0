// Package sealtest is the suite that every adapter of ports/seal must pass.
package sealtest

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/ports/seal"
)

// Keeper is what is under test.
type Keeper interface {
	seal.Sealer
	seal.Deriver
}

// Subject is a keeper together with what its operator can do to it.
type Subject struct {
	Keeper     Keeper
	Rotate     func() error // makes another root key active
	Forget     func() error // removes all root keys that are not active any more
	RaiseEpoch func() error
}

const where = "6:tenant5:table3:row6:column"

// Run runs the suite. Each call of open gives a new subject with keys of its own.
func Run(t *testing.T, open func(tb testing.TB) Subject) {
	t.Helper()
	cases := map[string]func(*testing.T, func(testing.TB) Subject){
		"what was sealed opens":                   opens,
		"sealing twice gives two values":          differs,
		"a moved value does not open":             moved,
		"a flipped bit does not open":             flipped,
		"a cut or lengthened value does not open": cut,
		"another installation opens nothing":      foreign,
		"rotation keeps old values readable":      rotated,
		"a forgotten key fails closed":            forgotten,
		"one input derives one value":             stable,
		"labels and parts are kept apart":         separate,
		"an old key derives its old values":       derivedBefore,
		"raising the epoch ends what lets in":     epoch,
		"many may use it at once":                 parallel,
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func opens(t *testing.T, open func(testing.TB) Subject) {
	k := open(t).Keeper
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		place := rapid.String().Draw(t, "place")
		sealed, err := k.Seal(plain, place)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Open(sealed, place)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("sealed %x, opened %x, error %v", plain, got, err)
		}
		if k.Stale(sealed) {
			t.Fatal("a new value is stale")
		}
		if len(plain) >= 8 && bytes.Contains(sealed, plain) {
			t.Fatal("the sealed value shows the plain one")
		}
	})
}

func differs(t *testing.T, open func(testing.TB) Subject) {
	k := open(t).Keeper
	if bytes.Equal(mustSeal(t, k), mustSeal(t, k)) {
		t.Fatal("two sealed values are the same: the nonce repeats")
	}
}

func moved(t *testing.T, open func(testing.TB) Subject) {
	k := open(t).Keeper
	sealed := mustSeal(t, k)
	for _, other := range []string{"", where + "x", where[1:], "7" + where[1:]} {
		refuse(t, k, sealed, other)
	}
}

func flipped(t *testing.T, open func(testing.TB) Subject) {
	k := open(t).Keeper
	sealed := mustSeal(t, k)
	for i := range len(sealed) * 8 {
		b := slices.Clone(sealed)
		b[i/8] ^= 1 << (i % 8)
		refuse(t, k, b, where)
	}
}

func cut(t *testing.T, open func(testing.TB) Subject) {
	k := open(t).Keeper
	sealed := mustSeal(t, k)
	for n := range sealed {
		refuse(t, k, sealed[:n], where)
		refuse(t, k, sealed[n+1:], where)
	}
	refuse(t, k, nil, where)
	refuse(t, k, append(slices.Clone(sealed), 0), where)
	if !k.Stale(nil) || !k.Stale(sealed[:1]) {
		t.Error("what cannot have been sealed under the active key is not stale")
	}
}

func foreign(t *testing.T, open func(testing.TB) Subject) {
	a, b := open(t).Keeper, open(t).Keeper
	refuse(t, b, mustSeal(t, a), where)
	x, _ := a.Derive(seal.Code, []byte("x"))
	if y, _ := b.Derive(seal.Code, []byte("x")); x.Equal(y) {
		t.Error("two installations derive the same")
	}
}

func rotated(t *testing.T, open func(testing.TB) Subject) {
	s := open(t)
	sealed := mustSeal(t, s.Keeper)
	must(t, s.Rotate())
	if _, err := s.Keeper.Open(sealed, where); err != nil {
		t.Fatalf("after a rotation: %v", err)
	}
	if !s.Keeper.Stale(sealed) {
		t.Error("the old value is not stale")
	}
	if again := mustSeal(t, s.Keeper); s.Keeper.Stale(again) {
		t.Error("the value sealed anew is stale")
	}
}

func forgotten(t *testing.T, open func(testing.TB) Subject) {
	s := open(t)
	sealed := mustSeal(t, s.Keeper)
	_, id := s.Keeper.Derive(seal.Code)
	must(t, s.Rotate())
	must(t, s.Forget())
	refuse(t, s.Keeper, sealed, where)
	if _, err := s.Keeper.Open(sealed, where); !errors.Is(err, seal.ErrNoKey) {
		t.Errorf("opening without the key: got %v, want ErrNoKey", err)
	}
	if _, err := s.Keeper.DeriveWith(id, seal.Code); !errors.Is(err, seal.ErrNoKey) {
		t.Errorf("deriving without the key: got %v, want ErrNoKey", err)
	}
}

func parallel(t *testing.T, open func(testing.TB) Subject) {
	s := open(t)
	want, id := s.Keeper.Derive(seal.Log, []byte("x"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				sealed, err := s.Keeper.Seal([]byte("plain"), where)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := s.Keeper.Open(sealed, where); err != nil || string(got) != "plain" {
					t.Errorf("opened %q, error %v", got, err)
				}
				if got, err := s.Keeper.DeriveWith(id, seal.Log, []byte("x")); err != nil || !got.Equal(want) {
					t.Errorf("derived another value, error %v", err)
				}
			}
		})
	}
	for range 3 {
		if err := s.Rotate(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func mustSeal(tb testing.TB, k Keeper) []byte {
	tb.Helper()
	sealed, err := k.Seal([]byte("a plain text"), where)
	must(tb, err)
	return sealed
}

func refuse(tb testing.TB, k Keeper, sealed []byte, place string) {
	tb.Helper()
	if plain, err := k.Open(sealed, place); !errors.Is(err, seal.ErrUnreadable) || plain != nil {
		tb.Errorf("opening %d bytes at %q: got %q, error %v, want ErrUnreadable", len(sealed), place, plain, err)
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
