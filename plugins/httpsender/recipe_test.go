package httpsender

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// TestMistakesAreFound changes one thing in a good recipe, and wants to be told
// what and where.
func TestMistakesAreFound(t *testing.T) {
	for _, row := range []struct{ old, new, want string }{
		{"name: small", "name: Small-1", `2:1: name: "Small-1"`},
		{"title: Small", "titel: Small", `3:1: there is no key "titel" here; there are name, title`},
		{"title: Small", "title: [a]", "3:8: expected a single value"},
		{"title: Small", "title: &a Small", "3:8: recipes have no anchors"},
		{"title: Small", "title: A\ntitle: B", `4:1: "title" is there twice`},
		{"summary: Sends.", "summary: Sends", "2:1: title and summary"},
		{"docs: https://example.com/", "docs: example.com", "docs: the https address"},
		{"address: phone", "address: pigeon", `6:10: "pigeon" is none of email, phone`},
		{"address: phone", "address: email\nform: sms", "form: sms does not go with"},
		{"https://example.com\n", "http://example.com\n", "7:11: endpoint: expected https://host"},
		{"https://example.com\n", "https://{to}.example.com\n", "7:11: {to} may not stand here: the endpoint takes params of the kind host"},
		{"https://example.com\n", "https://{h}.example.com\nparams: {h: {doc: Host.}}\n", "{h} may not stand here"},
		{"method: POST", "method: TRACE", `9:11: "TRACE" is none of GET, POST, PUT`},
		{"method: POST", "method: GET\n  form: {a: b}", "9:3: request: either json or form, and neither with GET"},
		{"path: /a", "path: a", "10:9: expected a path that begins with a slash"},
		{"path: /a", "path: /a?b=c", "10:9: a path has no query"},
		{"path: /a", "path: /{text}", "10:9: {text} may not stand here: a path takes params and to, code"},
		{"path: /a", "path: /{", "10:9: a brace opens"},
		{"path: /a", "path: /a}", "10:9: a brace closes"},
		{"path: /a", "path: /{if code}", "10:9: a brace opens"},
		{`X-Key: "{key}"`, `X-Key: "{subject}"`, "11:20: {subject} may not stand here"},
		{`X-Key: "{key}"`, `Host: "{key}"`, `11:19: request.headers: "Host" is no header`},
		{`X-Key: "{key}"`, `"X Y": "{key}"`, "is no header"},
		{`q: "{text}"`, `q: "{txet}"`, "12:14: {txet} may not stand here"},
		{`q: "{text}"`, `q: "{text|shout}"`, `12:14: {text|shout}: there is no function or table "shout"`},
		{`q: "{text}"`, `q: [a]`, "12:14: expected a text"},
		{"success: [{status: [200]}]", "success: []", "success: at least one"},
		{"success: [{status: [200]}]", "success: [{json: {a: 1}}]", "13:11: success: status is required"},
		{"success: [{status: [200]}]", "success: [{status: [ok]}]", "13:21: expected a int"},
		{"success: [{status: [200]}]", "success: [{status: [99]}]", "status: 99 is none"},
		{"success: [{status: [200]}]", "success: [{status: [200], json: {a..b: 1}}]", `"a..b" is no path`},
		{"success: [{status: [200]}]", "success: [{status: [200], json: {a: {like: 1}}}]", "expected a value, a list of values, or {contains: text}"},
		{"success: [{status: [200]}]", "success: [{status: [200], json: {a: {contains: ''}}}]", "a: expected a value"},
		{"success:", "errors: [{status: [400]}]\nsuccess:", "13:10: errors: a condition and a class"},
		{"success:", "errors: [{class: refused}]\nsuccess:", "13:10: errors: a condition and a class"},
		{"success:", "receipt: {json: a, header: b}\nsuccess:", "either header or json"},
		{"success:", "params: {to: {doc: X.}}\nsuccess:", `the name "to" is taken`},
		{"success:", "params: {a: {doc: X}}\nsuccess:", "params.a: doc, a sentence"},
		{"success:", "params: {a: {doc: X., secret: true, default: b}}\nsuccess:", "params.a: a secret has no default"},
		{"success:", "params: {a: {doc: X., pattern: '('}}\nsuccess:", "params.a: pattern"},
		{"success:", "params: {a: {doc: X., pattern: 'b+', default: a}}\nsuccess:", "params.a: default: does not look like b+"},
		{"success:", "tables: {xml: {a: b}}\nsuccess:", `tables: the name "xml" is a function's`},
		{"success:", "receipts: {content: json}\nsuccess:", "receipts.signature: exactly one scheme is required"},
		{"success:", "receipts: {content: json, id: {field: a}, outcomes: [{fields: {a: b}, outcome: delivered}], signature: {hmac: {hash: md5}}}\nsuccess:", `"md5" is none of sha1, sha256`},
		{"success:", "receipts: {content: json, id: {field: a}, outcomes: [{fields: {a: b}, outcome: delivered}], signature: {hmac: {hash: sha1, encoding: hex, key: '{to}', over: '{body}', value: x}}}\nsuccess:", "{to} may not stand here: only params may"},
		{"success:", "receipts: {content: json, id: {field: a}, outcomes: [{fields: {a: b}, outcome: delivered}], signature: {hmac: {hash: sha1, encoding: hex, key: x, over: '{text}', value: x}}}\nsuccess:", "{text}: there are body, url, form"},
		{"success:", "receipts: {content: json, id: {field: a}, outcomes: [{fields: {a: b}, outcome: refused}], signature: {basic: {username: a, password: b}}}\nsuccess:", "one has to be delivered"},
		{"method: POST", "method: POST\n  auth: {bearer: a, basic: {username: a, password: b}}", "auth: at most one scheme"},
		{"method: POST", "method: POST\n  auth: {bearer: '{to}'}", "{to} may not stand here: only params may"},
		{"method: POST", "method: POST\n  auth: {basic: {username: a}}", "a part of the scheme is missing"},
		{"method: POST", "method: POST\n  auth: {aws_sigv4: {access_key: a, secret_key: b, region: c, service: d}}", "aws_sigv4: the path has to be plain"},
		{"method: POST", "method: POST\n  auth: {jwt_rs256: {key: a}}", "jwt_rs256: life is required"},
		{"method: POST", "method: POST\n  auth: {jwt_rs256: {key: a, life: long}}", "expected a time such as 5m"},
		{"name: small", "- name: small", "mine.yaml:1:1: did not find expected"},
		{"title: Small", "title: \"Small", "mine.yaml:"},
		{"title: Small", "\x01", "mine.yaml:1:1: yaml: control characters"},
		{small, "[]", "1:1: expected keys and values"},
		{small, "", "empty"},
		{small, strings.Repeat(" ", most+1), "larger than"},
	} {
		if !strings.Contains(small, row.old) {
			t.Fatalf("%q is not in the recipe", row.old)
		}
		_, err := readRecipe("mine.yaml", []byte(strings.Replace(small, row.old, row.new, 1)))
		if err == nil || !strings.Contains(err.Error(), row.want) || !strings.HasPrefix(err.Error(), "mine.yaml:") {
			t.Errorf("%s:\n got %v\nwant %s", row.new, err, row.want)
		}
	}
	if _, err := readRecipe("mine.yaml", []byte(small)); err != nil {
		t.Error(err)
	}
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	_, err := readRecipe("mine.yaml", []byte(strings.NewReplacer("{text}", "{txet}", "{code}", "{cod}", "Sends.", "Sends").Replace(small)))
	if err == nil || strings.Count(err.Error(), "mine.yaml:") != 3 {
		t.Errorf("%v", err)
	}
}

