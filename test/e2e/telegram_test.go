package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// botToken is nobody's.
const botToken = "123456789:TEST-TOKEN-NOT-A-REAL-SECRET-0000001"

const telegramChannel = "channels: { telegram: { use: telegram, telegram: { bot_name: example_bot, bot_token: \"" + botToken + "\" } } }\n"

// widget is what Telegram's login widget hands over about somebody, made apart from
// the product: every field is signed by a key that is the hash of the bot's token.
func widget(bot string, at time.Time, id int64, more map[string]string) map[string]string {
	fields := map[string]string{
		"id": strconv.FormatInt(id, 10), "first_name": "Ada", "last_name": "Lovelace", "username": "ada", "auth_date": strconv.FormatInt(at.Unix(), 10),
	}
	maps.Copy(fields, more)
	var lines []string
	for name, value := range fields {
		lines = append(lines, name+"="+value)
	}
	slices.Sort(lines)
	key := sha256.Sum256([]byte(bot))
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(strings.Join(lines, "\n")))
	fields["hash"] = hex.EncodeToString(mac.Sum(nil))
	return fields
}

func byTelegram(c *harness.Client, fields any) harness.Answer {
	return c.As("").Post("/v1/sign-in/telegram", fields)
}

func refusedTelegram(t *testing.T, what string, a harness.Answer) {
	t.Helper()
	if !a.Is(http.StatusUnprocessableEntity, "invalid_assertion") {
		t.Errorf("%s: %s, want 422 invalid_assertion", what, a)
	}
}

func TestS104BothShapesOfTelegramSignIn(t *testing.T) {
	served(t, harness.Options{Policy: quick, Config: telegramChannel + twoTenants}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		now := c.Now()
		first := byTelegram(c, widget(botToken, now, 42, nil)).Tokens()
		if me := c.As(first.Access).Get("/v1/me").Want(http.StatusOK); !first.New || me.Text("first_name") != "Ada" || me.Text("last_name") != "Lovelace" {
			t.Errorf("%s (new: %t)", me, first.New)
		}
		flat := byTelegram(c, widget(botToken, now.Add(-time.Second), 42, map[string]string{"first_name": "Augusta", "photo_url": "https://t.me/i/userpic/1.jpg"})).Tokens()
		nested := byTelegram(c, form{"auth_data": widget(botToken, now.Add(-2*time.Second), 42, nil)}).Tokens()
		numbers := form{}
		for name, value := range widget(botToken, now.Add(-3*time.Second), 42, nil) {
			numbers[name] = value
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && name != "hash" {
				numbers[name] = n // as the widget's callback has them
			}
		}
		for what, who := range map[string]harness.Tokens{"flat": flat, "nested": nested, "with numbers": byTelegram(c, numbers).Tokens()} {
			if who.User != first.User || who.New {
				t.Errorf("%s: %+v, want %s", what, who, first.User)
			}
		}
		there := byTelegram(at(c, "t2"), widget(botToken, now.Add(-4*time.Second), 42, nil)).Tokens()
		if there.User == first.User || !there.New {
			t.Errorf("another tenant knows %+v", there)
		}
	})
}

func TestS106WhatTelegramSaidIsNotToBeChanged(t *testing.T) {
	served(t, harness.Options{Policy: quick, Config: telegramChannel}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		now := c.Now()
		for name := range widget(botToken, now, 42, nil) {
			changed, dropped := widget(botToken, now, 42, nil), widget(botToken, now, 42, nil)
			changed[name] += "0"
			delete(dropped, name)
			refusedTelegram(t, name+" changed", byTelegram(c, changed))
			refusedTelegram(t, name+" dropped", byTelegram(c, dropped))
			refusedTelegram(t, name+" dropped, nested", byTelegram(c, form{"auth_data": dropped}))
		}
		added, empty, short, other := widget(botToken, now, 42, nil), widget(botToken, now, 42, nil), widget(botToken, now, 42, nil), widget("987654321:TEST-TOKEN-NOT-A-REAL-SECRET-0000002", now, 42, nil)
		added["email"], empty["hash"], short["hash"] = "evil@example.com", "", short["hash"][:32]
		for what, fields := range map[string]any{
			"a field more": added, "an empty hash": empty, "half a hash": short, "another bot's": other,
			"a date in words": widget(botToken, now, 42, map[string]string{"auth_date": "abc"}), "no number": widget(botToken, now, -42, nil),
			"nested deeper": form{"auth_data": form{"auth_data": widget(botToken, now, 42, nil)}}, "objects": form{"id": form{"a": 1}, "auth_date": []int{1}, "hash": form{}},
			"nothing": form{}, "null": form{"auth_data": nil}, "text": form{"auth_data": "id=42"},
		} {
			refusedTelegram(t, what, byTelegram(c, fields))
		}
		for _, text := range []string{"null", "[]", `"x"`, `{"id":`, "", `{"id":1,"id":1}`} {
			if a := byTelegram(c, text); a.Status < 400 || a.Status >= 500 {
				t.Errorf("%q: %s, want a refusal", text, a)
			}
		}
		upper := widget(botToken, now, 42, nil)
		upper["hash"] = strings.ToUpper(upper["hash"])
		byTelegram(c, upper).Tokens()
		byTelegram(c, widget(botToken, now, 42, nil)).WantCode(http.StatusUnprocessableEntity, "assertion_replayed")
	})
}

