package passwordtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	domain "github.com/countersign/countersign/domain/password"
)

func changed(t *testing.T, open opener) {
	h := open(t, plain()).Hasher
	good := mustHash(t, h, right)
	refuse := func(hash domain.Hash) {
		t.Helper()
		if same, stale := mustCompare(t, h, hash, right); same || stale {
			t.Errorf("%q, made from %q: same %t, stale %t", string(hash), string(good), same, stale)
		}
	}
	for i := range len(good) {
		b := []byte(good)
		b[i] ^= 1
		refuse(domain.Hash(b))
		refuse(good[:i])
		refuse(good[:i] + good[i+1:])
	}
	for _, tail := range []string{"=", "A", "$", "\n", "\x00", " ", "$x"} {
		refuse(good + domain.Hash(tail))
		refuse(domain.Hash(tail) + good)
	}
	refuse(good + good)
	refuse(domain.Hash(right))
	refuse(domain.Hash(strings.ToUpper(string(good))))
	if same, _ := mustCompare(t, h, good, right); !same {
		t.Error("the good hash died of it")
	}
}

// number finds the parameters of a PHC string, and its version.
var number = regexp.MustCompile(`[a-z]=\d+`)

func hostile(t *testing.T, open opener) {
	h := open(t, plain()).Hasher
	good := string(mustHash(t, h, right))
	usual := spent(func() { mustCompare(t, h, domain.Hash(good), right) })
	parts := strings.Split(good, "$")
	bad := []string{
		strings.Repeat("$", 1<<16), strings.Repeat(good, 1000), "$argon2id$", "$argon2id$v=19$$$", "$2b$31$" + strings.Repeat("a", 53),
		"$scrypt$ln=31,r=255,p=255$" + parts[len(parts)-2] + "$" + parts[len(parts)-1],
		strings.Join(parts[:len(parts)-1], "$") + "$", strings.Join(parts[:len(parts)-1], "$") + "$" + strings.Repeat("A", 1<<16),
		strings.Replace(good, parts[len(parts)-2], strings.Repeat("A", 1<<16), 1), strings.Replace(good, parts[len(parts)-2], "", 1),
	}
	for _, at := range number.FindAllStringIndex(good, -1) {
		name, value := good[at[0]:at[0]+2], good[at[0]+2:at[1]]
		for _, v := range []string{
			"", "0", "-1", "+" + value, "0" + value, value + " ", "0x10", "1e9", "1000000000", "4294967295", "4294967296",
			"18446744073709551615", "18446744073709551616", strings.Repeat("9", 1000), value + "," + name + value, "٣",
		} {
			bad = append(bad, good[:at[0]]+name+v+good[at[1]:])
		}
	}
	if len(bad) < 40 {
		t.Fatal("no parameters were found in the hash: it is not in PHC string form")
	}
	for _, hash := range bad {
		cost := spent(func() {
			if same, stale := mustCompare(t, h, domain.Hash(hash), right); same || stale {
				t.Errorf("%.80q: same %t, stale %t", hash, same, stale)
			}
		})
		alike(t, cost, usual)
	}
}

func noRandomness(t *testing.T, open opener) {
	for _, r := range []io.Reader{iotest.ErrReader(errNoRandomness), io.LimitReader(strings.NewReader("few"), 3)} {
		s := plain()
		s.Random = r
		hash, err := open(t, s).Hasher.Hash(t.Context(), right)
		if err == nil || hash != "" {
			t.Error("a hash was made without a salt")
			continue
		}
		silent(t, err, right)
	}
}

func hidden(t *testing.T, open opener) {
	s := open(t, plain())
	hash := mustHash(t, s.Hasher, right)
	secrets := []string{right, string(hash)}
	silent(t, hash, secrets...)
	silent(t, &hash, secrets...)
	silent(t, domain.Record{Hash: hash}, secrets...)
	silent(t, s.Hasher, secrets...)
	strong, err := s.Costlier()
	must(t, err)
	silent(t, strong, secrets...)
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = s.Hasher.Hash(ended, right)
	silent(t, err, secrets...)
	_, _, err = s.Hasher.Compare(ended, hash, right)
	silent(t, err, secrets...)
}

// silent checks that nothing can be read from what is printed.
func silent(tb testing.TB, what any, secrets ...string) {
	tb.Helper()
	texts := []string{fmt.Sprint(what), fmt.Sprintf("%+v", what), fmt.Sprintf("%#v", what), fmt.Sprintf("%q", what), fmt.Sprintf("%s", what)}
	for err, ok := what.(error); ok && err != nil; err = errors.Unwrap(err) {
		texts = append(texts, fmt.Sprintf("%+v %#v", err, err))
	}
	for _, text := range texts {
		for _, s := range secrets {
			if strings.Contains(text, s) || strings.Contains(text, s[len(s)/2:]) {
				tb.Errorf("a %T shows what it must not", what)
				return
			}
		}
	}
}
