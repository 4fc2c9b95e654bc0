// Package browser_test lets a real browser do what people do with it, against the
// built program.
package browser_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const ann = "ann@example.com"

// site is a page of an application, at an origin of its own.
const site = `<!doctype html><title>Example</title><script>
async function ask(api, path, token, body) {
	const headers = { "Content-Type": "application/json" };
	if (token) headers.Authorization = "Bearer " + token;
	const answer = await fetch(api + path, { method: "POST", headers, body: JSON.stringify(body) });
	return answer.json();
}
async function use(prompt) {
	const make = prompt.api === "webauthn.create";
	const publicKey = make
		? PublicKeyCredential.parseCreationOptionsFromJSON(prompt.options)
		: PublicKeyCredential.parseRequestOptionsFromJSON(prompt.options);
	const key = await navigator.credentials[make ? "create" : "get"]({ publicKey });
	return key.toJSON();
}
async function answer(api, challenge) {
	return ask(api, "/v1/challenges/" + challenge.id + "/verify", "", { data: await use(challenge.prompt) });
}
async function enroll(api, token) {
	const device = await ask(api, "/v1/me/devices", token, { channel: "passkey", name: "My laptop" });
	return answer(api, device.challenge);
}
async function signIn(api, token, body) {
	return answer(api, await ask(api, "/v1/challenges", token, body));
}
</script>`

// serve gives the origin of a new site.
func serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(site))
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // keys belong to names
}

// outcome is what the API says, as far as these stories need it.
type outcome struct {
	Status any // a word, or the number of a problem
	Code   string
	Access string `json:"access_token"`
	New    bool   `json:"new_user"`
	User   struct{ ID string }
}

func (p *page) outcome(script string, args ...any) outcome {
	p.t.Helper()
	raw, err := p.run(script, args...)
	if err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	var out outcome
	if err := json.Unmarshal(raw, &out); err != nil {
		p.t.Fatalf("%s: %s: %v", script, raw, err)
	}
	return out
}

// key adds an authenticator to the tab, which knows its owner, or just feels a touch.
func (p *page) key(knows bool) string {
	p.t.Helper()
	var added struct{ AuthenticatorID string }
	p.call("WebAuthn.enable", struct{}{}, nil)
	p.call("WebAuthn.addVirtualAuthenticator", map[string]any{"options": map[string]any{
		"protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": knows, "isUserVerified": knows,
		"automaticPresenceSimulation": true,
	}}, &added)
	return added.AuthenticatorID
}

func stand(t *testing.T) (c *harness.Client, api, origin string, b *chromium) {
	t.Helper()
	b, origin = start(t), serve(t)
	s := harness.Start(t, harness.Options{Policy: "challenge: { resend_after: 0s }", Config: fmt.Sprintf(
		"tenants: [ { slug: default, origins: [ %[1]q ] } ]\nchannels: { passkey: { use: passkey, passkey: { rp_id: localhost, origins: [ %[1]q ] } } }", origin)})
	return s.Client(t), s.URL, origin, b
}

func TestPasskeySignsInWhoNamesNobody(t *testing.T) {
	c, api, origin, b := stand(t)
	who := c.SignIn(ann)
	p := b.open(origin)
	p.key(true)
	if out := p.outcome("enroll", api, who.Access); out.Status != "device_confirmed" {
		t.Fatalf("enrolled: %+v", out)
	}
	for range 2 {
		out := p.outcome("signIn", api, "", map[string]string{"channel": "passkey"})
		if out.Status != "signed_in" || out.User.ID != who.User || out.New {
			t.Fatalf("signed in: %+v", out)
		}
		// A device that knows its owner is two factors: nothing else is asked for.
		if got := claims(t, out.Access); got.ACR != "aal2" || !slices.Contains(got.AMR, "mfa") || !slices.Contains(got.AMR, "user") {
			t.Errorf("the session is %+v", got)
		}
	}
}

type level struct {
	ACR string
	AMR []string
}

// claims are what an access token says of the session's strength.
func claims(t *testing.T, token string) (l level) {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token+"..", ".")[1])
	if err == nil {
		err = json.Unmarshal(raw, &l)
	}
	if err != nil {
		t.Fatalf("read the token: %v", err)
	}
	return l
}