// TestSignatureVersion4 is Amazon's own test suite: get-vanilla, post-vanilla and
// the form of post-x-www-form-urlencoded.
func TestSignatureVersion4(t *testing.T) {
	k := aws{
		access: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region: "us-east-1", service: "service",
		now: func() time.Time { return time.Date(2015, time.August, 30, 12, 36, 0, 0, time.UTC) },
	}
	for _, row := range []struct{ method, kind, body, want string }{
		{http.MethodGet, "", "", "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{http.MethodPost, "", "", "SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{http.MethodPost, "application/x-www-form-urlencoded", "Param1=value1",
			"SignedHeaders=content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), row.method, "https://example.amazonaws.com/", strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		if row.kind != "" {
			r.Header.Set("Content-Type", row.kind)
		}
		if err := k.sign(r, []byte(row.body)); err != nil {
			t.Fatal(err)
		}
		want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " + row.want
		if got := r.Header.Get("Authorization"); got != want {
			t.Errorf("%s %s:\n%s\n%s", row.method, row.kind, got, want)
		}
	}
	k.session = "session"
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.amazonaws.com/", http.NoBody)
	if err := k.sign(r, nil); err != nil || r.Header.Get("X-Amz-Security-Token") != "session" ||
		!strings.Contains(r.Header.Get("Authorization"), "SignedHeaders=host;x-amz-date;x-amz-security-token,") {
		t.Errorf("%v, %v", r.Header, err)
	}
}

func TestTokensAreSignedAndFresh(t *testing.T) {
	f := theFake(t, "vonage_voice")
	ch := opened(t, f.config(t, f.serve(t)))
	seen := map[string]bool{}
	for range 2 {
		if _, err := send(t, ch, message("+447700900123")); err != nil {
			t.Fatal(err)
		}
		_, header, _ := f.newest()
		parts := strings.Split(strings.TrimPrefix(header.Get("Authorization"), "Bearer "), ".")
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		key, _ := keyPair()
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
			t.Error(err)
		}
		raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
		var claims struct {
			App string `json:"application_id"`
			Jti string `json:"jti"`
			Iat int64  `json:"iat"`
			Exp int64  `json:"exp"`
		}
		if err := json.Unmarshal(raw, &claims); err != nil || claims.App != f.Params["application_id"] || claims.Iat != now.Unix() || claims.Exp != now.Unix()+120 || seen[claims.Jti] {
			t.Errorf("%s, %v", raw, err)
		}
		seen[claims.Jti] = true
	}
}

