package totp_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// The values of RFC 4226 appendix D, as the steps of a clock. Step 0 cannot be
// used: a new device remembers it as its last.
func TestVectorsOfRFC4226(t *testing.T) {
	b := open(t, `{"skew":0}`)
	cred := imported(t, b32("12345678901234567890"))
	for step, code := range strings.Fields("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489") {
		want := channel.Verified
		if step == 0 {
			want = channel.Rejected
		}
		if v, _ := b.try(t, int64(step)*30, cred, code); v.Outcome != want {
			t.Errorf("step %d, %s: %s (%s)", step, code, v.Outcome, v.Reason)
		}
	}
}

// The values of RFC 6238 appendix B; each is right for its own algorithm only.
func TestVectorsOfRFC6238(t *testing.T) {
	secrets := map[string]string{}
	for name, size := range map[string]int{"SHA1": 20, "SHA256": 32, "SHA512": 64} {
		secrets[name] = b32(strings.Repeat("1234567890", 7)[:size])
	}
	for _, row := range []struct {
		at    int64
		codes map[string]string
	}{
		{59, map[string]string{"SHA1": "94287082", "SHA256": "46119246", "SHA512": "90693936"}},
		{1111111109, map[string]string{"SHA1": "07081804", "SHA256": "68084774", "SHA512": "25091201"}},
		{1111111111, map[string]string{"SHA1": "14050471", "SHA256": "67062674", "SHA512": "99943326"}},
		{1234567890, map[string]string{"SHA1": "89005924", "SHA256": "91819424", "SHA512": "93441116"}},
		{2000000000, map[string]string{"SHA1": "69279037", "SHA256": "90698825", "SHA512": "38618901"}},
		{20000000000, map[string]string{"SHA1": "65353130", "SHA256": "77737706", "SHA512": "47863826"}},
	} {
		for device, secret := range secrets {
			b := open(t, fmt.Sprintf(`{"digits":8,"skew":0,"algorithm":%q}`, device))
			for name, code := range row.codes {
				want := channel.Rejected
				if name == device {
					want = channel.Verified
				}
				if v, _ := b.try(t, row.at, imported(t, secret), code); v.Outcome != want {
					t.Errorf("%d, code of %s, device of %s: %s", row.at, name, device, v.Outcome)
				}
			}
		}
	}
}

// The steps 0 to 9 that django-otp's own tests use, at step 3.
func TestWindowOfAPredecessor(t *testing.T) {
	codes := strings.Fields("179225 656163 839400 154567 346912 471576 045675 101397 491039 784503")
	for skew, want := range []string{"3", "2 3 4", "1 2 3 4 5"} {
		b := open(t, fmt.Sprintf(`{"skew":%d}`, skew))
		var accepted []string
		for step, code := range codes {
			if v, _ := b.try(t, 90, imported(t, "FIV3XIIJF765EWRSRLI2BJPV2YOXVLGE"), code); v.Outcome == channel.Verified {
				accepted = append(accepted, fmt.Sprint(step))
			}
		}
		if got := strings.Join(accepted, " "); got != want {
			t.Errorf("skew %d accepts steps %s, want %s", skew, got, want)
		}
	}
	b := open(t, `{}`)
	v, cred := b.try(t, 90, imported(t, "FIV3XIIJF765EWRSRLI2BJPV2YOXVLGE"), codes[3])
	again, _ := b.now(t, cred, codes[3])
	if v.Outcome != channel.Verified || again.Reason != channel.Replayed || !strings.Contains(string(cred), `"step":3`) {
		t.Errorf("first %s, again %s", v.Outcome, again.Reason)
	}
}

func TestAgreesWithOathtool(t *testing.T) {
	tool, err := exec.LookPath("oathtool")
	if err != nil {
		if strings.Contains(os.Getenv("COUNTERSIGN_TEST_REQUIRE"), "oathtool") {
			t.Fatal("oathtool is required, but not installed")
		}
		t.Skip("oathtool is not installed")
	}
	secret := b32("a secret of 20 bytes")
	for _, at := range []int64{60, 1_111_111_111, 1_800_000_029, 1_800_000_030} {
		for _, digits := range []string{"6", "8"} {
			for _, hash := range []string{"SHA1", "SHA256", "SHA512"} {
				now := time.Unix(at, 0).UTC().Format("2006-01-02 15:04:05 UTC")
				out, err := exec.CommandContext(t.Context(), tool, "--totp="+hash, "-b", "-d", digits, "--now", now, secret).Output()
				if err != nil {
					t.Fatal(err)
				}
				b := open(t, fmt.Sprintf(`{"digits":%s,"skew":0,"algorithm":%q}`, digits, hash))
				if v, _ := b.try(t, at, imported(t, secret), strings.TrimSpace(string(out))); v.Outcome != channel.Verified {
					t.Errorf("%s digits of %s at %d: %s", digits, hash, at, v.Outcome)
				}
			}
		}
	}
}
