// Package passwordtest is the suite that every adapter of ports/password must pass.
package passwordtest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	domain "github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/ports/password"
)

// Settings are what a hasher is made with. The suite looks into one through them.
type Settings struct {
	Random    io.Reader
	Normalize func(string) string // called by those who may run, and by nobody who waits
	Slots     int                 // how many may run at once
	Queue     int                 // how many may wait
}

// Subject is a hasher together with what its operator can do to it. It should
// cost little, but not less than 64 KiB: the suite hashes some hundred times, and
// sees what was spent by the memory.
type Subject struct {
	Hasher   password.Hasher
	Costlier func() (password.Hasher, error) // another one with greater parameters and the same pepper
	Rotate   func() error                    // replaces the pepper; nil if there is none
	Forget   func() error                    // removes all peppers that were replaced
}

type opener func(tb testing.TB, s Settings) Subject

// right is a password. The suite knows it again wherever it should not be.
const right = "Tr0ub4dor & 3 Kühe"

// Run runs the suite. Each call of open gives a new subject.
func Run(t *testing.T, open func(tb testing.TB, s Settings) Subject) {
	t.Helper()
	cases := map[string]func(*testing.T, opener){
		"the right password is the same, all others are not": tellsApart,
		"every character counts":                             everyCharacter,
		"every hash has a salt of its own":                   salts,
		"spellings of a password are one":                    spellings,
		"too long a password is not hashed":                  tooLong,
		"no hash costs a comparison":                         nobody,
		"weaker parameters are stale":                        weaker,
		"a replaced pepper is stale, one that is gone fails": peppers,
		"a changed hash is nobody's":                         changed,
		"a hostile hash costs no more than a good one":       hostile,
		"without randomness there is no hash":                noRandomness,
		"nothing shows the password or the hash":             hidden,
		"many may use it at once":                            parallel,
		"no more run at once than may":                       bounded,
		"who waits can leave":                                leaves,
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// keep is the normal form of a test that is not about spelling.
func keep(text string) string { return text }

// plain gives settings in which nothing is in the way.
func plain() Settings {
	return Settings{Random: rand.Reader, Normalize: keep, Slots: 2, Queue: 100}
}

func tellsApart(t *testing.T, open opener) {
	h := open(t, plain()).Hasher
	texts := rapid.StringN(0, -1, domain.MaxLength)
	rapid.Check(t, func(t *rapid.T) {
		a, b := texts.Draw(t, "a"), texts.Draw(t, "b")
		hash := mustHash(t, h, a)
		if same, stale := mustCompare(t, h, hash, a); !same || stale {
			t.Fatalf("%q with its own hash: same %t, stale %t", a, same, stale)
		}
		if same, stale := mustCompare(t, h, hash, b); same != (a == b) || stale {
			t.Fatalf("%q with the hash of %q: same %t, stale %t", b, a, same, stale)
		}
	})
}

func everyCharacter(t *testing.T, open opener) {
	h := open(t, plain()).Hasher
	long := strings.Repeat("x", domain.MaxLength)
	for _, c := range [][2]string{
		{right, strings.ToLower(right)}, {right, right + " "}, {right, " " + right}, {right, right[1:]}, {right, ""},
		{right, right + "\x00"}, {"pass\x00word", "pass"}, {"pass\x00word", "pass\x00wore"},
		{long, long[1:]}, {long, long[1:] + "y"}, {long[:73], long[:72]},
		{"p\xff", "p\xfe"}, {"p\xff", "p\ufffd"}, {"密码密码密码", "密码密码密马"}, {"", "\x00"},
	} {
		if same, _ := mustCompare(t, h, mustHash(t, h, c[0]), c[1]); same {
			t.Errorf("%.40q is taken for %.40q", c[1], c[0])
		}
	}
}

func salts(t *testing.T, open opener) {
	h := open(t, plain()).Hasher
	a, b := mustHash(t, h, right), mustHash(t, h, right)
	x, y := strings.Split(string(a), "$"), strings.Split(string(b), "$")
	if len(x) != len(y) || x[len(x)-1] == y[len(y)-1] || x[len(x)-2] == y[len(y)-2] {
		t.Error("two hashes of one password have the same salt or end")
	}
	for _, hash := range []domain.Hash{a, b} {
		if same, _ := mustCompare(t, h, hash, right); !same {
			t.Error("one of two hashes does not know its password")
		}
	}
}

func spellings(t *testing.T, open opener) {
	s := plain()
	s.Normalize = strings.NewReplacer("e\u0301", "\u00e9", "ｐ", "p").Replace // as NFKC has it
	h := open(t, s).Hasher
	for _, c := range []struct {
		has, says string
		same      bool
	}{
		{"caf\u00e9", "cafe\u0301", true}, {"cafe\u0301", "caf\u00e9", true}, {"ｐass", "pass", true},
		{"caf\u00e9", "cafe", false}, {"caf\u00e9", "CAF\u00e9", false},
	} {
		if same, _ := mustCompare(t, h, mustHash(t, h, c.has), c.says); same != c.same {
			t.Errorf("%+q for %+q: same is %t", c.says, c.has, same)
		}
	}
}

func tooLong(t *testing.T, open opener) {
	h := open(t, plain()).Hasher
	text := strings.Repeat("ab", domain.MaxLength/2) + "a"
	if hash, err := h.Hash(t.Context(), text); err == nil || hash != "" {
		t.Error("it was hashed")
	} else {
		silent(t, err, text)
	}
	for _, hash := range []domain.Hash{mustHash(t, h, text[1:]), mustHash(t, h, ""), mustHash(t, h, text[:len(text)-1]), ""} {
		if same, _ := mustCompare(t, h, hash, text); same {
			t.Error("it is the right one")
		}
	}
}

func nobody(t *testing.T, open opener) {
	h := open(t, plain()).Hasher
	hash := mustHash(t, h, right)
	usual := spent(func() { mustCompare(t, h, hash, right+"x") })
	if usual < least {
		t.Fatalf("a comparison takes %d bytes: that is too little to see", usual)
	}
	for _, text := range []string{right, "", "\x00", strings.Repeat("x", 2*domain.MaxLength)} {
		cost := spent(func() {
			if same, stale := mustCompare(t, h, "", text); same || stale {
				t.Errorf("%.40q without a hash: same %t, stale %t", text, same, stale)
			}
		})
		alike(t, cost, usual)
	}
}

func weaker(t *testing.T, open opener) {
	s := open(t, plain())
	hash := mustHash(t, s.Hasher, right)
	strong, err := s.Costlier()
	must(t, err)
	if same, stale := mustCompare(t, strong, hash, right); !same || !stale {
		t.Errorf("a weaker hash: same %t, stale %t", same, stale)
	}
	if same, stale := mustCompare(t, strong, hash, "wrong"); same || stale {
		t.Errorf("a weaker hash and a wrong password: same %t, stale %t", same, stale)
	}
	again := mustHash(t, strong, right)
	for what, h := range map[string]password.Hasher{"the one that made it": strong, "a weaker one": s.Hasher} {
		if same, stale := mustCompare(t, h, again, right); !same || stale {
			t.Errorf("a hash made anew, by %s: same %t, stale %t", what, same, stale)
		}
	}
}

func peppers(t *testing.T, open opener) {
	s := open(t, plain())
	if s.Rotate == nil {
		return // a hasher without a pepper keeps no promise about it
	}
	foreign := open(t, plain()).Hasher
	hash := mustHash(t, s.Hasher, right)
	if same, _ := mustCompare(t, foreign, hash, right); same {
		t.Error("a hash is good under any pepper")
	}
	must(t, s.Rotate())
	if same, stale := mustCompare(t, s.Hasher, hash, right); !same || !stale {
		t.Errorf("after a rotation: same %t, stale %t", same, stale)
	}
	again := mustHash(t, s.Hasher, right)
	if same, stale := mustCompare(t, s.Hasher, again, right); !same || stale {
		t.Errorf("made anew: same %t, stale %t", same, stale)
	}
	must(t, s.Forget())
	usual := spent(func() {
		if same, _ := mustCompare(t, s.Hasher, again, right); !same {
			t.Error("the new hash died with the old pepper")
		}
	})
	alike(t, spent(func() {
		if same, stale := mustCompare(t, s.Hasher, hash, right); same || stale {
			t.Errorf("without its pepper: same %t, stale %t", same, stale)
		}
	}), usual)
}

func parallel(t *testing.T, open opener) {
	h := open(t, plain()).Hasher
	hash := mustHash(t, h, right)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			own, err := h.Hash(t.Context(), strings.Repeat("x", i))
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 8 {
				if same, _, err := h.Compare(t.Context(), own, strings.Repeat("x", j)); err != nil || same != (i == j) {
					t.Errorf("%d for %d: same %t, error %v", j, i, same, err)
				}
				if same, _, err := h.Compare(t.Context(), hash, right); err != nil || !same {
					t.Errorf("the right password: same %t, error %v", same, err)
				}
			}
		})
	}
	wg.Wait()
}

// least is what a comparison must take for its memory to tell anything, in bytes.
const least = 64 << 10

// spent gives the bytes that were allocated meanwhile: a measure of work that
// does not depend on how busy the machine is.
func spent(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func alike(tb testing.TB, cost, usual uint64) {
	tb.Helper()
	if cost < usual-usual/5 || cost > usual+usual/5 {
		tb.Errorf("it took %d bytes, where a comparison takes %d", cost, usual)
	}
}

// failing is a testing.TB or a *rapid.T.
type failing interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustHash(t failing, h password.Hasher, text string) domain.Hash {
	t.Helper()
	hash, err := h.Hash(context.Background(), text)
	if err != nil || hash == "" {
		t.Fatalf("hash: %v", err)
	}
	return hash
}

func mustCompare(t failing, h password.Hasher, hash domain.Hash, text string) (same, stale bool) {
	t.Helper()
	same, stale, err := h.Compare(context.Background(), hash, text)
	if err != nil {
		t.Fatalf("compare: %v", err)
	}
	return same, stale
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

var errNoRandomness = errors.New("no randomness")
