package attack_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// underway is everything that somebody else may have begun with an account:
// codes and links that wait, and sessions that last.
type underway struct {
	codes    []open
	link     linked
	reset    string // pending token
	sessions []harness.Tokens
}

// begin fills the air around an address with what can be begun.
func begin(t *testing.T, c *harness.Client, to string) underway {
	t.Helper()
	one, two := c.SignIn(to), c.SignIn(to)
	u := underway{sessions: []harness.Tokens{one, two}, reset: forgotten(t, c, to)}
	u.codes = append(u.codes,
		asks(t, c, "a sign-in", to, start(c.As(""), map[string]any{"to": to})),
		asks(t, c, "a step-up", to, start(c.As(one.Access), map[string]any{"purpose": "step_up", "to": to})),
		asks(t, c, "an approval", to, start(c.As(two.Access), map[string]any{
			"purpose": "approve", "to": to, "detail": []map[string]string{{"label": "Amount", "value": "120.00 EUR"}},
		})),
		asks(t, c, "a reset", to, func() harness.Answer {
			return c.As("").Post("/v1/password-resets", map[string]string{"identifier": to})
		}),
	)
	u.link = byLink(t, c, to)
	return u
}

// wantOver fails the test unless nothing of it is any good.
func (u underway) wantOver(t *testing.T, c *harness.Client) {
	t.Helper()
	for i, o := range append(u.codes, u.link.open) {
		for _, code := range []string{o.code, wrong(o.code, 1)} {
			if a := c.At(i).As("").Verify(o.id, code); !a.Is(http.StatusNotFound, "challenge_not_found") {
				t.Errorf("the code of %s: %s, want 404 challenge_not_found", o.name, a)
			}
		}
	}
	refused(t, "a link that a script follows", u.link.follow("application/json"))
	refused(t, "a link by whoever asked", c.Post("/v1/challenges/"+u.link.id+"/verify", map[string]string{"link_token": u.link.token}))
	u.link.follow("text/html")
	refused(t, "a link that was opened", c.Post("/v1/challenges/"+u.link.id+"/verify", "{}"))
	refused(t, "a reset that was allowed", choose(c, u.reset, another))
	for i, one := range u.sessions {
		wantEnded(t, c.At(i), one)
	}
}

// wantEnded fails the test unless a session and all its tokens are dead.
func wantEnded(t *testing.T, c *harness.Client, one harness.Tokens) {
	t.Helper()
	for i := range 2 {
		wantInactive(t, c.At(i), "an access token", one.Access)
		wantInactive(t, c.At(i), "a refresh token", one.Refresh)
		c.At(i).As(one.Access).Get("/v1/me").WantCode(http.StatusUnauthorized, "token_revoked")
		refused(t, "a refresh", c.At(i).As("").Post("/v1/tokens/refresh", map[string]string{"refresh_token": one.Refresh}))
	}
}

func TestA031AnotherAddressEndsWhatWasBegunAtTheOldOne(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to, next := fresh(), fresh()
		owner := c.SignIn(to)
		u := begin(t, c, to)
		before := len(c.Messages(to))
		a := c.As(owner.Access).Post("/v1/me/identifiers", map[string]string{"kind": "email", "value": next}).Want(http.StatusAccepted)
		codes := []string{c.AwaitMessages(next, 1)[0].Code, "" /* the older messages are in the way */}
		codes[1] = newestOf(c.AwaitMessages(to, before+1)).Code
		for i, code := range codes {
			c.At(i).As("").Verify(challengeOf(a, i), code).Want(http.StatusOK)
		}
		u.wantOver(t, c)
		c.As(owner.Access).Get("/v1/me").Want(http.StatusOK)
		if in := c.SignIn(next); in.User != owner.User || in.New {
			t.Errorf("the new address signs %s in, want its owner", in.User)
		}
		if in := c.SignIn(to); in.User == owner.User {
			t.Error("the old address still signs in")
		}
	})
}

// newestOf is the message that came last, whichever server sent it.
func newestOf(all []harness.Message) harness.Message {
	newest := all[0]
	for _, m := range all {
		if m.At.After(newest.At) {
			newest = m
		}
	}
	return newest
}

// challengeOf is the nth challenge that an answer lists.
func challengeOf(a harness.Answer, n int) string {
	return a.Text([]string{"challenges.0.id", "challenges.1.id"}[n])
}

func TestA031AForgottenPasswordEndsEverything(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		owner := c.SignIn(to)
		setPassword(c, owner.Access, knows)
		u := begin(t, c, to)
		u.sessions = append(u.sessions, owner, byPassword(c, to, knows).Tokens())
		choose(c, forgotten(t, c, to), another).Want(http.StatusNoContent)
		u.wantOver(t, c)
		refused(t, "the old password", byPassword(c, to, knows))
		byPassword(c, to, another).Tokens()
	})
}

func TestA031AnotherPasswordEndsAllButOnesOwnSession(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		u := begin(t, c, to)
		owner := c.SignIn(to)
		setPassword(c, owner.Access, knows)
		u.wantOver(t, c)
		c.As(owner.Access).Get("/v1/me").Want(http.StatusOK)
		c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": owner.Refresh}).Want(http.StatusOK)
	})
}

func TestA031ARemovedAddressTakesWhatWasBegunWithIt(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to, phone := fresh(), freshPhone()
		owner := c.SignIn(to)
		a := c.As(owner.Access).Post("/v1/me/identifiers", map[string]string{"kind": "phone", "value": phone}).Want(http.StatusAccepted)
		c.Verify(challengeOf(a, 0), c.AwaitMessages(phone, 1)[0].Code).Want(http.StatusOK)
		u := begin(t, c, to)
		c.As(owner.Access).Do(http.MethodDelete, "/v1/me/identifiers/email", nil).Want(http.StatusNoContent)
		u.wantOver(t, c)
		if in := c.SignIn(phone); in.User != owner.User {
			t.Errorf("the phone signs %s in, want its owner", in.User)
		}
	})
}
