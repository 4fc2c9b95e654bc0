package attack_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/ports/token"
)

// derived makes codes as the server does, of keys and nonces that follow from a
// fixed seed: the statistics below come out the same every time.
func derived(t *testing.T, n int) []string {
	t.Helper()
	random := rand.NewChaCha8([32]byte([]byte("a seed of exactly 32 bytes, yes.")))
	file, err := keyring.Generate(random, time.Unix(1_800_000_000, 0), token.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New(file, random)
	if err != nil {
		t.Fatal(err)
	}
	derive := challenges.NewCodes(ring)
	all := make([]string, n)
	for i := range all {
		nonce := make([]byte, 16)
		_, _ = random.Read(nonce)
		code, ok := derive.Of(challenge.Challenge{
			Handle: "the same handle", Tenant: "default", Format: challenge.Digits(6), Purpose: challenge.SignIn, Destination: "ann@example.com", Nonce: nonce, KeyID: uint32(file.Roots[0].ID),
		})
		if !ok {
			t.Fatal("no code")
		}
		all[i] = code
	}
	return all
}

// The limits are those that chance exceeds once in a thousand times.
const (
	limitOf9Degrees  = 27.88
	limitOf99Degrees = 148.23
)

func TestA013TwoHundredThousandDerivedCodesAreUniform(t *testing.T) {
	all := derived(t, 200_000)
	wantSixDigits(t, all)
	for place := range 6 {
		if x := chiSquare(digitsAt(all, place), 10); x > limitOf9Degrees {
			t.Errorf("the digits at place %d are not evenly spread: chi square %.1f", place, x)
		}
	}
}

func TestA013DerivedCodesDoNotFollowFromEachOther(t *testing.T) {
	all := derived(t, 200_000)
	for place := range 6 {
		here := digitsAt(all, place)
		var serial []int // pairs of codes that follow each other, each code in one pair
		for i := 0; i+1 < len(here); i += 2 {
			serial = append(serial, 10*here[i]+here[i+1])
		}
		if x := chiSquare(serial, 100); x > limitOf99Degrees {
			t.Errorf("place %d of a code tells of the next code: chi square %.1f", place, x)
		}
		if place == 5 {
			continue
		}
		next := digitsAt(all, place+1)
		within := make([]int, len(here))
		for i := range here {
			within[i] = 10*here[i] + next[i]
		}
		if x := chiSquare(within, 100); x > limitOf99Degrees {
			t.Errorf("place %d of a code tells of place %d: chi square %.1f", place, place+1, x)
		}
	}
}

func TestA013StatisticsNoticeWhatABytesRemainderFavours(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]int, 200_000)
	for i := range values {
		values[i] = random.IntN(256) % 10 // 0 to 5 come up once more in 256 times than 6 to 9
	}
	if x := chiSquare(values, 10); x <= limitOf9Degrees {
		t.Errorf("the favoured digits go unnoticed: chi square %.1f", x)
	}
}
