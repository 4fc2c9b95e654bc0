package fiberapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/ports/channel"
)

// site is another site that vouches for whatever it is told.
type site struct{}

// said is what the site says about somebody.
type said struct {
	Sub      string `json:"sub,omitempty"`
	Email    string `json:"email,omitempty"`
	Verified bool   `json:"email_verified,omitempty"`
	Runs     bool   `json:"runs,omitempty"` // the mailbox
	First    string `json:"given_name,omitempty"`
	Once     string `json:"once,omitempty"`
	Stale    bool   `json:"stale,omitempty"`
}

func vouching() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "site", Title: "Site", Summary: "Vouches.", Factor: channel.Possession, MaxAAL: 1, AMR: []string{"otp"}, Identify: true,
	}, func() silent { return silent{} }, func(context.Context, silent, channel.Env) (channel.Channel, error) { return site{}, nil })
}

// Announce tells its client id.
func (site) Announce() channel.Announcement { return channel.Announcement{ClientID: "site.apps"} }

func (site) Begin(_ context.Context, c channel.Challenge) (channel.Opening, error) {
	return channel.Opening{Prompt: channel.Redirect("https://site.example/?state=" + c.Handle + "&to=" + url.QueryEscape(c.Callback)), State: []byte("s")}, nil
}

func (site) Verify(_ context.Context, _ channel.Challenge, _ channel.State, r channel.Response) (channel.Verdict, error) {
	var s said
	if json.Unmarshal(r.Data, &s) != nil || s.Sub == "" {
		return channel.Reject(channel.Mismatch), nil
	}
	if s.Stale {
		return channel.Reject(channel.Expired), nil
	}
	return channel.Verdict{Outcome: channel.Verified, Ref: s.Sub, OnceKey: s.Once, Identity: &channel.Identity{
		Issuer: "https://site.example", Email: s.Email, EmailVerified: s.Verified, Authoritative: s.Runs, FirstName: s.First,
	}}, nil
}

func (site) Receive(_ context.Context, in channel.Inbound) (string, channel.Response, error) {
	if in.Query.Get("state") == "" {
		return "", channel.Response{}, channel.ErrForged
	}
	return in.Query.Get("state"), channel.Response{Data: json.RawMessage(in.Query.Get("say"))}, nil
}

// assert signs in by the site's word.
func (r *rig) assert(s said, header ...string) answer {
	r.t.Helper()
	return r.do("POST", "/v1/sign-in/site", string(must(json.Marshal(s))(r.t)), header...)
}

func TestAnotherSitesWordSignsIn(t *testing.T) {
	r := newRig(t)
	first := r.want(r.assert(said{Sub: "42", Email: "Ada@Example.com", Verified: true, First: "Ada"}), 200)
	if first.text("status") != "signed_in" || first.at("new_user") != true || first.text("user", "first_name") != "Ada" {
		t.Fatalf("got %s", first.raw)
	}
	again := r.want(r.assert(said{Sub: "42", Email: "other@example.com", Verified: true}), 200)
	if again.text("user", "id") != first.text("user", "id") || again.at("new_user") == true {
		t.Errorf("the same account elsewhere is %s", again.raw)
	}
	if other := r.want(r.assert(said{Sub: "43", Email: "bob@example.com", Verified: true}), 200); other.text("user", "id") == first.text("user", "id") {
		t.Error("another account elsewhere is the same person")
	}
	nobody := r.want(r.assert(said{Sub: "44", Email: "eve@example.com"}), 200)
	if me := r.want(r.do("GET", "/v1/me", "", bearer(nobody.text("access_token"))), 200); me.at("identifiers") != nil {
		t.Errorf("an address that nobody has checked was believed: %s", me.raw)
	}
	r.want(r.assert(said{}), 422, "invalid_assertion")
	r.want(r.assert(said{Sub: "42", Stale: true}), 422, "assertion_expired")
	r.want(r.assert(said{Sub: "42", Once: "x"}), 200)
	r.want(r.assert(said{Sub: "42", Once: "x"}), 422, "assertion_replayed")
	r.want(r.do("POST", "/v1/sign-in/nothing", `{}`), 400, "not_configured")
	r.want(r.do("POST", "/v1/sign-in/totp", `{}`), 422, "invalid_request")
	r.want(r.do("POST", "/v1/sign-in/site", `[]`), 400, "malformed_request")
}

