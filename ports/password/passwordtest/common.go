package passwordtest

import (
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/ports/password"
)

// RunCommon runs the suite of those who know common passwords.
func RunCommon(t *testing.T, c password.Common) {
	t.Helper()
	t.Run("what everybody uses is common", func(t *testing.T) {
		for _, text := range []string{
			"password", "123456", "12345678", "qwerty", "letmein", "iloveyou", "dragon", "monkey", "abc123",
			"Password", "QWERTY", "password1", "Password1!", "P@ssw0rd", "p4$$w0rd", "monkey2024", "passwordpassword",
		} {
			if !c.Common(text) {
				t.Errorf("%q is not common", text)
			}
		}
	})
	t.Run("what nobody else uses is not", func(t *testing.T) {
		for _, text := range []string{
			"", " ", "correct horse battery staple", "password for the garden gate", "my dragon eats qwerty", "Tr0ub4dor & 3 Kühe",
			"monkey monkey dragon", "密码密码密码密码", "\xff\xfe\xfd\xfc\xfb", "zKq7-vbX2-mmP9", strings.Repeat("password", 30),
		} {
			if c.Common(text) {
				t.Errorf("%q is common", text)
			}
		}
	})
	t.Run("what is drawn by lot is not", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.StringMatching(`[bcdfghjkmnpqrvwxz]{20,60}[ .!0-9]{0,6}`).Draw(t, "text")
			if c.Common(text) {
				t.Fatalf("%q is common", text)
			}
		})
	})
	t.Run("a common one in the midst of others is not", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			rest := rapid.StringMatching(`[bcdfghjkmnpqrvwxz]{12,20}`)
			text := rest.Draw(t, "before") + "password" + rest.Draw(t, "after")
			if c.Common(text) {
				t.Fatalf("%q is common", text)
			}
		})
	})
	t.Run("anything at all can be asked, by many at once", func(t *testing.T) {
		long := strings.Repeat("1", 1<<20)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if c.Common(long+"x") || !c.Common("password") {
					t.Error("the answers depend on who else asks")
				}
			})
		}
		wg.Wait()
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.SliceOf(rapid.Byte()).Draw(t, "text")
			if a, b := c.Common(string(text)), c.Common(string(text)); a != b {
				t.Fatalf("%q has two answers", text)
			}
		})
	})
}
