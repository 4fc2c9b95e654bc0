package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// A person hears of everything that changes how their account is signed in to,
// once, at the address that is proven.
func TestPeopleAreToldWhatHappensToTheirAccount(t *testing.T) {
	both(t, "challenge: { resend_after: 0s }\nthrottle: { free: 3 }\n", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.Secure(ann)
		c.AwaitNotices(ann, 2)
		pending, sheet := firstFactorAndSheet(t, c, ann)
		c.Verify(c.SecondFactor(pending, sheet).ID, who.Device.Recovery[3]).Tokens()
		c.AwaitNotices(ann, 3)

		pending = c.FirstFactor(ann)
		for range 4 {
			c.Verify(c.SecondFactor(pending, who.Device.ID).ID, "000000").WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		c.AwaitNotices(ann, 4)
		c.Advance(2 * harness.Period)
		c.Verify(c.SecondFactor(pending, who.Device.ID).ID, "000000").WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Advance(4 * harness.Period)

		who.Tokens = c.Fresh(who)
		c.As(who.Access).Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": false}).Want(http.StatusOK)
		c.AwaitNotices(ann, 5)
		c.As(who.Access).Do(http.MethodDelete, "/v1/me/devices/"+who.Device.ID, nil).Want(http.StatusNoContent)
		c.AwaitNotices(ann, 6)
		c.As(who.Access).Do(http.MethodDelete, "/v1/me", nil).Want(http.StatusNoContent)
		told := c.AwaitNotices(ann, 7)
		want := []string{ // newest first
			"account and everything in it was deleted", "was removed from your", "no longer takes a second step",
			"was locked for a while", "You have 9 codes left.", "now takes a second step", "was added to your",
		}
		if len(told) != len(want) {
			t.Fatalf("%d notices, want %d", len(told), len(want))
		}
		for i, m := range told {
			if !strings.Contains(m.Text, want[i]) || !strings.Contains(m.Text, "This happened on") || m.Code != "" || m.Link != "" || m.Subject == "" {
				t.Errorf("notice %d is %q, %q, want %q", i, m.Subject, m.Text, want[i])
			}
		}
	})
}

func TestNobodyIsToldWhereNothingIsProvenOrChanged(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		signed := c.SignIn(anns) // by phone: there is no address
		device := c.EnrollTOTP(signed.Access)
		signed = c.Fresh(harness.Person{Tokens: signed, Device: device})
		c.RequireTwoFactor(signed.Access)
		c.RequireTwoFactor(signed.Access)
		c.SignIn(bob)
		if n := len(c.Notices("")); n != 0 {
			t.Errorf("%d notices, want none", n)
		}
	})
}