func TestAnAddressJoinsAccountsOnlyWhenItIsProven(t *testing.T) {
	r := newRig(t)
	ada := r.signIn("ada@example.com").text("user", "id")
	for _, s := range []said{{Sub: "1", Email: "ada@example.com"}, {Sub: "2", Email: "ada@example.org", Verified: true}} {
		if in := r.want(r.assert(s), 200); in.text("user", "id") == ada {
			t.Errorf("%+v joined the account", s)
		}
	}
	asked := r.want(r.assert(said{Sub: "3", Email: "ada@example.com", Verified: true}), 200)
	if asked.text("status") != "pending" || asked.text("destination") != "a••@example.com" {
		t.Fatalf("a word that is no proof gives %s", asked.raw)
	}
	in := r.want(r.give(asked.text("id")), 200)
	if in.text("status") != "signed_in" || in.text("user", "id") != ada {
		t.Fatalf("proving it gives %s", in.raw)
	}
	if in := r.want(r.assert(said{Sub: "3"}), 200); in.text("user", "id") != ada {
		t.Error("it is not connected afterwards")
	}
	if in := r.want(r.assert(said{Sub: "4", Email: "ada@example.com", Verified: true, Runs: true}), 200); in.text("status") != "pending" {
		t.Errorf("a second account of the site takes over by its address: %s", in.raw)
	}
	bob := r.signIn("bob@example.com").text("user", "id")
	if in := r.want(r.assert(said{Sub: "5", Email: "bob@example.com", Verified: true, Runs: true}), 200); in.text("user", "id") != bob {
		t.Errorf("whoever runs the mailbox is not believed: %s", in.raw)
	}
}

func TestOtherSitesAreNoWayAroundTheSecondFactor(t *testing.T) {
	r := newRig(t)
	access, code, confirmed := r.withApp("ada@example.com")
	r.want(r.do("PATCH", "/v1/me/two-factor", `{"required":true}`, bearer(r.stepUp(access, confirmed.text("device", "id"), code()))), 200)
	joining := r.want(r.assert(said{Sub: "1", Email: "ada@example.com", Verified: true, Runs: true}), 200)
	if joining.text("status") != "factor_required" {
		t.Errorf("joining gives %s", joining.raw)
	}
	asked := r.want(r.do("POST", "/v1/challenges", fmt.Sprintf(`{"purpose":"second_factor","device_id":%q}`, confirmed.text("device", "id")), bearer(joining.text("pending_token"))), 202)
	r.want(r.verify(asked, code()), 200)
	if in := r.want(r.assert(said{Sub: "1"}), 200); in.text("status") != "factor_required" || len(in.at("devices").([]any)) != 2 {
		t.Errorf("got %s", in.raw)
	}
}

func TestClosedAndDemandingTenantsHoldForOtherSites(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.SignUp.Required = []contact.Kind{contact.Phone} })
	r.want(r.assert(said{Sub: "1", Email: "a@example.com", Verified: true}, "Countersign-Tenant: closed"), 403, "signup_not_allowed")
	got := r.want(r.assert(said{Sub: "1", Email: "a@example.com", Verified: true}), 200)
	if got.text("status") != "identifier_required" || fmt.Sprint(got.at("missing")) != "[phone]" || got.text("profile", "email") != "a@example.com" {
		t.Fatalf("got %s", got.raw)
	}
	asked := r.want(r.do("POST", "/v1/sign-in/complete", `{"phone":"+31612345678"}`, bearer(got.text("pending_token"))), 200)
	in := r.want(r.give(asked.text("id")), 200)
	if in.text("status") != "signed_in" || in.at("new_user") != true {
		t.Fatalf("got %s", in.raw)
	}
	if again := r.want(r.assert(said{Sub: "1"}), 200); again.text("user", "id") != in.text("user", "id") {
		t.Errorf("afterwards it is %s", again.raw)
	}
}

