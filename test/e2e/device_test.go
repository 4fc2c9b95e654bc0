package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// unknown is an id of the right form that nothing has.
const unknown = "0190a1b2-0000-7000-8000-000000000000"

func TestS067SetUpURI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ configured, issuer, image string }{
		{"Very Trustworthy Source", "Very Trustworthy Source", ""}, {"Ac:me", "Acme", "https://example.com/logo.png"}, {"A&B=C+D", "A&B=C+D", "https://example.com/a+b?c=d&e"},
	} {
		t.Run(c.issuer, func(t *testing.T) {
			config := fmt.Sprintf("channels: { totp: { use: totp, totp: { issuer: %q, image: %q } } }", c.configured, c.image)
			served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, _ *harness.Server, client *harness.Client) {
				who := client.SignIn("alice@example.com")
				text := client.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "totp"}).Want(http.StatusCreated).Text("challenge.prompt.show.0")
				uri, err := url.Parse(text)
				if err != nil || uri.Scheme != "otpauth" || uri.Host != "totp" {
					t.Fatalf("%q is no otpauth URI of an app (%v)", text, err)
				}
				label := url.PathEscape(c.issuer) + ":alice%40example.com"
				if got := strings.ReplaceAll(uri.EscapedPath(), "%3A", ":"); !sameEscaped(t, got, "/"+label) {
					t.Errorf("the label is %s, want %s", got, label)
				}
				if strings.Contains(uri.RawQuery, "+") || strings.Count(uri.EscapedPath(), ":") != 1 {
					t.Errorf("%q has a plus or a second colon", text)
				}
				q := uri.Query()
				if q.Get("issuer") != c.issuer {
					t.Errorf("the issuer is %q, want %q", q.Get("issuer"), c.issuer)
				}
				if s := q.Get("secret"); len(s) < 32 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
					t.Errorf("the secret %q is not base32 of 20 bytes without padding", s)
				}
				for name, usual := range map[string]string{"algorithm": "SHA1", "digits": "6", "period": "30"} {
					if v := q.Get(name); v != "" && v != usual {
						t.Errorf("%s is %q, want %q or nothing, which means the same", name, v, usual)
					}
				}
				if q.Get("image") != c.image || q.Has("image") != (c.image != "") {
					t.Errorf("the picture is %q, want %q", q.Get("image"), c.image)
				}
				if len(q["secret"]) != 1 || len(q["issuer"]) != 1 {
					t.Errorf("%q has parameters twice", text)
				}
			})
		})
	}
}

