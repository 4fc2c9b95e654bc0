package attack_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// claim reads an access token without checking it.
func claim(t *testing.T, token, name string) any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatal("the access token is no JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims[name]
}

// sheet is the device that stands for a person's recovery codes.
func sheet(t *testing.T, c *harness.Client, to string) (pending, device string) {
	t.Helper()
	asked := c.As("").StartChallenge(to)
	a := c.As("").Verify(asked.ID, c.Code(to)).Want(http.StatusOK)
	devices, _ := a.Get("devices").([]any)
	for i := range devices {
		if a.Text(fmt.Sprintf("devices.%d.channel", i)) == "recovery" {
			return a.Text("pending_token"), a.Text(fmt.Sprintf("devices.%d.id", i))
		}
	}
	t.Fatalf("%s, want recovery codes among the devices", a)
	return "", ""
}

// recoverWith tries a recovery code in a sign-in of its own.
func recoverWith(t *testing.T, c *harness.Client, to, code string) harness.Answer {
	t.Helper()
	pending, device := sheet(t, c, to)
	return c.Verify(c.SecondFactor(pending, device).ID, code)
}

// stepUp gives a session the proof of a device that is no older than a moment.
func stepUp(c *harness.Client, m member) {
	c.Advance(31 * time.Second)
	c.Verify(c.StepUp(m.tokens.Access, m.device.ID).ID, harness.TOTP(m.device.Secret, c.Now())).Tokens()
}

func codesLeft(c *harness.Client, access string) int {
	return c.As(access).Get("/v1/me/two-factor").Want(http.StatusOK).Number("recovery_codes_left")
}

func TestA025RecoveryCodesComeWithTheFirstProvenDevice(t *testing.T) {
	everywhere(t, required, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		tokens := c.SignIn(to)
		me := c.As(tokens.Access)
		me.Post("/v1/me/recovery-codes", struct{}{}).WantCode(http.StatusConflict, "no_device")
		a := me.Post("/v1/me/devices", map[string]string{"channel": "totp"}).Want(http.StatusCreated)
		me.Post("/v1/me/recovery-codes", struct{}{}).WantCode(http.StatusConflict, "no_device")
		if n := codesLeft(c, tokens.Access); n != 0 || a.Get("recovery_codes") != nil {
			t.Fatalf("there are %d recovery codes before any device is proven: %s", n, a)
		}
		secret := secretOf(t, a.Text("challenge.prompt.show.0"))
		a = c.Verify(a.Text("challenge.id"), harness.TOTP(secret, c.Now())).Want(http.StatusOK)
		list := codes(a, "recovery_codes")
		form := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$`) // 80 bits
		distinct := map[string]bool{}
		for _, code := range list {
			if !form.MatchString(code) {
				t.Errorf("%q is no recovery code of 80 bits", code)
			}
			distinct[code] = true
		}
		if len(list) != 10 || len(distinct) != 10 {
			t.Fatalf("%d recovery codes, %d of them different, want 10", len(list), len(distinct))
		}
		recoverWith(t, c, to, strings.ToLower(strings.ReplaceAll(list[3], "-", ""))).Tokens()
		recoverWith(t, c, to, list[3]).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		if n := codesLeft(c, tokens.Access); n != 9 {
			t.Fatalf("%d recovery codes are left after one was used, want 9", n)
		}
	})
}

func TestA025OneRecoveryCodeWorksOnceHoweverOftenItIsSentAtOnce(t *testing.T) {
	everywhere(t, required, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		m := enroll(c)
		for round := range len(m.device.Recovery) - 1 {
			asked := waiting(c, 20, func() (string, string) { return sheet(t, c, m.to) })
			v := fire(len(asked), func(i int) (harness.Answer, error) { return guess(c.At(i), asked[i], m.device.Recovery[round]) })
			v.wantOnly(t, "signed_in", 1, "invalid_code", "device_locked", "device_changed")
			if n := codesLeft(c, v.with("signed_in")[0].Tokens().Access); n != 9-round {
				t.Fatalf("%d recovery codes are left after %d were used", n, round+1)
			}
			c.Advance(31 * time.Second)
		}
	})
}

func TestA025NewRecoveryCodesKillTheOldOnesAtOnce(t *testing.T) {
	everywhere(t, required, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for range rounds {
			m := enroll(c)
			old := m.device.Recovery
			stepUp(c, m)
			pending, device := sheet(t, c, m.to)
			asked := c.SecondFactor(pending, device).ID
			var used, made harness.Answer
			var failed [2]error
			var both sync.WaitGroup
			both.Go(func() { used, failed[0] = guess(c, asked, old[0]) })
			both.Go(func() {
				made, failed[1] = c.As(m.tokens.Access).At(1).Try(http.MethodPost, "/v1/me/recovery-codes", struct{}{})
			})
			both.Wait()
			if failed[0] != nil || failed[1] != nil || made.Status != http.StatusCreated {
				t.Fatalf("%v %v; %s", failed[0], failed[1], made)
			}
			if got := result(used, nil); got != "signed_in" && got != "challenge_not_found" && got != "device_changed" && got != "invalid_code" {
				t.Fatalf("the old code at the same moment: %s", used)
			}
			list := codes(made, "codes")
			if n := codesLeft(c, m.tokens.Access); len(list) != 10 || n != 10 {
				t.Fatalf("%d new codes, %d of them left, want 10 whatever happened to the old ones", len(list), n)
			}
			for _, code := range old[1:3] {
				recoverWith(t, c, m.to, code).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			}
			recoverWith(t, c, m.to, list[9]).Tokens()
		}
	})
}

func TestA025SixtyWrongRecoveryCodesMeetTheThrottle(t *testing.T) {
	everywhere(t, required, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		m := enroll(c)
		asked := waiting(c, 12, func() (string, string) { return sheet(t, c, m.to) })
		v := fire(60, func(i int) (harness.Answer, error) {
			return guess(c.At(i), asked[i%12], fmt.Sprintf("0000-0000-0000-%04d", i))
		})
		v.wantOnly(t, "invalid_code", 6, "device_locked", "challenge_exhausted")
		pending, device := sheet(t, c, m.to)
		last := c.SecondFactor(pending, device).ID
		wait(t, c.At(1).Verify(last, m.device.Recovery[0]).WantCode(http.StatusTooManyRequests, "device_locked"))
		c.Advance(31 * time.Second)
		c.Verify(last, m.device.Recovery[0]).Tokens()
	})
}