func TestABrowserGoesToAnotherSiteAndBack(t *testing.T) {
	r := newRig(t)
	out := r.do("GET", "/v1/sign-in/site/start?return_to=/home", "", "Accept: text/html")
	to := must(url.Parse(out.header.Get("Location")))(t)
	if out.status != 303 || to.Host != "site.example" || to.Query().Get("to") != publicURL+"/callback/site" {
		t.Fatalf("sent with %d to %s", out.status, to)
	}
	cookie, _, _ := strings.Cut(out.header.Get("Set-Cookie"), ";")
	handle := to.Query().Get("state")
	back := "/callback/site?state=" + handle + "&say=" + url.QueryEscape(`{"sub":"7","email":"ada@example.com","email_verified":true}`)
	r.want(r.do("GET", back, ""), 403, "forbidden")
	r.want(r.do("GET", "/callback/site?say=x", ""), 403, "forbidden")
	done := r.do("GET", back, "", "Cookie: "+cookie, "Accept: text/html")
	if done.status != 303 || done.header.Get("Location") != "/home#challenge="+handle {
		t.Fatalf("coming back gives %d to %q", done.status, done.header.Get("Location"))
	}
	if again := r.do("GET", back, "", "Cookie: "+cookie, "Accept: text/html"); again.status != 404 {
		t.Errorf("coming back twice gives %d", again.status)
	}
	in := r.want(r.do("POST", "/v1/challenges/"+handle+"/verify", `{}`), 200)
	if in.text("status") != "signed_in" || in.at("new_user") != true {
		t.Errorf("got %s", in.raw)
	}
	r.want(r.do("GET", "/v1/sign-in/site/start?return_to=//evil.example", ""), 422, "invalid_request")
}

func TestConnectionsComeAndGo(t *testing.T) {
	r := newRig(t)
	me := bearer(r.signIn("ada@example.com").text("access_token"))
	r.want(r.do("POST", "/v1/me/connections/site", `{"sub":"5"}`, me), 200)
	r.want(r.do("POST", "/v1/me/connections/site", `{"sub":"5"}`, bearer(r.signIn("bob@example.com").text("access_token"))), 409, "already_linked")
	if list := r.want(r.do("GET", "/v1/me/connections", "", me), 200); len(list.at("connections").([]any)) != 1 {
		t.Errorf("connected: %s", list.raw)
	}
	if devices := r.want(r.do("GET", "/v1/me/devices", "", me), 200); len(devices.at("devices").([]any)) != 0 {
		t.Errorf("a connection is listed as a device: %s", devices.raw)
	}
	r.want(r.do("PATCH", "/v1/me/two-factor", `{"required":true}`, me), 409, "no_device")
	r.want(r.do("DELETE", "/v1/me/connections/site", "", me), 204)
	r.want(r.do("DELETE", "/v1/me/connections/site", "", me), 404, "not_found")
	alone := bearer(r.want(r.assert(said{Sub: "6"}), 200).text("access_token"))
	r.want(r.do("DELETE", "/v1/me/connections/site", "", alone), 409, "last_login_method")
}

func TestOneAccountElsewhereMakesOnePerson(t *testing.T) {
	r := newRig(t)
	people := make([]string, 8)
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			resp := must(r.app.Test(must(r.request("POST", "/v1/sign-in/site", `{"sub":"1","email":"a@example.com","email_verified":true}`))(t), -1))(t)
			defer resp.Body.Close()
			var body struct {
				User struct{ ID string }
			}
			if resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(&body) == nil {
				people[i] = body.User.ID
			} else if resp.StatusCode != http.StatusConflict {
				t.Errorf("status %d", resp.StatusCode)
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for _, id := range people {
		if id != "" {
			seen[id] = true
		}
	}
	if len(seen) != 1 {
		t.Errorf("%d people", len(seen))
	}
}
