package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// tell runs a command on the server's database and gives what it printed.
func tell(t *testing.T, s *harness.Server, args ...string) string {
	t.Helper()
	got := run(t, nil, append(args, "--config", s.Config())...)
	if got.code != 0 {
		t.Fatalf("%v: code %d\n%s%s", args, got.code, got.out, got.err)
	}
	return strings.TrimSpace(got.out)
}

const guarded = quick + "sign_up: { allowed: false }\n"

func TestC035WhoIsInvitedComesInWhereNobodyElseMay(t *testing.T) {
	both(t, guarded, func(t *testing.T, s *harness.Server, c *harness.Client) {
		operator := c.As(tell(t, s, "apikey", "new", "--name", "ops", "--scope", "admin"))
		operator.Post("/v1/invitations", map[string]any{"email": ann}).Want(http.StatusCreated)
		m := c.AwaitNotices(ann, 1)[0]
		_, token, ok := strings.Cut(m.Link, "/l/")
		if !ok || !strings.HasPrefix(token, "csi_") {
			t.Fatalf("the message is %+v", m)
		}
		who := c.Post("/v1/invitations/accept", map[string]string{"token": token, "username": "annie"}).Want(http.StatusOK).Tokens()
		if a := c.As(who.Access).Get("/v1/me").Want(http.StatusOK); a.Text("username") != "annie" || !who.New {
			t.Errorf("%s, want annie, new", a)
		}
		c.Post("/v1/invitations/accept", map[string]string{"token": token}).WantCode(http.StatusGone, "invitation_expired")
		friend := c.As(who.Access)
		friend.Post("/v1/invitations", map[string]any{"email": bob}).Want(http.StatusCreated)
		link := c.AwaitNotices(bob, 1)[0].Link
		_, path, _ := strings.Cut(link, "/l/")
		page := c.With("Accept", "text/html").Post("/l/"+path, nil).Want(http.StatusOK)
		if strings.Contains(string(page.Body), "access_token") || page.Header.Get("Set-Cookie") != "" {
			t.Errorf("the page hands something over: %s", page.Body)
		}
		if in := c.SignIn(bob); in.New {
			t.Error("accepting by the page made no account")
		}
		id := tell(t, s, "invite", eve)
		if len(id) != 36 || len(c.AwaitNotices(eve, 1)) != 1 {
			t.Errorf("the command line invited %q", id)
		}
		operator.Do(http.MethodDelete, "/v1/invitations/"+id, nil).Want(http.StatusNoContent)
		_, revoked, _ := strings.Cut(c.Notices(eve)[0].Link, "/l/")
		c.Post("/v1/invitations/accept", map[string]string{"token": revoked}).WantCode(http.StatusGone, "invitation_expired")
	})
}

// offered is the pending token of somebody who has proven an address, and the
// device of a channel that may be asked next.
func offered(t *testing.T, c *harness.Client, to, channel string) (pending, device string) {
	t.Helper()
	a := c.StartChallenge(to)
	var got struct {
		Pending string `json:"pending_token"`
		Devices []struct{ ID, Channel string }
	}
	c.Verify(a.ID, c.Code(to)).Want(http.StatusOK).JSON(&got)
	for _, d := range got.Devices {
		if d.Channel == channel {
			return got.Pending, d.ID
		}
	}
	t.Fatalf("no %s is offered, only %v", channel, got.Devices)
	return "", ""
}

func TestS119SupportHelpsFromTheCommandLine(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		p := c.Secure(ann)
		codes := strings.Fields(tell(t, s, "recovery-codes", ann, "--reason", "ticket 7", "--yes"))
		if len(codes) != 10 {
			t.Fatalf("%d codes", len(codes))
		}
		pending, device := offered(t, c, ann, "recovery")
		asked := c.SecondFactor(pending, device)
		c.Verify(asked.ID, p.Device.Recovery[0]).WantCode(http.StatusUnprocessableEntity, "invalid_code") // of the old sheet
		c.Verify(asked.ID, codes[0]).Want(http.StatusOK).Tokens()
		tell(t, s, "user", "reset", p.User, "--reason", "ticket 7", "--yes")
		c.As(p.Access).Get("/v1/me").WantCode(http.StatusUnauthorized, "token_revoked")
		in := c.SignIn(ann) // without a second factor
		tell(t, s, "user", "block", ann, "--reason", "abuse", "--yes")
		c.As(in.Access).Get("/v1/me").WantCode(http.StatusUnauthorized, "token_revoked")
		tell(t, s, "user", "unblock", ann)
		c.SignIn(ann)
		seen := tell(t, s, "user", "show", ann)
		if strings.Contains(seen, ann) || !strings.Contains(seen, "user.blocked") {
			t.Errorf("support sees\n%s", seen)
		}
		if got := run(t, nil, "recovery-codes", "nobody@example.com", "--reason", "x", "--yes", "--config", s.Config()); got.code != 6 {
			t.Errorf("for somebody unknown: code %d", got.code)
		}
	})
}

func TestS074SupportUnlocks(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		c.SignIn(ann)
		locked := false
		for range 20 {
			a := c.StartChallenge(ann)
			code := c.Code(ann)
			wrong := "000000"
			if code == wrong {
				wrong = "000001"
			}
			for range 5 {
				if locked = c.Verify(a.ID, wrong).Is(http.StatusTooManyRequests, "device_locked"); locked {
					break
				}
			}
			if locked {
				break
			}
		}
		if seen := tell(t, s, "user", "show", ann); !locked || !strings.Contains(seen, "times in a row, locked until") {
			t.Fatalf("locked %t, support sees\n%s", locked, seen)
		}
		tell(t, s, "user", "unlock", ann, "--reason", "ticket 8")
		c.SignIn(ann)
	})
}
