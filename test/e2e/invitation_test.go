package e2e_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// closed lets nobody in but who is asked.
const closed = quick + "sign_up: { allowed: false, invite: true }\n"

// founder is somebody who is there before the doors are closed: the operator has
// asked them in.
func founder(t *testing.T, s *harness.Server, c *harness.Client, to string) harness.Tokens {
	t.Helper()
	if got := operate(t, s, "invite", to); got.code != 0 || strings.Contains(got.out+got.err, "csi_") {
		t.Fatalf("invite: %+v, want it to work and show no token", got)
	}
	who := accept(c, invited(t, c, to), nil).Tokens()
	if !who.New {
		t.Error("who was asked in is not new")
	}
	return who
}

// invited waits for an invitation and gives its token.
func invited(t *testing.T, c *harness.Client, to string) string {
	t.Helper()
	m := c.AwaitNotices(to, 1)[0]
	at := strings.Index(m.Link, "csi_")
	if at < 0 || m.Code != "" || !strings.Contains(m.Text, m.Link) {
		t.Fatalf("the invitation says %q with the link %q", m.Text, m.Link)
	}
	return m.Link[at:]
}

func accept(c *harness.Client, token string, more form) harness.Answer {
	body := form{"token": token}
	maps.Copy(body, more)
	return c.As("").Post("/v1/invitations/accept", body)
}

func invite(c *harness.Client, access, to string) harness.Answer {
	kind := "email"
	if strings.HasPrefix(to, "+") {
		kind = "phone"
	}
	return c.As(access).Post("/v1/invitations", form{kind: to})
}

// C-035 and C-140.
func TestInvitationsLetInWhoIsAskedAndNobodyElse(t *testing.T) {
	both(t, closed, func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := founder(t, s, c, ann)
		signUp(c, form{"email": eve}).WantCode(http.StatusForbidden, "signup_not_allowed")
		c.As("").Post("/v1/invitations", form{"email": eve}).WantCode(http.StatusUnauthorized, "unauthenticated")

		for _, to := range []string{bob, anns} {
			a := invite(c, who.Access, to).Want(http.StatusCreated)
			if a.Text("invited_by") != who.User || a.Text("status") != "open" || a.Text("destination") == to || strings.Contains(string(a.Body), "csi_") {
				t.Errorf("%s, want it open, masked and without its token", a)
			}
			token := invited(t, c, to)
			got := accept(c, token, form{"first_name": "Bob"})
			theirs := got.Tokens()
			kind := map[string]string{bob: "email", anns: "phone"}[to]
			if mine := identifiers(c, theirs.Access)[kind]; mine.Value != to || !mine.Verified {
				t.Errorf("%s: %+v, want the address verified", got, mine)
			}
			if is := claims(t, theirs.Access); is.ACR != "aal1" {
				t.Errorf("an invitation gives %+v, want aal1", is)
			}
			accept(c, token, nil).WantCode(http.StatusGone, "invitation_expired") // once
			if again := c.SignIn(to); again.User != theirs.User || again.New {
				t.Errorf("the address signs %s in, want %s", again.User, theirs.User)
			}
		}
		events := column(t, database(t, s.Options.Store), "SELECT type FROM events")
		for _, want := range []string{"invitation.sent", "invitation.accepted"} {
			if !slices.Contains(events, want) {
				t.Errorf("the events are %v, want %s among them", events, want)
			}
		}
	})
}

