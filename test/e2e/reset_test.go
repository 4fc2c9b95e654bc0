package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

func TestS088ResettingAForgottenPassword(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(anns)
		emailDevice(t, c, who.Access, ann) // where notices go
		setPassword(c, who.Access, knows)
		before := []harness.Tokens{who, byPassword(c, anns, knows).Tokens(), c.SignIn(anns)}
		notices := len(c.AwaitNotices(ann, 1))

		_, _, pending := reset(t, c, anns)
		if a := c.As(pending).Get("/v1/me"); a.Status != http.StatusUnauthorized {
			t.Errorf("the pending token opens the account: %s", a)
		}
		choose(c, pending, another).Want(http.StatusNoContent)
		byPassword(c, anns, another).Tokens()
		refusedPassword(t, "the old password", byPassword(c, anns, knows))
		for i, old := range before {
			if a := c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": old.Refresh}); a.Status != http.StatusUnauthorized {
				t.Errorf("session %d after the reset: %s, want it ended", i, a)
			}
			if a := c.As(old.Access).Get("/v1/me"); a.Status != http.StatusUnauthorized {
				t.Errorf("access token %d after the reset: %s, want 401", i, a)
			}
		}
		told := c.AwaitNotices(ann, notices+1)[0]
		if !strings.Contains(strings.ToLower(told.Subject+told.Text), "password") || told.Code != "" {
			t.Errorf("the notice says %q, %q", told.Subject, told.Text)
		}
	})
}
