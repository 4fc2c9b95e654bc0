package twilio_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/plugins/twilio"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

const (
	account = "AC0123456789abcdef0123456789abcdef"
	service = "MG0123456789abcdef0123456789abcdef"
	key     = "SK0123456789abcdef0123456789abcdef"
	token   = "the-auth-token"
)

func config(api, more string) string {
	return fmt.Sprintf(`{"account":%q,"token":%q,"from":"+15005550006","api":%q%s}`, account, token, api, more)
}

func message() channel.Message {
	return channel.Message{Key: "m-1", To: "+491701234567", Locale: "en", Text: "Your code is 482915.", Code: "482915"}
}

func sender(t *testing.T, raw string) channel.Sender {
	t.Helper()
	ch, err := twilio.Plugin().Open(t.Context(), channeltest.Decoder(raw), channel.Env{
		HTTP: http.DefaultClient, Codes: channeltest.Codes{Form: channel.Shape{Length: 6, Alphabet: channel.Digits}}, Receipts: "https://login.example.com/receipts/sms",
	})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := channel.As[channel.Sender](ch)
	return s
}

func TestConformance(t *testing.T) {
	f := serve(t)
	channeltest.Run(t, channeltest.Suite{
		Plugin: twilio.Plugin(), Config: config(f.URL, ""), Address: "+491701234567", Respond: channeltest.TypeLastCode,
		Provider: func(url string) string { return config(url, "") },
		Broken: map[string]string{
			"nothing":                          `{}`,
			"no sender":                        fmt.Sprintf(`{"account":%q,"token":"token-token"}`, account),
			"no password":                      fmt.Sprintf(`{"account":%q,"from":"+15005550006"}`, account),
			"a key without secret":             fmt.Sprintf(`{"account":%q,"key_sid":%q,"from":"+15005550006"}`, account, key),
			"a secret without key":             fmt.Sprintf(`{"account":%q,"token":"token-token","key_secret":"secret-secret","from":"+15005550006"}`, account),
			"a path for account":               `{"account":"../x","token":"token-token","from":"+15005550006"}`,
			"no TLS":                           config("http://api.twilio.com", ""),
			"a service that is none":           fmt.Sprintf(`{"account":%q,"token":"token-token","service":"nobody"}`, account),
			"a long name":                      fmt.Sprintf(`{"account":%q,"token":"token-token","from":"A name that is too long"}`, account),
			"a callback in clear":              config(f.URL, `,"callback":"http://login.example.com/receipts/sms"`),
			"a callback that nobody can check": fmt.Sprintf(`{"account":%q,"key_sid":%q,"key_secret":"secret-secret","from":"+15005550006","callback":"https://login.example.com/x"}`, account, key),
		},
	})
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, twilio.Plugin()) }

func TestAMessageArrivesWhole(t *testing.T) {
	f := serve(t)
	receipt, err := sender(t, config(f.URL, "")).Send(t.Context(), message())
	if err != nil || !strings.HasPrefix(receipt.ID, "SM") {
		t.Fatalf("%+v, %v", receipt, err)
	}
	got := f.last()
	for field, want := range map[string]string{
		"To": "+491701234567", "From": "+15005550006", "Body": "Your code is 482915.", "MessagingServiceSid": "", "StatusCallback": "https://login.example.com/receipts/sms",
	} {
		if got.Get(field) != want {
			t.Errorf("%s is %q, want %q", field, got.Get(field), want)
		}
	}
}

func TestTheServiceWinsOverTheNumber(t *testing.T) {
	f := serve(t)
	if _, err := sender(t, config(f.URL, fmt.Sprintf(`,"service":%q`, service))).Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if got := f.last(); got.Get("MessagingServiceSid") != service || got.Has("From") {
		t.Errorf("service %q, from %q", got.Get("MessagingServiceSid"), got.Get("From"))
	}
}

func TestAnAPIKeySignsInAndAsksForNoReports(t *testing.T) {
	f := serve(t)
	raw := fmt.Sprintf(`{"account":%q,"key_sid":%q,"key_secret":"secret-secret","from":"Example","api":%q}`, account, key, f.URL)
	if _, err := sender(t, raw).Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if f.last().Has("StatusCallback") {
		t.Error("reports were asked for that nobody can check")
	}
}

func TestWrongCredentialsAreTheOperatorsBusiness(t *testing.T) {
	f := serve(t)
	s := sender(t, strings.Replace(config(f.URL, ""), token, "wrong-token", 1))
	if _, err := s.Send(t.Context(), message()); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("%v", err)
	}
	p, _ := channel.As[channel.Prober](s)
	if err := p.Probe(t.Context()); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("probe: %v", err)
	}
	good, _ := channel.As[channel.Prober](sender(t, config(f.URL, "")))
	if err := good.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	f.say(http.StatusOK, `{"sid":"AC","status":"suspended"}`)
	if err := good.Probe(t.Context()); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("probe of a suspended account: %v", err)
	}
}

func TestFailuresAreSorted(t *testing.T) {
	throttled := func(err error) bool { _, ok := errors.AsType[*channel.ThrottledError](err); return ok }
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	failure := func(code int) string {
		return fmt.Sprintf(`{"code":%d,"message":"about +491701234567 and 482915","more_info":"https://www.twilio.com/docs/errors/%d","status":400}`, code, code)
	}
	for name, row := range map[string]struct {
		status int
		body   string
		want   func(error) bool
	}{
		"no number":               {400, failure(21211), is(channel.ErrUndeliverable)},
		"no mobile":               {400, failure(21614), is(channel.ErrUndeliverable)},
		"opted out":               {400, failure(21610), is(channel.ErrUndeliverable)},
		"no route":                {400, failure(21612), is(channel.ErrUndeliverable)},
		"not authenticated":       {401, failure(20003), is(channel.ErrRefused)},
		"account inactive":        {400, failure(20003), is(channel.ErrRefused)},
		"no such account":         {404, failure(20404), is(channel.ErrRefused)},
		"country not switched on": {400, failure(21408), is(channel.ErrRefused)},
		"sender unknown":          {400, failure(21606), is(channel.ErrRefused)},
		"trial account":           {400, failure(21608), is(channel.ErrRefused)},
		"too many requests":       {429, failure(20429), throttled},
		"too many in the queue":   {400, failure(21611), throttled},
		"out of order":            {503, failure(20503), is(channel.ErrUnavailable)},
		"an error without code":   {400, `{}`, is(channel.ErrUnavailable)},
		"no SID":                  {201, `{"status":"queued"}`, is(channel.ErrUnavailable)},
		"failed at once":          {201, `{"sid":"SM1","status":"failed","error_code":30006}`, is(channel.ErrUndeliverable)},
		"filtered at once":        {201, `{"sid":"SM1","status":"undelivered","error_code":30007}`, is(channel.ErrRefused)},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t)
			f.say(row.status, row.body)
			_, err := sender(t, config(f.URL, "")).Send(t.Context(), message())
			if !row.want(err) {
				t.Errorf("%v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "4917") || strings.Contains(err.Error(), "482915")) {
				t.Errorf("the error quotes Twilio: %v", err)
			}
		})
	}
}
