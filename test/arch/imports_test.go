package arch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	fiber = "github.com/gofiber/fiber/v2"
	huma  = "github.com/danielgtaylor/huma/v2"
	// template is the standard library's without calls of methods (decision 0015).
	template = "github.com/DataDog/datadog-agent/pkg/template"
	rapid    = "pgregory.net/rapid"
)

// rule says what the packages of one folder may import. "std" is the standard
// library, "*" everything but tests; a folder of ours that ends in a slash means
// what is in it and not the folder itself.
type rule struct {
	who string
	may []string
}

// kits is the rule of every conformance kit, wherever it is.
var kits = rule{"ports/…/…test", []string{"std", "domain", "ports", rapid}}

// rules says what each part of the tree may import. The first folder that holds
// a package decides. A package in none of them fails, so nobody adds a part to
// the tree without saying here what it may know.
var rules = []rule{
	{"domain", []string{"std", "domain"}}, // see TestDomainIsPure for what of std
	{"ports/signature", []string{"std"}},  // receivers import it
	{"ports", []string{"std", "domain", "ports"}},

	{"app/", []string{"std", "domain", "ports", "app/"}},
	{"app", []string{"*"}},
	{"cmd", []string{"*"}},
	{"test", []string{"*"}},

	// A plugin knows the port and the SDK of what it speaks with.
	{"plugins/email", []string{"std", "ports/channel", "ports/signature", "github.com/wneessen/go-mail", "github.com/emersion/go-msgauth/dkim"}},
	{"plugins/passkey", []string{"std", "ports/channel", "github.com/go-webauthn/webauthn"}},
	{"plugins/hotp", []string{"std", "ports/channel", "github.com/pquerna/otp"}},
	{"plugins/webhook", []string{"std", "ports/channel", "ports/signature"}},
	{"plugins/remote", []string{"std", "ports/channel", "ports/signature"}},
	{"plugins/push", []string{"std", "ports/channel", "ports/signature"}},
	{"plugins/totp", []string{"std", "ports/channel", "github.com/pquerna/otp"}},
	{"plugins/httpsender", []string{"std", "ports/channel", "go.yaml.in/yaml/v3"}},
	// Those that sign people in at identity providers are made of one package,
	// which is no plugin.
	{"plugins/federation", []string{"std", "ports/channel", "ports/channel/dial", "github.com/golang-jwt/jwt/v5"}},
	{"plugins/oidc", []string{"std", "ports/channel", "plugins/federation"}},
	{"plugins/google", []string{"std", "ports/channel", "plugins/federation"}},
	{"plugins/apple", []string{"std", "ports/channel", "plugins/federation", "github.com/golang-jwt/jwt/v5"}},
	{"plugins/telegramoidc", []string{"std", "ports/channel", "plugins/federation"}},
	{"plugins/github", []string{"std", "ports/channel", "plugins/federation"}},
	{"plugins/facebook", []string{"std", "ports/channel", "plugins/federation"}},
	{"plugins/", []string{"std", "ports/channel"}},

	// Driving adapters call use cases.
	{"adapters/fiberapi", []string{"std", "domain", "ports", "app/", "adapters/fiberkit", fiber, huma, template}},
	{"adapters/fiberdev", []string{"std", "domain", "ports", "app/", "adapters/fiberkit", fiber, huma, template}},
	{"adapters/fiberkit", []string{"std", "domain", fiber}},

	// Driven adapters know the port that they serve and one technology.
	{"adapters/bunstore", []string{
		"std", "domain", "ports", "github.com/uptrace/bun", "github.com/jackc/pgx/v5", "modernc.org/sqlite",
	}},
	{"adapters/argon2", []string{"std", "domain", "ports", "golang.org/x/crypto/argon2"}},
	{"adapters/gotool", []string{"std"}},
	{"adapters/auditlog", []string{"std", "domain", "ports"}},
	{"adapters/webhook", []string{"std", "domain", "ports"}},
	{"adapters/commonwords", []string{"std", "domain", "ports"}},
	{"adapters/memstore", []string{"std", "domain", "ports"}},
	{"adapters/configfile", []string{"std", "domain", "ports", "go.yaml.in/yaml/v3"}},
	{"adapters/jwttoken", []string{"std", "domain", "ports", "github.com/golang-jwt/jwt/v5"}},
	{"adapters/keyring", []string{"std", "domain", "ports"}},
	{"adapters/meter", []string{"std", "domain", "ports", "github.com/VictoriaMetrics/metrics"}},
	{"adapters/phoneplan", []string{"std", "domain", "ports"}},
	{"adapters/qrcode", []string{"std", "domain", "ports", "github.com/boombuler/barcode"}},
	{"adapters/system", []string{"std", "domain", "ports", "github.com/google/uuid"}},
	{"adapters/templates", []string{"std", "domain", "ports", "golang.org/x/text", template}},
	{"adapters/textnorm", []string{"std", "domain", "ports", "golang.org/x/net/idna", "golang.org/x/text"}},
}

