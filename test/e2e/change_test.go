package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// twin is a kind of address, with three of them.
type twin struct{ kind, a, b, c string }

func phones() twin { return twin{"phone", anns, "+31612345679", "+31612345670"} }

func mailboxes() twin { return twin{"email", ann, "ann.new@example.com", "ann.newer@example.com"} }

// scenario is what both runs.
type scenario = func(t *testing.T, s *harness.Server, c *harness.Client)

func TestS086MailboxesChangeAsPhonesDo(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name, policy string
		of           func(twin) scenario
	}{
		{"S-076", quick, staysUntilProven},
		{"S-077", quick, needsBothProofs},
		{"S-079", quick, tellsTheOldAddress},
		{"S-080", quick, startsOver},
		{"S-082", "challenge: { resend_after: 0s, attempts: 3, live_per_destination: 10 }\nthrottle: { free: 3, factor: 1m }\n", refillsNoAttempts},
		{"S-083", "challenge: { resend_after: 60s }", resends},
	} {
		t.Run(x.name, func(t *testing.T) { both(t, x.policy, x.of(mailboxes())) })
	}
}

// changing is a change that waits for proofs.
type changing struct {
	answer            harness.Answer
	current, fresh    string // challenges
	currentCode, code string
}

// change asks for another address, and reads the codes.
func change(t *testing.T, c *harness.Client, access, kind, from, to string) changing {
	t.Helper()
	old, fresh := len(c.Messages(from)), len(c.Messages(to))
	a := c.As(access).Post("/v1/me/identifiers", map[string]string{"kind": kind, "value": to}).Want(http.StatusAccepted)
	var body struct {
		Challenges []struct{ ID, Destination string }
	}
	a.JSON(&body)
	if len(body.Challenges) != 2 || a.Text("identifier.value") != from || a.Text("identifier.pending_value") != to {
		t.Fatalf("%s, want %s with %s waiting, and two challenges", a, from, to)
	}
	w := changing{answer: a, currentCode: c.AwaitMessages(from, old+1)[0].Code, code: c.AwaitMessages(to, fresh+1)[0].Code}
	for _, ch := range body.Challenges { // which is which shows by what is masked
		if strings.HasSuffix(ch.Destination, to[len(to)-2:]) && ends(from) != ends(to) || ends(from) == ends(to) && len(w.fresh) == 0 {
			w.fresh = ch.ID
		} else {
			w.current = ch.ID
		}
	}
	if w.fresh == "" || w.current == "" {
		t.Fatalf("%s, want one challenge to each address", a)
	}
	return w
}

func ends(address string) string { return address[len(address)-2:] }

// waits wants an account whose address is one thing and becomes another.
func waits(t *testing.T, c *harness.Client, access string, want identifier) {
	t.Helper()
	if got := identifiers(c, access)[want.Kind]; got != want {
		t.Errorf("the %s is %+v, want %+v", want.Kind, got, want)
	}
}

func TestS076AConfirmedAddressStaysUntilTheNewOneIsProven(t *testing.T) {
	both(t, quick, staysUntilProven(phones()))
}

func staysUntilProven(w twin) scenario {
	return func(t *testing.T, _ *harness.Server, c *harness.Client) {
		t.Helper()
		who := c.SignIn(w.a)
		before := len(c.Messages(w.a))
		ch := change(t, c, who.Access, w.kind, w.a, w.b)
		if len(c.Messages(w.a)) != before+1 || len(c.Messages(w.b)) != 1 {
			t.Errorf("%d messages to the old and %d to the new address, want one each", len(c.Messages(w.a))-before, len(c.Messages(w.b)))
		}
		if ch.code == ch.currentCode {
			t.Log("both codes are equal, which happens once in a million times")
		}
		waits(t, c, who.Access, identifier{w.kind, w.a, true, w.b})
		if again := c.SignIn(w.a); again.User != who.User {
			t.Errorf("the old address signs %s in, want %s", again.User, who.User)
		}
		if other := c.SignIn(w.b); other.User == who.User {
			t.Error("the new address signs its would-be owner in before it is proven by them")
		}
	}
}

func TestS077BothProofsAreNeeded(t *testing.T) {
	both(t, quick, needsBothProofs(phones()))
}

