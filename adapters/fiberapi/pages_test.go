package fiberapi_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
)

var errTest = errors.New("test")

func TestPagesNeedNothingFromElsewhere(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/docs", "/docs/problems/invalid_code"} {
		got := r.want(r.do("GET", path, ""), 200)
		policy := got.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		page := string(got.raw)
		if outside := regexp.MustCompile(`(src|href)="(https?:)?//|<script|@import|url\(`).FindString(page); outside != "" {
			t.Errorf("%s needs %s", path, outside)
		}
		if got.header.Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s: Cache-Control is %q", path, got.header.Get("Cache-Control"))
		}
	}
	r.want(r.do("GET", "/docs/problems/nothing", ""), 404, "not_found")
}

func TestEveryLinkOnThePageLeadsSomewhere(t *testing.T) {
	r := newRig(t)
	page := string(r.do("GET", "/docs", "").raw)
	links := regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) < 100 {
		t.Fatalf("only %d links", len(links))
	}
	seen := map[string]bool{}
	for _, l := range links {
		to := l[1]
		if seen[to] {
			continue
		}
		seen[to] = true
		if id, ok := strings.CutPrefix(to, "#"); ok {
			if !strings.Contains(page, `id="`+id+`"`) {
				t.Errorf("there is no %s", to)
			}
		} else if got := r.do("GET", to, ""); got.status != 200 {
			t.Errorf("%s answers %d", to, got.status)
		}
	}
}

func TestEveryCodeOfTheDocumentIsExplained(t *testing.T) {
	r := newRig(t)
	codes := regexp.MustCompile(`"enum":\[("[a-z_",]+)\]`).FindAllStringSubmatch(string(must(r.api.Document())(t)), -1)
	all := map[string]bool{}
	for _, m := range codes {
		var list []string
		if err := json.Unmarshal([]byte("["+m[1]+"]"), &list); err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			all[c] = true
		}
	}
	for _, c := range []string{"malformed_code", "cooldown", "internal_error"} {
		if !all[c] {
			t.Errorf("the document does not mention %s", c)
		}
	}
	page := string(r.do("GET", "/docs", "").raw)
	for _, m := range regexp.MustCompile(`/docs/problems/([a-z_]+)`).FindAllStringSubmatch(page, -1) {
		if got := r.do("GET", m[0], ""); got.status != 200 {
			t.Errorf("%s is not explained", m[1])
		}
	}
}

func TestKeysMayBeCachedAndTheRestMayNot(t *testing.T) {
	r := newRig(t)
	keys := r.want(r.do("GET", "/.well-known/jwks.json", ""), 200)
	if keys.header.Get("Cache-Control") != "public, max-age=300" || keys.at("keys") == nil {
		t.Errorf("the keys: %v %s", keys.header, keys.raw)
	}
	if found := r.want(r.do("GET", "/v1/discovery", ""), 200); found.header.Get("Cache-Control") != "no-store" || found.at("code", "length") != 6.0 {
		t.Errorf("discovery: %v %s", found.header, found.raw)
	}
	for _, one := range r.do("GET", "/v1/discovery", "").at("channels").([]any) {
		known := one.(map[string]any)
		if want := map[any]any{"site": "site.apps"}[known["id"]]; known["client_id"] != want {
			t.Errorf("%v is known as %v, want %v", known["id"], known["client_id"], want)
		}
	}
	if head := r.do("HEAD", "/openapi.json", ""); head.status != 200 || len(head.raw) != 0 {
		t.Errorf("HEAD gives %d and %d bytes", head.status, len(head.raw))
	}
	wrong := r.do("PUT", "/v1/challenges", `{}`)
	if wrong.status != 405 || wrong.header.Get("Allow") != "POST" {
		t.Errorf("PUT gives %d, Allow %q", wrong.status, wrong.header.Get("Allow"))
	}
}