func TestWaits(t *testing.T) {
	s := &sender{env: channel.Env{Now: func() time.Time { return now }}}
	for _, row := range []struct {
		unit, value, retry string
		want               time.Duration
	}{
		{"seconds", "5", "", 5 * time.Second}, {"epoch", fmt.Sprint(now.Unix() + 9), "", 9 * time.Second}, {"epoch", "0", "", 0}, {"seconds", "-1", "", 0},
		{"seconds", "", "7", 7 * time.Second}, {"seconds", "soon", "7", 7 * time.Second}, {"seconds", "999999999999", "", longest}, {"epoch", "99999999999", "", longest},
		{"seconds", "", "9999999", longest}, {"seconds", "99999999999999999999", "", 0},
	} {
		h := http.Header{"X-Wait": {row.value}, "Retry-After": {row.retry}}
		if got := s.wait(after{Header: "X-Wait", Unit: row.unit}, answer{header: h}); got != row.want {
			t.Errorf("%+v: %s", row, got)
		}
	}
}

// TestTheListOfRecipes holds RECIPES.md to the recipes; -update writes it.
func TestTheListOfRecipes(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Recipes\n\nGenerated from the recipes; do not edit. [README.md](README.md) says how they are used, and how to write one.\n")
	for _, name := range recipeNames() {
		r, err := builtIn(name)
		if err != nil {
			t.Fatal(err)
		}
		reports := "It reports what became of messages."
		if r.Receipts == nil {
			reports = "It does not report what became of messages."
		}
		fmt.Fprintf(&b, "\n## %s (`%s`)\n\n%s %s Documentation: <%s>\n\n| key | default | meaning |\n|---|---|---|\n", r.Title, r.Name, r.Summary, reports, r.Docs)
		for _, key := range slices.Sorted(maps.Keys(r.Params)) {
			p := r.Params[key]
			fallback := "required"
			switch {
			case p.Default != "":
				fallback = "`" + p.Default + "`"
			case p.Optional:
				fallback = ""
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.key(key), fallback, p.Doc)
		}
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile("RECIPES.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("RECIPES.md"); err != nil || string(got) != b.String() {
		t.Error("RECIPES.md is not what the recipes say: run go generate ./plugins/httpsender")
	}
}

func TestTheRecipeOfTheReadmeWorks(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```")
	if len(blocks) < 4 {
		t.Fatal("the recipe is gone")
	}
	r, err := readRecipe("README.md", []byte(strings.TrimPrefix(blocks[3], "yaml")))
	if err != nil || r.Name != "our_gateway" || len(r.Errors) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}
