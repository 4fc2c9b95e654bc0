package httpsender

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

//go:generate go test -run "TestDocs|TestTheListOfRecipes" -update .

func TestDocs(t *testing.T) { channeltest.Docs(t, Plugin()) }

func TestEveryFolderIsARecipe(t *testing.T) {
	folders, err := os.ReadDir("recipes")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range folders {
		list = append(list, f.Name())
	}
	if got := recipeNames(); !slices.Equal(got, list) || len(got) < 13 {
		t.Errorf("built in are %v, there are %v", got, list)
	}
	for _, name := range list {
		r, err := builtIn(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if r.Name != name {
			t.Errorf("%s calls itself %s", name, r.Name)
		}
	}
}

// TestRecipes runs the conformance kit over every recipe, against its fake.
func TestRecipes(t *testing.T) {
	for _, name := range recipeNames() {
		t.Run(name, func(t *testing.T) {
			f := theFake(t, name)
			channeltest.Run(t, channeltest.Suite{
				Plugin: Plugin(), Config: f.config(t, f.serve(t)), Address: f.address(t), Respond: channeltest.TypeLastCode,
				Broken:   map[string]string{"no params": `{"recipe":"` + name + `"}`},
				Provider: func(url string) string { return f.config(t, url) },
			})
			if problems := f.complaints(); problems != nil {
				t.Errorf("the provider refuses: %q", problems)
			}
		})
	}
}

func TestAnswersAreSorted(t *testing.T) {
	for _, name := range recipeNames() {
		f := theFake(t, name)
		ch := opened(t, f.config(t, f.serve(t)))
		if got, err := send(t, ch, message(f.address(t))); err != nil || got.ID != f.Accepts.ID {
			t.Errorf("%s: %q, %v, %q", name, got.ID, err, f.complaints())
		}
		uri, _, raw := f.newest()
		if sent, err := url.QueryUnescape(uri + string(raw)); err != nil || !strings.Contains(sent, strings.TrimPrefix(f.address(t), "+")) || !strings.Contains(sent, "482915") {
			t.Errorf("%s: the address or the code is not in %s", name, sent)
		}
		for _, a := range f.Answers {
			f.say(&a)
			_, err := send(t, ch, message(f.address(t)))
			if !is(err, a) {
				t.Errorf("%s: %s: %v, want %s %s", name, a.Name, err, a.Is, a.After)
			}
			if err != nil && regexp.MustCompile(`482915|ann@|447700|SG\.|://`).MatchString(err.Error()) {
				t.Errorf("%s: %s: the error says too much: %v", name, a.Name, err)
			}
		}
		checkClasses(t, f)
	}
}

// is reports whether an error is of the class that the fake says.
func is(err error, a reply) bool {
	if a.Is == "throttled" {
		busy, ok := errors.AsType[*channel.ThrottledError](err)
		return ok && busy.After == a.After
	}
	return errors.Is(err, map[string]error{
		"accepted": nil, "refused": channel.ErrRefused, "undeliverable": channel.ErrUndeliverable, "unavailable": channel.ErrUnavailable,
	}[a.Is])
}

// checkClasses sees to it that a fake knows every class.
func checkClasses(t *testing.T, f *fake) {
	t.Helper()
	for _, class := range []string{"refused", "undeliverable", "unavailable", "throttled"} {
		if !slices.ContainsFunc(f.Answers, func(a reply) bool { return a.Is == class }) {
			t.Errorf("%s: the fake has no answer that is %s", f.name, class)
		}
	}
}

func TestRecipesSayWhatTheyAre(t *testing.T) {
	for name, want := range map[string]channel.Descriptor{
		"sendgrid":     {Address: channel.Email, Form: channel.FormEmail, MaxAAL: 1, AMR: []string{"otp"}},
		"sinch":        {Address: channel.Phone, Form: channel.FormSMS, MaxAAL: 2, AMR: []string{"sms"}},
		"twilio_voice": {Address: channel.Phone, Form: channel.FormVoice, MaxAAL: 2, AMR: []string{"tel"}},
		"whatsapp":     {Address: channel.Phone, Form: channel.FormChat, MaxAAL: 2, AMR: []string{"otp"}},
	} {
		f := theFake(t, name)
		d, ok := channel.As[channel.Describer](opened(t, f.config(t, f.serve(t))))
		if !ok {
			t.Fatalf("%s does not describe itself", name)
		}
		got := d.Describe()
		if got.Address != want.Address || got.Form != want.Form || got.MaxAAL != want.MaxAAL || !slices.Equal(got.AMR, want.AMR) || got.Type != pluginType {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestLanguagesFollowTheReader(t *testing.T) {
	f := theFake(t, "twilio_voice")
	ch := opened(t, f.config(t, f.serve(t)))
	for locale, want := range map[string]string{"fr": "fr-FR", "es-MX": "es-ES", "tlh": "en-US", "": "en-US", `"/><Dial>+1`: "en-US"} {
		m := message("+447700900123")
		m.Locale = locale
		_, _ = send(t, ch, m)
		_, _, raw := f.newest()
		if !strings.Contains(string(raw), "language%3D%22"+want+"%22") {
			t.Errorf("%q: %s", locale, raw)
		}
	}
}

func TestNoticesGoWhereTheyCan(t *testing.T) {
	for _, name := range recipeNames() {
		f := theFake(t, name)
		ch := opened(t, f.config(t, f.serve(t)))
		f.say(&f.Accepts)
		m := message(f.address(t))
		m.Code, m.Link, m.HTML = "", "", ""
		_, err := send(t, ch, m)
		if codesOnly := name == "whatsapp" || name == "twofactor"; codesOnly != errors.Is(err, channel.ErrRefused) || !codesOnly && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsOptionalIsLeftOut(t *testing.T) {
	for name, field := range map[string]string{"sendgrid": "content.1.type", "ses": "Content.Simple.Body.Html.Charset", "resend": "html", "mailgun": "html"} {
		f := theFake(t, name)
		ch := opened(t, f.config(t, f.serve(t)))
		m := message("ann@example.com")
		m.HTML = ""
		_, _ = send(t, ch, m)
		problems := strings.Join(f.complaints(), "\n")
		if !strings.Contains(problems, field+": \"nothing\"") {
			t.Errorf("%s: %s is there without HTML: %s", name, field, problems)
		}
	}
	for name, field := range map[string]string{"bird": "reportUrl", "plivo": "url", "twilio_voice": "StatusCallback", "vonage_voice": "event_url"} {
		f := theFake(t, name)
		config := f.config(t, f.serve(t))
		for _, receipts := range []string{reportURL, ""} {
			_, err := send(t, openedAt(t, config, receipts), message("+447700900123"))
			_, _, raw := f.newest()
			if there := strings.Contains(string(raw), field); err != nil || there != (receipts != "") {
				t.Errorf("%s, %q: %s, %v", name, receipts, raw, err)
			}
		}
	}
}

func TestRecipesOfOnesOwn(t *testing.T) {
	f := theFake(t, "sinch")
	content, err := os.ReadFile("recipes/sinch/recipe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(f.config(t, f.serve(t)), `"recipe":"sinch"`, `"recipe_file":"`+file+`"`, 1)
	if _, err := send(t, opened(t, config), message("+447700900123")); err != nil {
		t.Errorf("%v, %q", err, f.complaints())
	}
}

func TestConfigurationsAreExplained(t *testing.T) {
	for config, want := range map[string]string{
		`{}`:                                   "either recipe or recipe_file",
		`{"recipe":"sinch","recipe_file":"x"}`: "either recipe or recipe_file",
		`{"recipe":"sendgird"}`:                `there is no "sendgird"; there are bird, infobip`,
		`{"recipe_file":"/nowhere.yaml"}`:      "recipe_file: open /nowhere.yaml",
		`{"recipe":"sendgrid"}`:                "params.from: required by the recipe sendgrid: Sender",
		`{"recipe":"sendgrid","params":{"from":"a@b.example"}}`:                                                                                                        "secrets.api_key.value: required",
		`{"recipe":"sendgrid","params":{"from":"a@b.example","api_key":"hush"}}`:                                                                                       "params.api_key: the recipe sendgrid has no such param; there are from, host",
		`{"recipe":"sendgrid","params":{"from":"hush hush"},"secrets":{"api_key":{"value":"x"}}}`:                                                                      "params.from: is not Name <address>",
		`{"recipe":"sendgrid","params":{"from":"a@b.example","host":"hush/x"},"secrets":{"api_key":{"value":"x"}}}`:                                                    "params.host: is not a host name",
		`{"recipe":"sendgrid","params":{"from":"a@b.example"},"secrets":{"api_key":{"value":"hush\r\nX: y"}}}`:                                                         "secrets.api_key.value: has a line break",
		`{"recipe":"sendgrid","params":{"from":"a@b.example"},"secrets":{"api_key":{"value":"hush é"}}}`:                                                               "bearer: has characters",
		`{"recipe":"sendgrid","params":{"from":"a@b.example","host":"127.0.0.1"},"secrets":{"api_key":{"value":"x"}}}`:                                                 "endpoint: is a private address",
		`{"recipe":"sendgrid","endpoint":"http://api.example.com"}`:                                                                                                    "is not https",
		`{"recipe":"sendgrid","endpoint":"https://user:hush@api.example.com"}`:                                                                                         "holds more than a host",
		`{"recipe":"sendgrid","endpoint":"https://[::1]"}`:                                                                                                             "private",
		`{"recipe":"sendgrid","endpoint":"ftp://x"}`:                                                                                                                   "not a web address",
		`{"recipe":"sendgrid","timeout":"10m"}`:                                                                                                                        "timeout",
		`{"recipe":"ses","params":{"access_key_id":"hush"}}`:                                                                                                           "params.access_key_id: does not look like",
		`{"recipe":"vonage_voice","params":{"application_id":"00000000-0000-4000-8000-000000000001","from":"15005550006"},"secrets":{"private_key":{"value":"hush"}}}`: "private_key.value: is not PEM",
		`{"recipe":"sendgrid","params":{"from":"a@b.example"},"secrets":{"api_key":{"value":"x"},"webhook_key":{"value":"hush"}}}`:                                     "the key that signs the reports",
		`{"recipe":"resend","params":{"from":"a@b.example"},"secrets":{"api_key":{"value":"x"},"webhook_secret":{"value":"whsec_hush"}}}`:                              "not whsec_",
	} {
		_, err := Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{Instance: "mine"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s:\n%v", config, err)
		}
	}
}

func TestGivingUpIsUnavailable(t *testing.T) {
	f := theFake(t, "sinch")
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(over) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sender, _ := channel.As[channel.Sender](opened(t, f.config(t, s.URL)))
	if _, err := sender.Send(ctx, message("+447700900123")); !errors.Is(err, channel.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