func TestInvitationsRunOutAreTakenBackAndBelongToOneTenant(t *testing.T) {
	served(t, harness.Options{Policy: closed, Config: twoTenants}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := founder(t, s, c, ann)
		other := founder(t, s, c, bob)

		id := c.As(who.Access).Post("/v1/invitations", form{"email": "late@example.com", "expires_in": 60}).Want(http.StatusCreated).Text("id")
		late := invited(t, c, "late@example.com")
		c.As(other.Access).Do(http.MethodDelete, "/v1/invitations/"+id, nil).WantCode(http.StatusNotFound, "not_found")
		if list := c.As(other.Access).Get("/v1/invitations").Want(http.StatusOK); strings.Contains(string(list.Body), id) {
			t.Errorf("%s shows somebody else's invitation", list)
		}
		accept(at(c, "t2"), late, nil).WantCode(http.StatusNotFound, "not_found")
		for what, token := range map[string]string{"changed": late[:len(late)-2] + "AA", "cut": late[:len(late)-1], "longer": late + "A", "empty but for its name": "csi_", "no invitation": who.Refresh} {
			if a := accept(c, token, nil); !a.Is(http.StatusNotFound, "not_found") {
				t.Errorf("%s: %s, want 404", what, a)
			}
		}
		c.Advance(61 * time.Second)
		accept(c, late, nil).WantCode(http.StatusGone, "invitation_expired")

		back := invite(c, other.Access, eve).Want(http.StatusCreated).Text("id")
		token := invited(t, c, eve)
		c.As(other.Access).Do(http.MethodDelete, "/v1/invitations/"+back, nil).Want(http.StatusNoContent)
		accept(c, token, nil).WantCode(http.StatusGone, "invitation_expired")
		c.Post("/v1/challenges", map[string]string{"to": eve}).Want(http.StatusAccepted)
		c.SignIn(ann) // whose code comes after
		if n := len(c.Messages(eve)); n != 0 {
			t.Errorf("%d codes went to whom nobody has let in", n)
		}

		admin := c.As(apiKey(t, s, "admin"))
		if list := admin.Get("/v1/invitations").Want(http.StatusOK); !strings.Contains(string(list.Body), id) || !strings.Contains(string(list.Body), "late@example.com") {
			t.Errorf("%s, want everybody's invitations for an operator", list)
		}
		c.As(apiKey(t, s, "verify")).Get("/v1/invitations").WantCode(http.StatusForbidden, "forbidden")
		for _, body := range []form{{}, {"email": eve, "phone": anns}, {"email": "a@"}, {"email": eve, "expires_in": 1}, {"email": eve, "expires_in": 1 << 40}} {
			admin.Post("/v1/invitations", body).WantCode(http.StatusUnprocessableEntity, "invalid_request")
		}
	})
}

func TestInvitationsAreForOperatorsOnlyWherePeopleMayNotInvite(t *testing.T) {
	both(t, quick+"sign_up: { allowed: false, invite: false }\n", func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := founder(t, s, c, ann)
		invite(c, who.Access, bob).WantCode(http.StatusForbidden, "invite_not_allowed")
		if n := len(c.Notices(bob)); n != 0 {
			t.Errorf("%d invitations went out", n)
		}
		invite(c, apiKey(t, s, "admin"), bob).Want(http.StatusCreated)
		accept(c, invited(t, c, bob), nil).Tokens()
	})
}

// Whether an address is somebody's cannot be told by inviting it.
func TestInvitationsTellNothingOfWhoIsKnown(t *testing.T) {
	both(t, closed, func(t *testing.T, s *harness.Server, c *harness.Client) {
		who, other := founder(t, s, c, ann), founder(t, s, c, bob)
		known, fresh := invite(c, who.Access, bob).Want(http.StatusCreated), invite(c, who.Access, eve).Want(http.StatusCreated)
		if a, b := members(known), members(fresh); a != b {
			t.Errorf("a known address is answered %s, a fresh one %s", a, b)
		}
		invited(t, c, eve)
		if again := c.SignIn(bob); again.User != other.User {
			t.Errorf("the address signs %s in, want %s", again.User, other.User)
		}
	})
}

func TestInvitationsAreAcceptedOnce(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Store: harness.Postgres(t), Policy: closed})
	s.Replica(t)
	c := s.Client(t)
	who := founder(t, s, c, ann)
	invite(c, who.Access, bob).Want(http.StatusCreated)
	token := invited(t, c, bob)
	all := together(t, 8, func(i int) (harness.Answer, error) {
		return c.At(i).Try(http.MethodPost, "/v1/invitations/accept", form{"token": token})
	})
	healthy(t, all)
	if got := tally(all); got["200"] != 1 || got["invitation_expired"] != len(all)-1 {
		t.Errorf("%v, want one to be let in and all others to hear that it is over", got)
	}
}

func TestInvitationsAreNoWayAroundTheRules(t *testing.T) {
	both(t, closed+"rules: { block: { email: ['@mailinator\\.'] } }\ntwo_factor: { mode: required }\n", func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := founder(t, s, c, ann)
		invite(c, who.Access, "eve@mailinator.com").WantCode(http.StatusForbidden, "destination_blocked")
		invite(c, who.Access, bob).Want(http.StatusCreated)
		token := invited(t, c, bob)
		for field, value := range map[string]any{"email": eve, "verified": true, "user_id": who.User, "tenant": "t2", "roles": []string{"admin"}} {
			accept(c, token, form{field: value}).WantCode(http.StatusBadRequest, "unknown_field")
		}
		a := accept(c, token, form{"password": "password1"}).WantCode(http.StatusUnprocessableEntity, "invalid_request")
		if !slices.Contains(fieldCodes(a, "/password"), "password_too_common") {
			t.Errorf("%s, want password_too_common", a)
		}
		accept(c, token, form{"password": knows, "username": "bob"}).Tokens()
		byPassword(c, "bob", knows).Tokens()
	})
}