func TestS107WhatTelegramSaidIsFresh(t *testing.T) {
	served(t, harness.Options{Policy: quick, Config: telegramChannel}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		aged := func(seconds int) harness.Answer {
			return byTelegram(c, widget(botToken, c.Now().Add(-time.Duration(seconds)*time.Second), 42, nil))
		}
		for _, old := range []int{301, 3600, 86400} {
			aged(old).WantCode(http.StatusUnprocessableEntity, "assertion_expired")
		}
		for _, ahead := range []int{300, 3600} {
			refusedTelegram(t, fmt.Sprintf("%d seconds ahead", ahead), aged(-ahead))
		}
		for _, good := range []int{270, 0, -5} { // half a minute for a machine that is busy
			aged(good).Tokens()
		}
		waits := widget(botToken, c.Now(), 42, map[string]string{"last_name": "Byron"})
		c.Advance(301 * time.Second)
		byTelegram(c, waits).WantCode(http.StatusUnprocessableEntity, "assertion_expired")
	})
}

func TestS109SomebodyNewByTelegramGivesAPhone(t *testing.T) {
	served(t, harness.Options{Policy: quick + "sign_up: { required: [phone] }\n", Config: telegramChannel}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		seen := map[string]bool{}
		for i, phone := range []string{anns, "+31612345679"} {
			id := int64(42 + i)
			a := byTelegram(c, widget(botToken, c.Now(), id, nil))
			pending := waiting(t, a, "phone")
			if a.Text("profile.first_name") != "Ada" || a.Text("profile.last_name") != "Lovelace" || a.Get("profile.email") != nil {
				t.Errorf("%s, want the names", a)
			}
			next := complete(c, pending, form{"phone": phone}).Want(http.StatusOK)
			who := c.As("").Verify(next.Text("id"), c.AwaitMessages(phone, 1)[0].Code).Tokens()
			mine := identifiers(c, who.Access)
			if !who.New || seen[who.User] || len(mine) != 1 || !mine["phone"].Verified || mine["phone"].Value != phone {
				t.Errorf("%+v has %+v, want somebody new with the phone only", who, mine)
			}
			seen[who.User] = true
			if all := connections(c, who.Access); !slices.Equal(all, []string{"telegram"}) {
				t.Errorf("connections %v", all)
			}
		}
	})
}

func TestS110NobodyCompletesWithWhatIsSomebodyElses(t *testing.T) {
	policy := quick + "sign_up: { required: [phone] }\n"
	served(t, harness.Options{Policy: policy, Config: telegramChannel}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		const bobs = "+31687654321"
		bobFirst := waiting(t, byTelegram(c, widget(botToken, c.Now(), 7, nil)), "phone")
		start := complete(c, bobFirst, form{"phone": bobs}).Want(http.StatusOK)
		who := c.As("").Verify(start.Text("id"), c.AwaitMessages(bobs, 1)[0].Code).Tokens()
		change := c.As(who.Access).Post("/v1/me/identifiers", form{"kind": "email", "value": bob}).Want(http.StatusAccepted)
		c.As("").Verify(change.Text("challenges.0.id"), c.AwaitMessages(bob, 1)[0].Code).Want(http.StatusOK)

		stranger := widget(botToken, c.Now(), 666, nil)
		pending := waiting(t, byTelegram(c, stranger), "phone")
		for field, want := range map[string]struct{ value, code string }{"phone": {"+31 6", "invalid_phone_number"}, "email": {"bob@", "invalid_email"}} {
			a := complete(c, pending, form{field: want.value})
			if !a.Is(http.StatusUnprocessableEntity, "invalid_request") || a.Text("fields.0.pointer") != "/"+field || a.Text("fields.0.code") != want.code {
				t.Errorf("%s: %s, want %s", field, a, want.code)
			}
		}
		both := complete(c, pending, form{"phone": "x", "email": "y"})
		if both.Text("fields.0.code") == "" || both.Text("fields.1.code") == "" {
			t.Errorf("%s, want both fields named", both)
		}
		// Whose it is, nobody is told: the one who has it gets a code, as somebody new would.
		for field, value := range map[string]string{"phone": bobs, "email": bob} {
			a := complete(c, pending, form{field: value}).Want(http.StatusOK)
			if a.Text("status") != "pending" || a.Get("access_token") != nil {
				t.Fatalf("%s: %s, want a challenge", field, a)
			}
			c.As("").Verify(a.Text("id"), "000000").Want(http.StatusUnprocessableEntity)
		}
		if all := connections(c, who.Access); !slices.Equal(all, []string{"telegram"}) {
			t.Errorf("bob has %v, want what he had", all)
		}
		if mine := identifiers(c, who.Access); mine["phone"].Value != bobs || mine["email"].Value != bob {
			t.Errorf("bob has %+v", mine)
		}
		waiting(t, byTelegram(c, widget(botToken, c.Now().Add(-time.Second), 666, nil)), "phone")
		if back := byTelegram(c, widget(botToken, c.Now(), 7, map[string]string{"username": "bob"})).Tokens(); back.User != who.User {
			t.Errorf("bob comes back as %s, want %s", back.User, who.User)
		}
	})
}