func needsBothProofs(w twin) scenario {
	return func(t *testing.T, _ *harness.Server, c *harness.Client) {
		t.Helper()
		for _, order := range []string{"new first", "current first"} {
			from, to := w.a, w.b
			if order == "current first" {
				from, to = w.b, w.c
			}
			who := c.SignIn(from)
			ch := change(t, c, who.Access, w.kind, from, to)
			c.Verify(ch.fresh, wrong(ch.code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			c.Verify(ch.current, wrong(ch.currentCode)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			if ch.code != ch.currentCode {
				c.Verify(ch.fresh, ch.currentCode).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			}
			waits(t, c, who.Access, identifier{w.kind, from, true, to})

			first, second, left := [2]string{ch.fresh, ch.code}, [2]string{ch.current, ch.currentCode}, "current"
			if order == "current first" {
				first, second, left = second, first, "new"
			}
			half := c.Verify(first[0], first[1]).Want(http.StatusOK)
			if half.Text("status") != "identifier_pending" || half.Text("waiting_for.0") != left || half.Get("waiting_for.1") != nil {
				t.Errorf("%s: %s, want it to wait for %s", order, half, left)
			}
			waits(t, c, who.Access, identifier{w.kind, from, true, to})
			whole := c.Verify(second[0], second[1]).Want(http.StatusOK)
			if whole.Text("status") != "identifier_changed" || whole.Text("identifier.value") != to || whole.Get("identifier.verified") != true {
				t.Errorf("%s: %s, want it changed", order, whole)
			}
			next := c.SignIn(to)
			if next.User != who.User {
				t.Errorf("%s: the new address signs %s in, want %s", order, next.User, who.User)
			}
			waits(t, c, next.Access, identifier{w.kind, to, true, ""})
			if other := c.SignIn(from); other.User == who.User && order == "current first" {
				t.Errorf("%s: the old address still signs in", order)
			}
		}
	}
}

func TestS079TheOldAddressIsTold(t *testing.T) {
	both(t, quick, tellsTheOldAddress(phones()))
}

func tellsTheOldAddress(w twin) scenario {
	return func(t *testing.T, _ *harness.Server, c *harness.Client) {
		t.Helper()
		who := c.SignIn(w.a)
		ch := change(t, c, who.Access, w.kind, w.a, w.b)
		c.Verify(ch.fresh, ch.code).Want(http.StatusOK)
		if n := len(c.Notices("")); n != 0 {
			t.Errorf("%d notices before anything has changed", n)
		}
		c.Verify(ch.current, ch.currentCode).Want(http.StatusOK)
		told := c.AwaitNotices(w.a, 1)
		if len(told) != 1 || told[0].Code != "" || strings.Contains(told[0].Text, w.b) {
			t.Errorf("%d notices, the first %q, want one without the whole new address", len(told), told[0].Text)
		}
	}
}

func TestS079EventsOfConfirmation(t *testing.T) {
	hooked(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client, h *hook) {
		who := c.SignIn(ann)
		ch := change(t, c, who.Access, "email", ann, bob)
		c.Verify(ch.fresh, wrong(ch.code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		c.Verify(ch.fresh, ch.code).Want(http.StatusOK)
		c.Verify(ch.current, ch.currentCode).Want(http.StatusOK)
		waitFor(t, patient, "the change is told", func() bool {
			_, types := h.heard(who.User)
			return slices.Contains(types, "identifier.changed")
		})
		h.mu.Lock()
		defer h.mu.Unlock()
		var initial []string
		seen := map[string]bool{}
		for _, w := range h.got {
			if w.User == who.User && w.Type == "identifier.verified" && !seen[w.ID] {
				seen[w.ID] = true
				initial = append(initial, w.initial(t))
			}
			if strings.Contains(w.body, ann) || strings.Contains(w.body, bob) || strings.Contains(w.body, ch.code) {
				t.Errorf("an address or a code is in %s", w.body)
			}
		}
		if !slices.Equal(initial, []string{"yes", "no"}) {
			t.Errorf("initial confirmations were %v, want yes for the first and no for the change", initial)
		}
	})
}

func TestS080AnotherTargetStartsOver(t *testing.T) {
	both(t, quick, startsOver(phones()))
}

func startsOver(w twin) scenario {
	return func(t *testing.T, _ *harness.Server, c *harness.Client) {
		t.Helper()
		who := c.SignIn(w.a)
		old := change(t, c, who.Access, w.kind, w.a, w.b)
		ch := change(t, c, who.Access, w.kind, w.a, w.c)
		for _, o := range [][2]string{{old.fresh, old.code}, {old.current, old.currentCode}} {
			if a := c.Verify(o[0], o[1]); a.Status != http.StatusNotFound {
				t.Errorf("a proof for the target before: %s, want 404", a)
			}
		}
		waits(t, c, who.Access, identifier{w.kind, w.a, true, w.c})
		if a := c.Verify(ch.fresh, old.code); old.code != ch.code && a.Status == http.StatusOK {
			t.Errorf("the old code at the new challenge: %s", a)
		}
		c.Verify(ch.fresh, ch.code).Want(http.StatusOK)
		c.Verify(ch.current, ch.currentCode).Want(http.StatusOK)
		waits(t, c, c.SignIn(w.c).Access, identifier{w.kind, w.c, true, ""})
	}
}

func TestS082EditingTheProfileRefillsNoAttempts(t *testing.T) {
	both(t, "challenge: { resend_after: 0s, attempts: 3, live_per_destination: 10 }\nthrottle: { free: 3, factor: 1m }\n", refillsNoAttempts(phones()))
}

func refillsNoAttempts(w twin) scenario {
	return func(t *testing.T, _ *harness.Server, c *harness.Client) {
		t.Helper()
		who := c.SignIn(w.a)
		ch := change(t, c, who.Access, w.kind, w.a, w.b)
		for range 3 {
			c.Verify(ch.fresh, wrong(ch.code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		c.As(who.Access).Do(http.MethodPatch, "/v1/me", map[string]string{"first_name": "Ann"}).Want(http.StatusOK)
		c.Verify(ch.fresh, ch.code).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")

		again := change(t, c, who.Access, w.kind, w.a, w.b) // the same once more: a new pair, and what failed still counts
		c.Verify(again.fresh, wrong(again.code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		locked(t, c.Verify(again.fresh, again.code), 60)
		c.As(who.Access).Do(http.MethodPatch, "/v1/me", map[string]string{"first_name": "Anna"}).Want(http.StatusOK)
		locked(t, c.Verify(again.fresh, again.code), 60)
		c.Advance(61 * time.Second)
		c.Verify(again.fresh, again.code).Want(http.StatusOK)
	}
}

func TestS083ResendingTheProofsOfAChange(t *testing.T) {
	both(t, "challenge: { resend_after: 60s }", resends(phones()))
}

func resends(w twin) scenario {
	return func(t *testing.T, _ *harness.Server, c *harness.Client) {
		t.Helper()
		who := c.SignIn(w.a)
		c.Advance(61 * time.Second)
		ch := change(t, c, who.Access, w.kind, w.a, w.b)
		olds, news := len(c.Messages(w.a)), len(c.Messages(w.b))
		for _, id := range []string{ch.fresh, ch.current} {
			c.Post("/v1/challenges/"+id+"/resend", nil).WantCode(http.StatusTooManyRequests, "cooldown")
		}
		c.Advance(61 * time.Second)
		for _, id := range []string{ch.fresh, ch.current} {
			c.Post("/v1/challenges/"+id+"/resend", nil).Want(http.StatusAccepted)
		}
		if got := c.AwaitMessages(w.b, news+1)[0].Code; got != ch.code {
			t.Errorf("the new address is sent %s again, want %s", got, ch.code)
		}
		if got := c.AwaitMessages(w.a, olds+1)[0].Code; got != ch.currentCode {
			t.Errorf("the old address is sent %s again, want %s", got, ch.currentCode)
		}
		pending := "/v1/me/identifiers/" + w.kind + "/pending"
		c.As(who.Access).Do(http.MethodDelete, pending, nil).Want(http.StatusNoContent)
		c.Advance(61 * time.Second)
		before := len(c.Messages(""))
		c.As(who.Access).Do(http.MethodDelete, pending, nil).WantCode(http.StatusConflict, "nothing_pending")
		for _, id := range []string{ch.fresh, ch.current} {
			if a := c.Post("/v1/challenges/"+id+"/resend", nil); a.Status < 400 || a.Status >= 500 {
				t.Errorf("a proof of a change that was given up: %s, want a refusal", a)
			}
			if a := c.Verify(id, ch.code); a.Status < 400 || a.Status >= 500 {
				t.Errorf("a proof of a change that was given up: %s, want a refusal", a)
			}
		}
		if n := len(c.Messages("")); n != before {
			t.Errorf("%d messages went out for nothing", n-before)
		}
		waits(t, c, who.Access, identifier{w.kind, w.a, true, ""})
	}
}

// Every way to write something about oneself, tried with somebody else's address.
func TestS085NoSideDoor(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		const theirs = "+31612345679"
		who := c.SignIn(ann)
		me := c.As(who.Access)
		for _, name := range []string{eve, theirs, "0612345679"} {
			if a := me.Post("/v1/me/identifiers", map[string]string{"kind": "username", "value": name}); a.Status < 400 || a.Status >= 500 {
				t.Errorf("the user name %s: %s, want a refusal", name, a)
			}
		}
		for _, body := range []form{{"kind": "phone", "value": theirs, "verified": true}, {"kind": "phone", "value": theirs, "challenges": []any{}}} {
			me.Post("/v1/me/identifiers", body).WantCode(http.StatusBadRequest, "unknown_field")
		}
		me.Post("/v1/me/identifiers", map[string]string{"kind": "phone", "value": theirs}).Want(http.StatusAccepted)
		me.Post("/v1/me/devices", map[string]string{"channel": "sms", "to": theirs}).Want(http.StatusCreated)
		for _, body := range []form{{"phone": theirs}, {"email": eve}, {"identifiers": []any{}}} {
			me.Do(http.MethodPatch, "/v1/me", body).WantCode(http.StatusBadRequest, "unknown_field")
		}
		for _, method := range []string{http.MethodPut, http.MethodPatch} {
			for _, path := range []string{"/v1/me/identifiers/phone", "/v1/me/identifiers", "/v1/users/" + who.User} {
				if a := me.Do(method, path, form{"value": theirs}); a.Status != http.StatusNotFound && a.Status != http.StatusMethodNotAllowed {
					t.Errorf("%s, want no such route", a)
				}
			}
		}
		if a := me.Post("/v1/sign-in/complete", form{"phone": theirs}); a.Status != http.StatusUnauthorized {
			t.Errorf("%s, want 401", a)
		}
		for kind, i := range identifiers(c, who.Access) {
			if i.Verified && i.Value != ann {
				t.Errorf("the %s %s is verified without a code", kind, i.Value)
			}
		}
		if other := c.SignIn(theirs); other.User == who.User {
			t.Error("the number signs in whoever asked for it")
		}
		if _, ok := identifiers(c, who.Access)["phone"]; ok && identifiers(c, who.Access)["phone"].Verified {
			t.Error("a number that its owner has proven is still somebody else's")
		}
	})
}

func TestS080ParallelChangesLeaveOne(t *testing.T) {
	races(t, quick, func(t *testing.T, c *harness.Client) {
		who := c.SignIn(ann)
		all := together(t, 4, func(i int) (harness.Answer, error) {
			return c.At(i).As(who.Access).Try(http.MethodPost, "/v1/me/identifiers", map[string]string{"kind": "email", "value": fmt.Sprintf("ann%d@example.com", i)})
		})
		healthy(t, all)
		pending := identifiers(c, who.Access)["email"].Pending
		if pending == "" {
			t.Fatalf("nothing waits after %v", tally(all))
		}
		done := 0
		for i, a := range all {
			if a.Status != http.StatusAccepted {
				continue
			}
			var body struct{ Challenges []struct{ ID string } }
			a.JSON(&body)
			to := fmt.Sprintf("ann%d@example.com", i)
			code := c.AwaitMessages(to, 1)[0].Code
			for _, ch := range body.Challenges {
				if got := c.Verify(ch.ID, code); got.Status == http.StatusOK {
					if done++; to != pending {
						t.Errorf("%s: %s, but %s waits", to, got, pending)
					}
				}
			}
		}
		if done != 1 {
			t.Errorf("%d changes could be proven, want one", done)
		}
	})
}