func TestPasskeyIsASecondFactor(t *testing.T) {
	c, api, origin, b := stand(t)
	who := c.SignIn(ann)
	p := b.open(origin)
	key := p.key(false) // proves nothing but that it is there
	p.outcome("enroll", api, who.Access)
	c.As(who.Access).Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": true})

	pending := c.FirstFactor(ann)
	devices := c.As(who.Access).Get("/v1/me/devices").Want(http.StatusOK)
	second := map[string]string{"purpose": "second_factor", "device_id": devices.Text("devices.0.id")}
	out := p.outcome("signIn", api, pending, second)
	if out.Status != "signed_in" || out.User.ID != who.User {
		t.Fatalf("second factor: %+v", out)
	}
	copied := p.copy(key)
	if out := p.outcome("signIn", api, c.FirstFactor(ann), second); out.Status != "signed_in" {
		t.Fatalf("once more: %+v", out)
	}
	p.paste(key, copied)
	if out := p.outcome("signIn", api, c.FirstFactor(ann), second); out.Code != "invalid_code" {
		t.Errorf("a copy of the key, with the counter of then: %+v", out)
	}
}

// copy is all that an authenticator keeps.
func (p *page) copy(authenticator string) []any {
	p.t.Helper()
	var kept struct{ Credentials []any }
	p.call("WebAuthn.getCredentials", map[string]any{"authenticatorId": authenticator}, &kept)
	if len(kept.Credentials) != 1 {
		p.t.Fatalf("the authenticator keeps %d keys", len(kept.Credentials))
	}
	return kept.Credentials
}

// paste puts an authenticator back to what it kept.
func (p *page) paste(authenticator string, keys []any) {
	p.t.Helper()
	p.call("WebAuthn.clearCredentials", map[string]any{"authenticatorId": authenticator}, nil)
	for _, k := range keys {
		p.call("WebAuthn.addCredential", map[string]any{"authenticatorId": authenticator, "credential": k}, nil)
	}
}

func TestPasskeyIsWorthNothingOnAnotherSite(t *testing.T) {
	c, api, origin, b := stand(t)
	who := c.SignIn(ann)
	p := b.open(origin)
	key := p.key(true)
	p.outcome("enroll", api, who.Access)
	keys := p.copy(key)

	// Another port of the same host is the worst case: there the browser agrees.
	lure := b.open(serve(t))
	lure.paste(lure.key(true), keys)
	asked := c.Post("/v1/challenges", map[string]string{"channel": "passkey"}).Want(http.StatusAccepted)
	raw, err := lure.run("use", asked.Get("prompt"))
	if err != nil {
		t.Fatalf("the browser did not agree: %v", err)
	}
	got := c.Post("/v1/challenges/"+asked.Text("id")+"/verify", map[string]any{"data": raw})
	if got.Status < 400 || got.Status >= 500 || got.Get("access_token") != nil {
		t.Errorf("what a lure has obtained: %s", got)
	}
	if _, err := lure.run("signIn", api, "", map[string]string{"channel": "passkey"}); err == nil {
		t.Error("the lure's page may call the API")
	}
}

// A new key is not signed by anybody, so whoever has seen somebody's key can say
// that it is theirs: they would then be signed in as its next user.
func TestAKeyIsOnePersonsDevice(t *testing.T) {
	c, _, origin, b := stand(t)
	p := b.open(origin)
	p.key(true)
	begin := func(to string) harness.Answer {
		return c.As(c.SignIn(to).Access).Post("/v1/me/devices", map[string]string{"channel": "passkey"}).Want(http.StatusCreated)
	}
	finish := func(made harness.Answer, data any) harness.Answer {
		return c.Post("/v1/challenges/"+made.Text("challenge.id")+"/verify", map[string]any{"data": data})
	}
	anns := begin(ann)
	raw, err := p.run("use", anns.Get("challenge.prompt"))
	if err != nil {
		t.Fatal(err)
	}
	finish(anns, raw).Want(http.StatusOK)

	bobs := begin("bob@example.com")
	var key map[string]any
	if err := json.Unmarshal(raw, &key); err != nil {
		t.Fatal(err)
	}
	said, err := json.Marshal(map[string]any{
		"type": "webauthn.create", "challenge": bobs.Text("challenge.prompt.options.challenge"), "origin": origin, "crossOrigin": false,
	})
	if err != nil {
		t.Fatal(err)
	}
	key["response"].(map[string]any)["clientDataJSON"] = base64.RawURLEncoding.EncodeToString(said)
	if got := finish(bobs, key); got.Status != http.StatusConflict || got.Code() != "already_linked" {
		t.Errorf("somebody else's key: %s", got)
	}
}
