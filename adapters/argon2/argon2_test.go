package argon2_test

import (
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/argon2"
	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/textnorm"
	domain "github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/ports/password"
	"github.com/countersign/countersign/ports/password/passwordtest"
	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/token"
)

var (
	cheap    = argon2.Cost{Memory: 256, Passes: 1, Lanes: 1}
	costlier = argon2.Cost{Memory: 512, Passes: 2, Lanes: 1}
	start    = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
)

func must[T any](tb testing.TB) func(T, error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func config(s passwordtest.Settings, pepper seal.Deriver) argon2.Config {
	return argon2.Config{Random: s.Random, Normalize: s.Normalize, Pepper: pepper, Slots: s.Slots, Queue: s.Queue, Cost: cheap}
}

func subject(tb testing.TB, c argon2.Config) passwordtest.Subject {
	return passwordtest.Subject{
		Hasher: must[*argon2.Hasher](tb)(argon2.New(c)),
		Costlier: func() (password.Hasher, error) {
			c.Cost = costlier
			return argon2.New(c)
		},
	}
}

func TestTheHasherKeepsThePortsPromises(t *testing.T) {
	passwordtest.Run(t, func(tb testing.TB, s passwordtest.Settings) passwordtest.Subject {
		return subject(tb, config(s, nil))
	})
}

func TestTheHasherKeepsThePortsPromisesWithAPepper(t *testing.T) {
	passwordtest.Run(t, func(tb testing.TB, s passwordtest.Settings) passwordtest.Subject {
		f := must[*keyring.File](tb)(keyring.Generate(rand.Reader, start, token.EdDSA))
		ring := must[*keyring.Ring](tb)(keyring.New(f, rand.Reader))
		sub := subject(tb, config(s, ring))
		sub.Rotate = func() error {
			return errors.Join(f.Rotate(keyring.Rotation{Random: rand.Reader, Now: start, Keep: time.Hour}), ring.Use(f))
		}
		sub.Forget = func() error {
			f.Roots = slices.DeleteFunc(f.Roots, func(r keyring.Root) bool { return r.State == keyring.Retired })
			return ring.Use(f)
		}
		return sub
	})
}

func TestAHashIsWrittenAsOthersWriteIt(t *testing.T) {
	h := must[*argon2.Hasher](t)(argon2.New(argon2.Config{Random: strings.NewReader("somesaltsomesalt")}))
	hash := must[domain.Hash](t)(h.Hash(t.Context(), "password"))
	if want := "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"; !strings.HasPrefix(string(hash), want) || len(hash) != len(want)+43 {
		t.Errorf("got %q", string(hash))
	}
}

// The reference implementation made these, from "password" and "somesalt".
func TestHashesOfTheReferenceImplementationAreRead(t *testing.T) {
	h := must[*argon2.Hasher](t)(argon2.New(argon2.Config{Random: rand.Reader, Cost: cheap}))
	for _, hash := range []domain.Hash{
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
	} {
		same, stale, err := h.Compare(t.Context(), hash, "password")
		if err != nil || !same || !stale { // its salt is shorter than ours
			t.Errorf("%q: same %t, stale %t, error %v", string(hash), same, stale, err)
		}
	}
}

func TestThePepperIsNamedAndOutlivesTheEpoch(t *testing.T) {
	f := must[*keyring.File](t)(keyring.Generate(rand.Reader, start, token.EdDSA))
	ring := must[*keyring.Ring](t)(keyring.New(f, rand.Reader))
	h := must[*argon2.Hasher](t)(argon2.New(argon2.Config{Random: rand.Reader, Pepper: ring, Cost: cheap}))
	hash := must[domain.Hash](t)(h.Hash(t.Context(), "password"))
	if !strings.Contains(string(hash), "$m=256,t=1,p=1,keyid=AQ$") {
		t.Errorf("got %q", string(hash))
	}
	f.RaiseEpoch()
	if err := ring.Use(f); err != nil {
		t.Fatal(err)
	}
	if same, stale, err := h.Compare(t.Context(), hash, "password"); err != nil || !same || stale {
		t.Errorf("after a restored back-up: same %t, stale %t, error %v", same, stale, err)
	}
}

func TestAHashWithoutPepperIsNotPlanted(t *testing.T) {
	ring := must[*keyring.Ring](t)(keyring.Ephemeral(rand.Reader, start))
	bare := must[*argon2.Hasher](t)(argon2.New(argon2.Config{Random: rand.Reader, Cost: cheap}))
	peppered := must[*argon2.Hasher](t)(argon2.New(argon2.Config{Random: rand.Reader, Cost: cheap, Pepper: ring}))
	for _, c := range [][2]*argon2.Hasher{{bare, peppered}, {peppered, bare}} {
		hash := must[domain.Hash](t)(c[0].Hash(t.Context(), "password"))
		if same, _, err := c[1].Compare(t.Context(), hash, "password"); err != nil || same {
			t.Errorf("%q: same %t, error %v", string(hash), same, err)
		}
	}
}

func TestSpellingsAreOnePassword(t *testing.T) {
	h := must[*argon2.Hasher](t)(argon2.New(argon2.Config{Random: rand.Reader, Normalize: textnorm.NFKC, Cost: cheap}))
	hash := must[domain.Hash](t)(h.Hash(t.Context(), "Caf\u00e9 am\u00a0See"))
	for text, want := range map[string]bool{
		"Cafe\u0301 am See": true, "Ｃaf\u00e9 am\u3000See": true, "caf\u00e9 am See": false, "Cafe am See": false,
	} {
		if same, _, err := h.Compare(t.Context(), hash, text); err != nil || same != want {
			t.Errorf("%+q: same %t, error %v", text, same, err)
		}
	}
}

// The suite holds callers just before they hash; this looks at the hash itself.
func TestNoMoreHashesAreMadeAtOnceThanSlots(t *testing.T) {
	const slots = 2
	h := must[*argon2.Hasher](t)(argon2.New(argon2.Config{Random: rand.Reader, Slots: slots, Cost: costlier}))
	var running, most, made atomic.Int32
	var two sync.WaitGroup // until both slots were seen in use
	two.Add(slots)
	h.Watch(func(hash func() []byte) []byte {
		n := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if made.Add(1) <= slots {
			two.Done()
			two.Wait()
		}
		return hash()
	})
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, _, err := h.Compare(t.Context(), "", "x"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != slots || made.Load() != 30 {
		t.Errorf("%d hashes, at most %d at once", made.Load(), most.Load())
	}
}

// What nobody's password is compared with is known: nothing may be equal to it.
func TestNothingIsThePasswordOfNobody(t *testing.T) {
	h := must[*argon2.Hasher](t)(argon2.New(argon2.Config{Random: rand.Reader, Cost: cheap}))
	h.Watch(func(hash func() []byte) []byte { return make([]byte, len(hash())) })
	if same, _, err := h.Compare(t.Context(), "", "x"); err != nil || same {
		t.Errorf("same %t, error %v", same, err)
	}
}

func TestCostsOutOfBoundsAreRefused(t *testing.T) {
	for _, c := range []argon2.Config{
		{Random: rand.Reader, Cost: argon2.Cost{Memory: 65537, Passes: 1, Lanes: 1}},
		{Random: rand.Reader, Cost: argon2.Cost{Memory: 7, Passes: 1, Lanes: 1}},
		{Random: rand.Reader, Cost: argon2.Cost{Memory: 31, Passes: 1, Lanes: 4}},
		{Random: rand.Reader, Cost: argon2.Cost{Memory: 64, Passes: 9, Lanes: 1}},
		{Random: rand.Reader, Cost: argon2.Cost{Memory: 64, Passes: 1, Lanes: 5}},
		{Random: rand.Reader, Cost: argon2.Cost{Memory: 64, Passes: 1}},
		{Random: rand.Reader, Slots: -1}, {Random: rand.Reader, Queue: -1}, {Random: io.Reader(nil)},
	} {
		if _, err := argon2.New(c); err == nil {
			t.Errorf("cost %+v, slots %d, queue %d is accepted", c.Cost, c.Slots, c.Queue)
		}
	}
}

func FuzzCompare(f *testing.F) {
	for _, hash := range []string{
		"", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=4294967295,t=2,p=1,keyid=AQ$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
	} {
		f.Add(hash, "text")
	}
	h, err := argon2.New(argon2.Config{Random: rand.Reader, Cost: cheap})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, hash, text string) {
		if _, _, err := h.Compare(t.Context(), domain.Hash(hash), text); err != nil {
			t.Error(err)
		}
	})
}
