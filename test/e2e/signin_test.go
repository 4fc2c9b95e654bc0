package e2e_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// hashing is how alike times have to be of what costs a password hash.
var hashing = harness.Alike{Each: 8, Rounds: 8, Tolerance: 0.2}

// unthrottled lets passwords be guessed at without a wait.
const unthrottled = `challenge: { resend_after: 0s }
throttle: { factor: 0s, disable_at: 100 }
`

func TestS043PasswordByEachIdentifier(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		a := signUp(c, form{"username": "ann", "email": ann, "phone": anns, "password": knows}).Want(http.StatusCreated)
		c.ClaimSignIn(ann, a.Text("claim")) // proves the address
		who := c.SignIn(ann)
		w := c.As(who.Access).Post("/v1/me/identifiers", map[string]string{"kind": "phone", "value": anns}).Want(http.StatusAccepted)
		c.Verify(w.Text("challenges.0.id"), c.AwaitMessages(anns, 1)[0].Code).Want(http.StatusOK)
		for _, as := range []string{"ann", " ANN ", ann, "ANN@Example.com", anns, "+31 0612 345 678"} {
			got := byPassword(c, as, knows)
			if k := got.Tokens(); k.User != a.Text("user.id") || k.New {
				t.Errorf("as %q: signed in as %s, want %s", as, k.User, a.Text("user.id"))
			}
			if is := claims(t, got.Text("access_token")); is.ACR != "aal1" || len(is.AMR) != 1 || is.AMR[0] != "pwd" {
				t.Errorf("as %q: the token says %+v, want aal1 by pwd", as, is)
			}
			refusedPassword(t, "a wrong password as "+as, byPassword(c, as, another))
			refusedPassword(t, "none as "+as, byPassword(c, as, " "))
		}
	})
}

func TestS044AllFailuresAreOne(t *testing.T) {
	served(t, harness.Options{Policy: unthrottled, Config: twoTenants}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		setPassword(c, c.SignIn(ann).Access, knows)
		dave := c.SignIn(bob)
		setPassword(c, dave.Access, knows)
		block(t, s, dave.User)
		setPassword(c, c.SignIn(anns).Access, knows)
		setPassword(at(c, "t2"), at(c, "t2").SignIn(eve).Access, knows)
		c.SignIn("none@example.com") // who has no password
		signUp(c, form{"email": "said@example.com", "password": knows}).Want(http.StatusCreated)

		cases := []struct{ name, who, password string }{
			{"a wrong password", ann, another}, {"an unknown person", "nobody@example.com", knows}, {"an inactive person", bob, knows},
			{"a person of another tenant", eve, knows}, {"a person without a password", "none@example.com", knows},
			{"an address that nobody has proven", "said@example.com", knows},
		}
		said := map[string]string{}
		var timed []harness.Timed
		for _, x := range cases {
			a := byPassword(c, x.who, x.password)
			refusedPassword(t, x.name, a)
			said[a.Text("title")+a.Text("detail")+a.Header.Get("Content-Type")] = x.name
			timed = append(timed, harness.Timed{Name: x.name, Make: func() func() {
				return func() { byPassword(c, x.who, x.password).Want(http.StatusUnauthorized) }
			}})
		}
		if len(said) != 1 {
			t.Errorf("they hear different things: %v", said)
		}
		if told := hashing.Compare(timed...); told != "" {
			t.Errorf("failures can be told apart by their time: %s", told)
		}
	})
}
