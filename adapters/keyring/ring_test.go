package keyring_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/seal/sealtest"
	"github.com/countersign/countersign/ports/token"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newFile(tb testing.TB) *keyring.File {
	tb.Helper()
	f, err := keyring.Generate(rand.Reader, now, token.EdDSA)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func newRing(tb testing.TB, f *keyring.File) *keyring.Ring {
	tb.Helper()
	r, err := keyring.New(f, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func rotate(f *keyring.File, at time.Time) error {
	return f.Rotate(keyring.Rotation{Random: rand.Reader, Now: at, Keep: time.Hour})
}

func TestRingKeepsSecrets(t *testing.T) {
	sealtest.Run(t, func(tb testing.TB) sealtest.Subject {
		f := newFile(tb)
		r := newRing(tb, f)
		return sealtest.Subject{
			Keeper: r,
			Rotate: func() error { return errors.Join(rotate(f, now), r.Use(f)) },
			Forget: func() error {
				var errs []error
				for _, root := range f.Roots {
					if root.State == keyring.Retired {
						errs = append(errs, f.Forget(root.ID))
					}
				}
				return errors.Join(append(errs, r.Use(f))...)
			},
			RaiseEpoch: func() error { f.RaiseEpoch(); return r.Use(f) },
		}
	})
}

func TestReplicasUnderstandEachOtherDuringRotation(t *testing.T) {
	f := newFile(t)
	old, new := newRing(t, f), newRing(t, f)
	if err := errors.Join(rotate(f, now), new.Use(f)); err != nil {
		t.Fatal(err)
	}
	sealed, err := new.Seal([]byte("plain"), "here")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Open(sealed, "here"); err != nil {
		t.Errorf("a replica that has not read the file yet: %v", err)
	}
	want, id := new.Derive(seal.Code, []byte("x"))
	if got, err := old.DeriveWith(id, seal.Code, []byte("x")); err != nil || !got.Equal(want) {
		t.Errorf("a replica that has not read the file yet derives another code, error %v", err)
	}
	if !knows(old.Keys(), new.Keys().Active.ID) {
		t.Error("a replica that has not read the file yet does not know the signing key")
	}
}

func knows(s *token.KeySet, id string) bool {
	for _, k := range s.All() {
		if k.ID == id {
			return true
		}
	}
	return false
}

func TestEpochOfARunningRingDoesNotGoBack(t *testing.T) {
	f := newFile(t)
	r := newRing(t, f)
	lower := *f
	f.RaiseEpoch()
	if err := r.Use(f); err != nil || r.Epoch() != 2 {
		t.Fatalf("epoch %d, error %v", r.Epoch(), err)
	}
	if err := r.Use(&lower); err == nil || r.Epoch() != 2 {
		t.Fatalf("epoch %d, error %v", r.Epoch(), err)
	}
}

func TestKeySetIsTheSameUntilItChanges(t *testing.T) {
	f := newFile(t)
	r := newRing(t, f)
	set := r.Keys()
	if set != r.Keys() {
		t.Fatal("the set changed by itself")
	}
	if err := errors.Join(rotate(f, now), r.Use(f)); err != nil {
		t.Fatal(err)
	}
	if set == r.Keys() {
		t.Fatal("the set did not change with its keys")
	}
}

func TestSecretsPrintAsDots(t *testing.T) {
	f := newFile(t)
	r := newRing(t, f)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "ring", r, "secret", f.Roots[0].Secret, "key", r.Keys().Active)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", f, r, r.Keys())
	}
	text := out.String() + log.String()
	for _, s := range []keyring.Secret{f.Roots[0].Secret, f.Signing[0].Private[16:]} {
		if strings.Contains(text, base64.StdEncoding.EncodeToString(s)[:20]) {
			t.Error("secret shown as base64")
		}
		for _, form := range []string{"%s", "%x", "%d", "%v", "%q"} {
			leak := fmt.Sprintf(form, []byte(s))
			if strings.Contains(text, strings.Trim(leak, `[]"`)) {
				t.Errorf("secret shown in the form %s", form)
			}
		}
	}
	if !strings.Contains(text, "••••") {
		t.Error("no dots either")
	}
}

func TestEphemeralRingsShareNothing(t *testing.T) {
	a, err := keyring.Ephemeral(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	b, err := keyring.Ephemeral(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	if a.Keys().Active.ID == b.Keys().Active.ID {
		t.Fatal("two rings have one signing key")
	}
}

func TestWithoutRandomnessNothingIsMade(t *testing.T) {
	none := strings.NewReader("")
	if _, err := keyring.Generate(none, now, token.EdDSA); err == nil {
		t.Error("keys out of nothing")
	}
	r, err := keyring.New(newFile(t), none)
	if err != nil {
		t.Fatal(err)
	}
	if sealed, err := r.Seal([]byte("plain"), "here"); err == nil || sealed != nil {
		t.Error("sealed without a nonce")
	}
}

func FuzzOpen(f *testing.F) {
	r, err := keyring.Ephemeral(rand.Reader, now)
	if err != nil {
		f.Fatal(err)
	}
	good, err := r.Seal([]byte("plain"), "here")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "here")
	f.Add(good[:20], "here")
	f.Add([]byte{1, 1}, "")
	f.Fuzz(func(t *testing.T, sealed []byte, where string) {
		plain, err := r.Open(sealed, where)
		if bytes.Equal(sealed, good) && where == "here" {
			if err != nil || string(plain) != "plain" {
				t.Fatalf("got %q, error %v", plain, err)
			}
		} else if !errors.Is(err, seal.ErrUnreadable) {
			t.Fatalf("forged: got %q, error %v", plain, err)
		}
	})
}

func BenchmarkDerive(b *testing.B) {
	r := newRing(b, newFile(b))
	part := []byte("0123456789abcdef")
	b.ReportAllocs()
	for b.Loop() {
		r.Derive(seal.Code, part, part, part, part, part)
	}
}

func BenchmarkSealAndOpen(b *testing.B) {
	r := newRing(b, newFile(b))
	plain := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		sealed, _ := r.Seal(plain, "here")
		_, _ = r.Open(sealed, "here")
	}
}
