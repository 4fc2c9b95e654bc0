package e2e_test

import (
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/containers"
	"github.com/countersign/countersign/test/harness"
)

// oathtool is somebody else's idea of what an authenticator app shows.
func oathtool(t *testing.T, c *harness.Client, secret string) string {
	t.Helper()
	path, err := exec.LookPath("oathtool")
	containers.Require(t, "oathtool", err == nil, "install oathtool (package oathtool)")
	out, err := exec.Command(path, "--totp", "-b", "--now", "@"+strconv.FormatInt(c.Now().Unix(), 10), secret).Output()
	if err != nil {
		t.Fatalf("oathtool: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// The story of the README: from nothing to two factors and a recovery code.
func TestStoryOfTheReadme(t *testing.T) {
	both(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		asked := c.Post("/v1/challenges", `{"to":"ada@example.com"}`).Want(http.StatusAccepted)
		inbox := c.Get("/dev/inbox/latest?to=ada@example.com&wait=5s").Want(http.StatusOK)
		for _, field := range []string{"to", "channel", "code", "subject", "text", "at"} {
			if inbox.Text(field) == "" {
				t.Errorf("%s, want %s in it", inbox, field)
			}
		}
		if !strings.Contains(inbox.Text("text"), inbox.Text("code")) {
			t.Errorf("%s, want the code in the text", inbox)
		}
		ada := c.Verify(asked.Text("id"), inbox.Text("code")).Tokens()

		added := c.As(ada.Access).Post("/v1/me/devices", `{"channel":"totp"}`).Want(http.StatusCreated)
		if svg := added.Text("challenge.prompt.qr_svg"); !strings.HasPrefix(svg, "<svg") {
			t.Errorf("%s, want a picture in qr_svg", added)
		}
		uri, err := url.Parse(added.Text("challenge.prompt.show.0"))
		if err != nil || uri.Scheme != "otpauth" || uri.Host != "totp" {
			t.Fatalf("%s, want an otpauth URI", added)
		}
		secret := uri.Query().Get("secret")
		if ours, theirs := harness.TOTP(secret, c.Now()), oathtool(t, c, secret); ours != theirs {
			t.Errorf("the harness says %s, oathtool %s", ours, theirs)
		}
		done := c.Verify(added.Text("challenge.id"), oathtool(t, c, secret)).Want(http.StatusOK)
		recovery := done.Text("recovery_codes.0")
		if done.Text("status") != "device_confirmed" || recovery == "" {
			t.Fatalf("%s, want device_confirmed with recovery codes", done)
		}
		if body := string(c.As(ada.Access).Get("/v1/me/devices").Want(http.StatusOK).Body); strings.Contains(body, secret) {
			t.Error("the secret is shown again")
		}

		app := added.Text("device.id")
		c.Advance(harness.Period)
		step := c.StepUp(ada.Access, app)
		ada = c.Verify(step.ID, oathtool(t, c, secret)).Tokens()
		c.RequireTwoFactor(ada.Access)

		pending := c.FirstFactor("ada@example.com")
		c.Advance(harness.Period)
		second := c.SecondFactor(pending, app)
		if again := c.Verify(second.ID, oathtool(t, c, secret)).Tokens(); again.User != ada.User {
			t.Errorf("signed in as %s, want %s", again.User, ada.User)
		}

		c.Advance(harness.Period)
		pending, sheet := firstFactorAndSheet(t, c, "ada@example.com")
		last := c.Verify(c.SecondFactor(pending, sheet).ID, recovery).Tokens()
		if a := c.As(last.Access).Get("/v1/me/two-factor").Want(http.StatusOK); a.Number("recovery_codes_left") != 9 || a.Get("required") != true {
			t.Errorf("%s, want it required with 9 codes left", a)
		}
	})
}

// Production has none of the routes of development.
func TestProductionHasNoDevelopmentRoutes(t *testing.T) {
	production(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client, _ *sink) {
		for _, r := range []struct{ method, path string }{
			{http.MethodGet, "/dev/inbox"}, {http.MethodGet, "/dev/inbox.json"}, {http.MethodGet, "/dev/inbox/latest"},
			{http.MethodDelete, "/dev/inbox"}, {http.MethodPost, "/dev/clock"}, {http.MethodPost, "/dev/chaos"}, {http.MethodGet, "/dev"},
		} {
			if a := c.Do(r.method, r.path, nil); !a.Is(http.StatusNotFound, "not_found") {
				t.Errorf("%s, want 404", a)
			}
		}
	})
}