// covers reports whether the rule is about a package.
func (r rule) covers(pkg string) bool {
	if inside, ok := strings.CutSuffix(r.who, "/"); ok {
		return pkg != inside && below(pkg, inside)
	}
	return below(pkg, r.who)
}

func (r rule) allows(imported string) bool {
	return slices.ContainsFunc(r.may, func(m string) bool {
		ours, own := strings.CutPrefix(imported, module)
		switch {
		case m == "*":
			return true
		case m == "std":
			return isStd(imported)
		case own:
			return rule{who: m}.covers(ours)
		}
		return below(imported, m)
	})
}

func isStd(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func ruleOf(pkg string) (rule, bool) {
	if isKit(pkg) {
		return kits, true
	}
	i := slices.IndexFunc(rules, func(r rule) bool { return r.covers(pkg) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

// checkImports is about production code and kits: their own tests may import
// whatever helps to test them.
func checkImports(all []source) (found []string) {
	for _, s := range production(all) {
		r, ok := ruleOf(s.pkg)
		if !ok {
			found = append(found, s.name+" is in no part of the tree: add a rule, or move it")
			continue
		}
		for _, imported := range s.imports() {
			if !r.allows(imported) {
				found = append(found, fmt.Sprintf("%s imports %s; %q may import only %q", s.name, imported, r.who, r.may))
			} else if forTests(imported) && !isKit(s.pkg) && !below(s.pkg, "test") {
				found = append(found, fmt.Sprintf("%s imports %s, which is for tests", s.name, imported))
			}
		}
	}
	return found
}

// forTests reports whether an import has no place in the binary.
func forTests(imported string) bool {
	ours, own := strings.CutPrefix(imported, module)
	if own {
		return isKit(ours) || below(ours, "test")
	}
	return imported == "testing" || imported == rapid || strings.HasPrefix(imported, "github.com/testcontainers/")
}

func TestImports(t *testing.T) {
	report(t, checkImports(sources(t)))
}

func TestImportRulesCatchWhatTheyAreFor(t *testing.T) {
	one := func(name, imported string) map[string]string {
		return map[string]string{name: "package x\n\nimport _ \"" + imported + "\"\n"}
	}
	sow(t, checkImports, []seed{
		{"the domain may use the domain", one("domain/x/x.go", module+"domain/fault"), ""},
		{"the domain knows no port", one("domain/x/x.go", module+"ports/store"), "domain/x/x.go imports"},
		{"the domain knows no third party", one("domain/x/x.go", huma), "imports " + huma},
		{"a port knows no use case", one("ports/x/x.go", module+"app/challenges"), `"ports" may import`},
		{"a port does not know rapid", one("ports/x/x.go", rapid), "imports " + rapid},
		{"a kit may know rapid", one("ports/x/xtest/x.go", rapid), ""},
		{"a kit knows no adapter", one("ports/x/xtest/x.go", module+"adapters/memstore"), "imports"},
		{"a use case knows no adapter", one("app/x/x.go", module+"adapters/memstore"), "imports"},
		{"a use case does not know fx", one("app/x/x.go", "go.uber.org/fx"), "imports go.uber.org/fx"},
		{"a use case does not know the root", one("app/x/x.go", module+"app"), "imports"},
		{"a use case may know another", one("app/x/x.go", module+"app/y"), ""},
		{"the root knows everybody", one("app/x.go", "go.uber.org/fx"), ""},
		{"the root knows no kit", one("app/x.go", module+"ports/store/storetest"), "is for tests"},
		{"the command knows no test helper", one("cmd/x/x.go", module+"test/containers"), "is for tests"},
		{"the command does not know testing", one("cmd/x/x.go", "testing"), "is for tests"},
		{"a plugin knows its port", one("plugins/x/x.go", module+"ports/channel"), ""},
		{"a plugin knows no other port", one("plugins/x/x.go", module+"ports/store"), "imports"},
		{"a plugin knows no domain", one("plugins/email/x.go", module+"domain/fault"), "imports"},
		{"a plugin knows only its own SDK", one("plugins/totp/x.go", "github.com/wneessen/go-mail"), "imports"},
		{"a plugin knows no other plugin", one("plugins/oidc/x.go", module+"plugins/google"), "imports"},
		{"a driven adapter knows no use case", one("adapters/keyring/x.go", module+"app/sessions"), "imports"},
		{"a driving adapter knows use cases", one("adapters/fiberapi/x.go", module+"app/sessions"), ""},
		{"a driving adapter knows no store", one("adapters/fiberapi/x.go", module+"adapters/bunstore"), "imports"},
		{"a prefix is not a folder", one("adapters/meter/x.go", "github.com/VictoriaMetrics/metricsql"), "imports"},
		{"a new adapter needs a rule", one("adapters/novel/x.go", "errors"), "in no part of the tree"},
		{"a new top folder needs a rule", one("pkg/x/x.go", "errors"), "in no part of the tree"},
		{"a test may import more", one("domain/x/x_test.go", rapid), ""},
	})
}
