// Package recovery makes sheets of single-use codes for people who have lost
// their other devices.
package recovery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

const (
	sheetCodes = 10 // codes on a sheet
	codeLength = 16 // characters of 5 bits: 80 bits
	groupSize  = 4  // characters between hyphens
	saltBytes  = 16
)

// Plugin is the recovery code channel.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "recovery", Title: "Recovery code", Summary: "Checks a code from a sheet that was kept for emergencies.",
		Factor: channel.Possession, MaxAAL: 2, AMR: []string{"otp"}, Backup: true,
	}, func() Config { return Config{} }, func(_ context.Context, _ Config, env channel.Env) (channel.Channel, error) {
		return drawer{env}, nil
	})
}

// Config is empty: how many codes there are, and how long, is not a matter of
// taste.
type Config struct{}

// Validate implements channel.Config.
func (Config) Validate() error { return nil }

type drawer struct{ env channel.Env }

// sheet is the credential: what is left of a sheet of codes.
//
// The codes are hashed once with SHA-256 under a salt of their own sheet, not
// stretched. Stretching makes up for secrets that people choose; these have 80
// random bits, which no amount of hardware tries out, and the whole credential
// is sealed by the core, so that a copy of the database does not even hold the
// hashes. The salt keeps a guess from counting against every sheet at once.
type sheet struct {
	Salt   []byte   `json:"salt"`
	Hashes []string `json:"hashes"` // base64, in random order; those of used codes are gone
}

// Begin shows a new sheet while enrolling. The sheet is bound at once, because
// whoever sees it has it; who wants to see it proved to have been kept may
// still ask for one of its codes. Only the hashes leave this function twice.
func (d drawer) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	prompt := channel.EnterCode(channel.Shape{Length: codeLength, Alphabet: channel.Crockford})
	if c.Purpose != channel.Enroll {
		return channel.Opening{Prompt: prompt}, nil
	}
	random := make([]byte, saltBytes+sheetCodes*codeLength)
	if _, err := io.ReadFull(d.env.Random, random); err != nil {
		return channel.Opening{}, fmt.Errorf("make recovery codes: %w", err)
	}
	s := sheet{Salt: random[:saltBytes]}
	shown := make([]string, 0, sheetCodes)
	for raw := range slices.Chunk(random[saltBytes:], codeLength) {
		code := write(raw)
		s.Hashes = append(s.Hashes, s.hash(code))
		shown = append(shown, group(code))
	}
	stored, err := json.Marshal(s)
	if err != nil {
		return channel.Opening{}, fmt.Errorf("keep recovery codes: %w", err)
	}
	return channel.Opening{Prompt: prompt.Showing(shown...), State: stored, Credential: slices.Clone(stored)}, nil
}

// Verify crosses one code out. A code that is typed to prove that the sheet was
// kept is used up like any other.
func (d drawer) Verify(_ context.Context, c channel.Challenge, state channel.State, r channel.Response) (channel.Verdict, error) {
	known := []byte(c.Credential)
	if c.Purpose == channel.Enroll {
		known = state
	}
	s, err := read(known)
	if err != nil {
		return channel.Verdict{}, err
	}
	code := normalise(r.Code)
	if len(code) != codeLength {
		return channel.Reject(channel.Mismatch), nil
	}
	at, want := -1, []byte(s.hash(code))
	for i, h := range s.Hashes {
		if subtle.ConstantTimeCompare([]byte(h), want) == 1 {
			at = i
		}
	}
	if at < 0 {
		return channel.Reject(channel.Mismatch), nil
	}
	s.Hashes = slices.Delete(s.Hashes, at, at+1)
	left, err := json.Marshal(s)
	if err != nil {
		return channel.Verdict{}, fmt.Errorf("keep recovery codes: %w", err)
	}
	return channel.Verdict{Outcome: channel.Verified, Credential: left}, nil
}

// Remaining is how many codes have not been used.
func (d drawer) Remaining(cred channel.Credential) int {
	s, err := read(cred)
	if err != nil {
		return 0
	}
	return len(s.Hashes)
}

func read(stored []byte) (sheet, error) {
	var s sheet
	if err := json.Unmarshal(stored, &s); err != nil || len(s.Salt) != saltBytes {
		return sheet{}, errors.New("stored recovery codes are unreadable")
	}
	return s, nil
}

func (s sheet) hash(code string) string {
	mac := hmac.New(sha256.New, s.Salt)
	mac.Write([]byte(code))
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

// write makes a code of random bytes, 5 bits of each: 32 divides 256, so every
// character is as likely as any other.
func write(random []byte) string {
	alphabet := channel.Crockford.Characters()
	code := make([]byte, len(random))
	for i, b := range random {
		code[i] = alphabet[b%32]
	}
	return string(code)
}

// group writes XXXX-XXXX-XXXX-XXXX.
func group(code string) string {
	var parts []string
	for part := range slices.Chunk([]byte(code), groupSize) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, "-")
}

// normalise undoes what people do to codes: other case, hyphens and spaces, and
// letters that look like digits.
func normalise(typed string) string {
	if len(typed) > 8*codeLength {
		return ""
	}
	return strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed))
}
