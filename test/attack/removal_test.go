package attack_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// stolen is somebody with two devices, one of which is about to be removed.
type stolen struct {
	member
	device string
}

// remove takes the device away in a session that has just proven the other one.
func (s stolen) remove(c *harness.Client) {
	stepUp(c, s.member)
	c.As(s.tokens.Access).Do(http.MethodDelete, "/v1/me/devices/"+s.device, nil).Want(http.StatusNoContent)
}

// wantDead fails the test unless the answer is refused as that of nobody.
func wantDead(t *testing.T, a harness.Answer) {
	t.Helper()
	if got := result(a, nil); got != "challenge_not_found" && got != "invalid_code" {
		t.Errorf("%d %s, want 404 challenge_not_found: the device is gone", a.Status, got)
	}
}

func TestA031ACodeToARemovedPhoneIsDead(t *testing.T) {
	everywhere(t, required, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		const phone = "+447400123457"
		s := stolen{member: enroll(c)}
		stepUp(c, s.member)
		before := len(c.Messages(phone))
		a := c.As(s.tokens.Access).Post("/v1/me/devices", map[string]string{"channel": "sms", "to": phone}).Want(http.StatusCreated)
		s.device = a.Text("device.id")
		c.Verify(a.Text("challenge.id"), c.AwaitMessages(phone, before+1)[0].Code).Want(http.StatusOK)
		pending := c.FirstFactor(s.to)
		asked := c.As(pending).Challenge(phone, map[string]string{"purpose": "second_factor", "device_id": s.device})
		code := c.Code(phone)
		s.remove(c)
		wantDead(t, c.At(1).Verify(asked.ID, code))
		c.Advance(time.Second)
		wantDead(t, c.Verify(asked.ID, code))
	})
}

func TestA031ACodeOfARemovedAppIsDead(t *testing.T) {
	everywhere(t, required, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		s := stolen{member: enroll(c)}
		stepUp(c, s.member)
		other := c.EnrollTOTP(s.tokens.Access)
		s.device = other.ID
		asked := c.SecondFactor(c.FirstFactor(s.to), other.ID)
		s.remove(c)
		wantDead(t, c.At(1).Verify(asked.ID, harness.TOTP(other.Secret, c.Now())))
	})
}