// sameEscaped compares texts that may be escaped in more than one way.
func sameEscaped(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := url.PathUnescape(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := url.PathUnescape(b)
	if err != nil {
		t.Fatal(err)
	}
	return x == y
}

// listed is a device as its owner sees it.
type listed struct {
	ID, Channel, Name, Destination string
	Confirmed                      bool
	Created                        time.Time  `json:"created_at"`
	Used                           *time.Time `json:"last_used_at"`
}

func list(c *harness.Client, access, query string) (all []listed, next string) {
	var body struct {
		Devices []listed
		Next    string
	}
	c.As(access).Get("/v1/me/devices" + query).Want(http.StatusOK).JSON(&body)
	return body.Devices, body.Next
}

// three are the kinds of devices that people enrol.
func three() []map[string]string {
	return []map[string]string{{"channel": "email", "to": bob, "name": "Mailbox"}, {"channel": "sms", "to": anns}, {"channel": "totp"}}
}

func TestS068ADeviceCountsOnceItIsConfirmed(t *testing.T) {
	both(t, "challenge: { resend_after: 0s }\nthrottle: { free: 0, factor: 10s }\ntwo_factor: { mode: required }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		type pending struct{ device, challenge, code string }
		var all []pending
		for _, body := range three() {
			a := c.As(who.Access).Post("/v1/me/devices", body).Want(http.StatusCreated)
			p := pending{device: a.Text("device.id"), challenge: a.Text("challenge.id")}
			if to := body["to"]; to != "" {
				p.code = c.AwaitMessages(to, 1)[0].Code
			} else {
				uri, err := url.Parse(a.Text("challenge.prompt.show.0"))
				if err != nil {
					t.Fatal(err)
				}
				p.code = harness.TOTP(uri.Query().Get("secret"), c.Now())
			}
			all = append(all, p)
		}
		who = c.SignIn(ann) // nobody is asked for a device that never proved anything
		for _, p := range all {
			c.As(who.Access).Post("/v1/challenges", map[string]string{"purpose": "step_up", "device_id": p.device}).WantCode(http.StatusNotFound, "not_found")
		}
		if theirs := c.SignIn(bob); theirs.User == who.User {
			t.Error("the address of a device that is not confirmed signs its would-be owner in")
		}
		for _, p := range all {
			c.Verify(p.challenge, wrong(p.code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			locked(t, c.Verify(p.challenge, p.code), 10)
		}
		for _, d := range devicesOf(c, who.Access) {
			if d.Confirmed {
				t.Errorf("%+v is confirmed by a wrong code", d)
			}
		}
		c.Advance(11 * time.Second)
		for _, p := range all {
			if a := c.Verify(p.challenge, p.code); a.Status != http.StatusOK || a.Text("status") != "device_confirmed" {
				t.Errorf("the right code: %s, want device_confirmed", a)
			}
		}
		for _, d := range devicesOf(c, who.Access) {
			if !d.Confirmed || d.Created.IsZero() || d.Used == nil || d.Used.Before(d.Created) {
				t.Errorf("%+v, want it confirmed, with times", d)
			}
		}
		c.FirstFactor(ann) // now it is asked for
	})
}

// devicesOf are the devices that people enrol, without the sheet of recovery codes.
func devicesOf(c *harness.Client, access string) []listed {
	all, _ := list(c, access, "")
	return slices.DeleteFunc(all, func(d listed) bool { return d.Channel == "recovery" })
}

func TestS070DevicesAreListedInOrderWithoutSecrets(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		app := c.EnrollTOTP(who.Access)
		who = c.Fresh(harness.Person{Tokens: who, Device: app})
		mail := emailDevice(t, c, who.Access, bob)
		a := c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "sms", "to": anns, "name": "My phone"}).Want(http.StatusCreated)
		code := c.AwaitMessages(anns, 1)[0].Code

		all, next := list(c, who.Access, "")
		var channels []string
		for _, d := range all {
			channels = append(channels, d.Channel)
			if d.ID == "" || d.Name == "" || d.Created.IsZero() || d.Confirmed != (d.ID != a.Text("device.id")) {
				t.Errorf("%+v is not whole", d)
			}
		}
		slices.Sort(channels)
		if !slices.Equal(channels, []string{"email", "sms", "totp"}) || next != "" {
			t.Errorf("the devices are %v, then %q, want one of each kind and no more", channels, next)
		}
		if all[0].ID != app.ID || all[len(all)-1].ID != a.Text("device.id") || !slices.ContainsFunc(all, func(d listed) bool { return d.ID == mail && d.Destination == bob }) {
			t.Errorf("%+v, want them oldest first with their own addresses", all)
		}
		raw := string(c.As(who.Access).Get("/v1/me/devices").Body)
		for what, secret := range map[string]string{"the secret": app.Secret, "a recovery code": app.Recovery[0], "a live code": code, "hashes": "hash", "credentials": "credential"} {
			if strings.Contains(raw, secret) {
				t.Errorf("the list shows %s", what)
			}
		}
		var paged []listed
		for after := ""; ; {
			page, next := list(c, who.Access, "?limit=1&after="+after)
			if paged = append(paged, page...); next == "" || len(paged) > len(all) {
				break
			}
			after = next
		}
		if fmt.Sprint(ids(paged)) != fmt.Sprint(ids(all)) {
			t.Errorf("page by page %v, at once %v", ids(paged), ids(all))
		}
		for _, bad := range []string{"?limit=0", "?limit=101", "?limit=x", "?after=x", "?after=" + url.QueryEscape("' OR 1=1 --")} {
			c.As(who.Access).Get("/v1/me/devices"+bad).WantCode(http.StatusUnprocessableEntity, "invalid_request")
		}
	})
}

