package attack_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// Here the attacker never signs in, so the victim gets the very account that was
// made for their address. Nothing that the form said leads into it.
func TestA071WhoOnlyFilledInAFormComesInByNothing(t *testing.T) {
	apart(t, harness.Options{Policy: patient + "identity: { auto_send: true }\n"}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to, phone, mallory := fresh(), freshPhone(), fmt.Sprintf("mallory%d", people.Add(1))
		made := c.As("").Post("/v1/users", map[string]string{"username": mallory, "email": to, "phone": phone, "password": knows}).Want(http.StatusCreated)
		claim := made.Text("claim")
		asked := map[string]string{}
		for i := range 2 {
			asked[made.Text(fmt.Sprintf("challenges.%d.channel", i))] = made.Text(fmt.Sprintf("challenges.%d.id", i))
		}
		mine := c.AwaitMessages(phone, 1)[0].Code
		other := c.As("").StartChallenge(phone)
		theirs := c.AwaitMessages(phone, 2)[0].Code

		sent := c.AwaitMessages(to, 1)[0].Code
		victim := c.SignIn(to)
		if victim.User != made.Text("user.id") {
			t.Errorf("the victim is %s, want %s, which nobody uses", victim.User, made.Text("user.id"))
		}
		refused(t, "the password for the address", byPassword(c, to, knows))
		refused(t, "the password for the user name", byPassword(c, mallory, knows))
		refused(t, "the code that signing up sent", c.As("").Verify(asked["sms"], mine))
		refused(t, "the code that signing up sent to the victim", c.As("").Verify(asked["email"], sent))
		refused(t, "a sign-in that was under way", c.As("").Post("/v1/challenges/"+other.ID+"/verify", map[string]string{"code": theirs, "claim": claim}))
		if who := c.ClaimSignIn(phone, claim); who.User == victim.User {
			t.Error("the phone that was claimed along with the address leads to the victim's account")
		}
		c.As(victim.Access).Get("/v1/me").Want(http.StatusOK)
	})
}

// The attacker signs in by the password of the form while the victim proves the
// address: whoever of the two has the account, the other is not in it.
func TestA071NobodyIsLeftInsideWhenAnAccountIsHandedOver(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		won := map[bool]int{}
		for range 12 {
			to, mallory := fresh(), fmt.Sprintf("mallory%d", people.Add(1))
			c.As("").Post("/v1/users", map[string]string{"username": mallory, "email": to, "password": knows}).Want(http.StatusCreated)
			asked, code := c.As("").StartChallenge(to), c.Code(to)
			const attackers = 3
			v := fire(attackers+1, func(i int) (harness.Answer, error) {
				if i == attackers {
					return guess(c.As(""), asked.ID, code)
				}
				return c.At(i).As("").Try(http.MethodPost, "/v1/sign-in/password", map[string]string{"identifier": mallory, "password": knows})
			})
			for i, err := range v.errors {
				if err != nil || v.answers[i].Status >= http.StatusInternalServerError {
					t.Fatalf("%d: %s, %v", i, v.answers[i], err)
				}
			}
			victim := v.answers[attackers].Tokens()
			for _, a := range v.answers[:attackers] {
				if a.Status != http.StatusOK {
					continue
				}
				won[a.Text("user.id") == victim.User]++
				for what, in := range map[string]harness.Answer{
					"access token": c.As(a.Text("access_token")).Get("/v1/me"), "refresh token": c.As("").Post("/v1/tokens/refresh", map[string]string{"refresh_token": a.Text("refresh_token")}),
				} {
					if in.Status == http.StatusOK && a.Text("user.id") == victim.User {
						t.Errorf("by an %s the attacker is in the victim's account: %s", what, in)
					}
				}
			}
			if again := byPassword(c, mallory, knows); again.Status == http.StatusOK && again.Text("user.id") == victim.User {
				t.Errorf("the attacker comes into the victim's account again: %s", again)
			}
		}
		t.Logf("the attacker was in time and alone, or with the victim: %v", won)
	})
}

// last signs in again and again until the password is refused, and returns the
// last sign-in that it was good for.
func last(c *harness.Client, who, password string) (in harness.Answer, err error) {
	for range 50 {
		a, err := c.As("").Try(http.MethodPost, "/v1/sign-in/password", map[string]string{"identifier": who, "password": password})
		if err != nil || a.Status >= http.StatusInternalServerError {
			return a, err
		}
		if a.Status != http.StatusOK {
			return in, nil
		}
		in = a
	}
	return in, errors.New("the password is still good")
}

// Comparing a password takes a while. Whoever is at it while the password changes
// does not come in afterwards.
func TestA096NobodyComesInByThePasswordOfBefore(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for range 6 {
			to := fresh()
			me := c.As(c.SignIn(to).Access)
			me.Do(http.MethodPut, "/v1/me/password", map[string]string{"new_password": knows}).Want(http.StatusNoContent)
			const thieves = 3
			v := fire(thieves+1, func(i int) (harness.Answer, error) {
				if i == thieves {
					return me.Try(http.MethodPut, "/v1/me/password", map[string]string{"current_password": knows, "new_password": knows + " anew"})
				}
				return last(c.At(i), to, knows)
			})
			if v.answers[thieves].Status != http.StatusNoContent {
				t.Fatalf("%s, %v", v.answers[thieves], v.errors[thieves])
			}
			for i, a := range v.answers[:thieves] {
				if v.errors[i] != nil || a.Status >= http.StatusInternalServerError {
					t.Fatalf("%s, %v", a, v.errors[i])
				}
				if a.Status != http.StatusOK {
					continue // none came in
				}
				refused(t, "the session of a sign-in that was under way", c.As(a.Text("access_token")).Get("/v1/me"))
				refused(t, "its refresh token", c.As("").Post("/v1/tokens/refresh", map[string]string{"refresh_token": a.Text("refresh_token")}))
			}
			me.Get("/v1/me").Want(http.StatusOK)
		}
	})
}
