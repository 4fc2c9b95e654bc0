package e2e_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// route is one operation of the OpenAPI document.
type route struct {
	method, path string
	public       bool // needs no credential
}

// routes are all operations that the server says it has.
func routes(t *testing.T, c *harness.Client) (out []route) {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	c.Get("/openapi.json").Want(http.StatusOK).JSON(&doc)
	for path, operations := range doc.Paths {
		for method, raw := range operations {
			var o struct{ Security []map[string][]string }
			if err := json.Unmarshal(raw, &o); err != nil {
				continue // parameters of the path
			}
			public := len(o.Security) == 0 || slices.ContainsFunc(o.Security, func(s map[string][]string) bool { return len(s) == 0 })
			out = append(out, route{strings.ToUpper(method), path, public})
		}
	}
	out = slices.DeleteFunc(out, func(r route) bool { return r.path == "/docs" || r.path == "/openapi.json" }) // about the deployment
	if len(out) < 40 {
		t.Fatalf("the document has %d operations: it is not whole", len(out))
	}
	return out
}

// belongings are what somebody has in one tenant.
type belongings struct {
	ids         []string          // of all sorts of things
	credentials map[string]string // that go into Authorization
	secrets     []string          // that go into bodies and paths
	private     []string          // that must be shown to nobody else
}

// settle gives somebody everything that there is to have.
func settle(t *testing.T, s *harness.Server, c *harness.Client) (harness.Person, belongings) {
	t.Helper()
	who := c.Secure(ann)
	setPassword(c, who.Access, knows)
	_, _, resetting := reset(t, c, ann)
	pending := c.FirstFactor(ann)
	second := c.SecondFactor(pending, who.Device.ID)
	asked := c.StartChallenge(ann)
	message := c.Newest(ann)
	link := message.Link[strings.LastIndex(message.Link, "/")+1:]
	c.Advance(2 * harness.Period)
	who.Tokens = c.Fresh(who)
	invitation := invite(c, who.Access, bob).Want(http.StatusCreated).Text("id")
	token := invited(t, c, bob)
	admin := apiKey(t, s, "admin")
	key := c.As(admin).Get("/v1/admin/api-keys").Want(http.StatusOK).Text("api_keys.0.id")
	return who, belongings{
		ids:         []string{asked.ID, second.ID, who.Device.ID, who.Session, who.User, invitation, key},
		credentials: map[string]string{"access": who.Access, "pending": pending, "reset": resetting, "key": admin},
		secrets:     []string{who.Refresh, who.Access, link, token, message.Code, pending},
		private:     []string{ann, bob, who.Device.ID, who.User, `"access_token"`, `"pending_token"`, admin},
	}
}

// Every route there is, asked at one tenant with everything that somebody has at
// another: nothing is found, shown, changed or used up.
func TestTenantsKnowNothingOfEachOtherOnAnyRoute(t *testing.T) {
	served(t, harness.Options{Policy: quick, Config: twoTenants}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		who, has := settle(t, s, c)
		before := account(c, who.Access)
		other := at(c, "t2")
		refusals := 0
		for _, r := range routes(t, c) {
			ids := []string{""}
			if strings.Contains(r.path, "{") {
				ids = append(slices.Clone(has.ids), has.secrets...)
				ids = append(ids, "email", "phone", "totp")
			}
			for _, id := range ids {
				if r.path == "/l/{token}" && id == has.secrets[3] { // says itself whose it is: links lead to one address for all tenants
					continue
				}
				path := r.path
				if at := strings.Index(path, "{"); at >= 0 {
					path = path[:at] + id + path[strings.Index(path, "}")+1:]
				}
				for name, credential := range with(has.credentials) {
					for _, body := range bodies(r, has) {
						a := other.As(credential).Do(r.method, path, body)
						if a.Status >= http.StatusInternalServerError {
							t.Errorf("%s %s as %s: %s", r.method, r.path, name, a)
						}
						if name != "nobody" && !r.public && a.Status < 400 {
							t.Errorf("%s %s as %s: %d, want a refusal", r.method, r.path, name, a.Status)
						}
						for _, private := range has.private {
							if strings.Contains(string(a.Body), private) && !strings.Contains(path, private) && !quotes(body, private) {
								t.Errorf("%s %s as %s shows %.20s", r.method, r.path, name, private)
							}
						}
						if a.Status >= 400 {
							refusals++
						}
					}
				}
			}
		}
		if refusals < 1000 {
			t.Errorf("only %d requests were refused: this has shown little", refusals)
		}
		if after := account(c, who.Access); after != before {
			t.Errorf("the account was\n%s\nand is\n%s", before, after)
		}
		for _, still := range []func() harness.Answer{
			func() harness.Answer { return c.Get("/v1/challenges/" + has.ids[0]) },
			func() harness.Answer { return c.Get("/l/" + has.secrets[2]) },
			func() harness.Answer { return c.As(has.credentials["key"]).Get("/v1/admin/api-keys") },
			func() harness.Answer { return accept(c, has.secrets[3], nil) },
			func() harness.Answer { return c.Verify(has.ids[0], has.secrets[4]) },
			func() harness.Answer { return choose(c, has.credentials["reset"], another) }, // last: it ends what was begun before
		} {
			if a := still(); a.Status >= 300 {
				t.Errorf("what is good here was used up elsewhere: %s", a)
			}
		}
	})
}

// with is every credential, and none.
func with(credentials map[string]string) map[string]string {
	out := map[string]string{"nobody": ""}
	maps.Copy(out, credentials)
	return out
}

// bodies are what is sent to a route: nothing much, and what belongs to somebody
// at the other tenant.
func bodies(r route, has belongings) []any {
	if r.method == http.MethodGet || r.method == http.MethodDelete {
		return []any{nil}
	}
	out := []any{form{}}
	switch r.path {
	case "/v1/challenges":
		out = append(out, form{"purpose": "second_factor", "device_id": has.ids[2]}, form{"purpose": "step_up", "device_id": has.ids[2]}, form{"purpose": "approve", "device_id": has.ids[2], "detail": []form{{"label": "a", "value": "b"}}})
	case "/v1/challenges/{id}/verify":
		out = append(out, form{"code": has.secrets[4]}, form{"link_token": has.secrets[2]})
	case "/v1/sign-in/password":
		out = append(out, form{"identifier": ann, "password": knows})
	case "/v1/tokens/refresh":
		out = append(out, form{"refresh_token": has.secrets[0]})
	case "/v1/tokens/introspect", "/v1/tokens/revoke":
		out = append(out, form{"token": has.secrets[0]}, form{"token": has.secrets[1]})
	case "/v1/invitations/accept":
		out = append(out, form{"token": has.secrets[3]})
	case "/v1/password", "/v1/me/password":
		out = append(out, form{"new_password": another})
	case "/v1/me/two-factor":
		out = append(out, form{"required": false})
	}
	return out
}

func quotes(body any, text string) bool {
	raw, err := json.Marshal(body)
	return err == nil && strings.Contains(string(raw), text)
}