func ids(all []listed) (out []string) {
	for _, d := range all {
		out = append(out, d.ID)
	}
	return out
}

func TestS071OtherPeoplesDevicesDoNotExist(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.Secure(ann)
		before := account(c, who.Access)
		mallory := c.SignIn(eve).Access
		pending := c.FirstFactor(ann)
		for _, id := range []string{who.Device.ID, unknown, "x", "1", strings.ToUpper(unknown), "%00", "..%2f..%2fme", strings.Repeat("9", 400)} {
			path := "/v1/me/devices/" + id
			for what, a := range map[string]harness.Answer{
				"get":       c.As(mallory).Get(path),
				"remove":    c.As(mallory).Do(http.MethodDelete, path, nil),
				"rename":    c.As(mallory).Do(http.MethodPatch, path, map[string]string{"name": "Mine"}),
				"challenge": c.As(mallory).Post(path+"/challenge", nil),
			} {
				if what == "get" && a.Is(http.StatusMethodNotAllowed, a.Code()) { // there is no such route at all
					continue
				}
				if !a.Is(http.StatusNotFound, "not_found") {
					t.Errorf("%s %s: %s, want 404 not_found", what, id, a)
				}
			}
			if a := c.As(mallory).Post("/v1/challenges", map[string]string{"purpose": "step_up", "device_id": id}); !a.Is(http.StatusNotFound, "not_found") {
				t.Errorf("step up by %s: %s, want 404", id, a)
			}
			if id == who.Device.ID { // ann's own pending token reaches it
				continue
			}
			if a := c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": id}); !a.Is(http.StatusNotFound, "not_found") {
				t.Errorf("second factor by %s: %s, want 404", id, a)
			}
		}
		for _, channel := range []string{"", "x", "recovery", "TOTP", "email\u0000"} {
			if a := c.As(mallory).Post("/v1/me/devices", map[string]string{"channel": channel, "to": eve}); a.Status < 400 || a.Status >= 500 || a.Code() == "" {
				t.Errorf("a device of the kind %q: %s, want a refusal", channel, a)
			}
		}
		if after := account(c, who.Access); after != before {
			t.Errorf("ann's account was\n%s\nand is\n%s", before, after)
		}
	})
}

func TestS073AddingADeviceTwice(t *testing.T) {
	policy := "challenge: { resend_after: 0s, live_per_destination: 10 }\nthrottle: { free: 20 }\ntwo_factor: { step_up_max_age: 1h }\n"
	races(t, policy, func(t *testing.T, c *harness.Client) {
		who := c.SignIn(ann)
		add := func(i int, to string) (harness.Answer, error) {
			return c.At(i).As(who.Access).Try(http.MethodPost, "/v1/me/devices", map[string]string{"channel": "email", "to": to})
		}
		first, err := add(0, bob)
		if err != nil {
			t.Fatal(err)
		}
		first.Want(http.StatusCreated)
		spellings := []string{bob, "BOB@example.com", " bob@EXAMPLE.com "}
		all := together(t, 8, func(i int) (harness.Answer, error) { return add(i, spellings[i%len(spellings)]) })
		healthy(t, all)
		mine := devicesOf(c, who.Access)
		if len(mine) != 1 {
			t.Fatalf("one address is %d devices, want 1: %v", len(mine), tally(all))
		}
		sent := 1 + tally(all)["201"]
		c.AwaitMessages(bob, sent) // those on their way are not the last one's
		last, err := add(0, bob)
		if err != nil {
			t.Fatal(err)
		}
		last.Want(http.StatusCreated)
		c.AwaitMessages(bob, sent+1)
		c.Verify(last.Text("challenge.id"), c.Newest(bob).Code).Want(http.StatusOK)
		for i, to := range spellings { // once it is confirmed
			a, err := add(i, to)
			if err != nil || !a.Is(http.StatusConflict, "already_linked") {
				t.Errorf("a confirmed one again as %q: %s (%v), want 409 already_linked", to, a, err)
			}
		}
		if mine := devicesOf(c, who.Access); len(mine) != 1 || !mine[0].Confirmed {
			t.Errorf("the devices are %+v, want one, confirmed", mine)
		}
	})
}
