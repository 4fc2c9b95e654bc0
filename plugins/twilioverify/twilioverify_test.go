package twilioverify_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/twilioverify"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/test/providers"
)

const (
	account = "AC0123456789abcdef0123456789abcdef"
	service = "VA0123456789abcdef0123456789abcdef"
	token   = "the-auth-token"
	phone   = "+491701234567"
)

func config(api, more string) string {
	return fmt.Sprintf(`{"account":%q,"token":%q,"service":%q,"api":%q%s}`, account, token, service, api, more)
}

func serve(t *testing.T) *providers.Verify {
	t.Helper()
	f := (&providers.Verify{Account: account, Token: token, Service: service}).Start()
	t.Cleanup(f.Close)
	return f
}

func open(t *testing.T, raw string) channel.Channel {
	t.Helper()
	ch, err := twilioverify.Plugin().Open(t.Context(), channeltest.Decoder(raw), channel.Env{HTTP: http.DefaultClient})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func suite(t *testing.T, address, more string) channeltest.Suite {
	f := serve(t)
	return channeltest.Suite{
		Plugin: twilioverify.Plugin(), Config: config(f.URL, more), Address: address, Reached: f.Reached,
		Provider: func(url string) string { return config(url, more) },
		Respond: func(_ testing.TB, s channeltest.Scene) channel.Response {
			return channel.Response{Code: f.Read(s.Challenge.Address)}
		},
		Lie: func(testing.TB, channeltest.Scene) channel.Response { return channel.Response{Code: "000001"} },
	}
}

func TestConformance(t *testing.T) {
	s := suite(t, phone, "")
	s.Broken = map[string]string{
		"nothing":            `{}`,
		"no password":        fmt.Sprintf(`{"account":%q,"service":%q}`, account, service),
		"no service":         fmt.Sprintf(`{"account":%q,"token":"token-token"}`, account),
		"a path for service": fmt.Sprintf(`{"account":%q,"token":"token-token","service":"VA/../x"}`, account),
		"half an API key":    fmt.Sprintf(`{"account":%q,"token":"token-token","service":%q,"key_secret":"secret-secret"}`, account, service),
		"no TLS":             config("http://verify.twilio.com", ""),
		"an unknown way":     config("https://verify.twilio.com", `,"via":"pigeon"`),
		"a short code":       config("https://verify.twilio.com", `,"length":3`),
	}
	channeltest.Run(t, s)
}

func TestConformanceByEmail(t *testing.T) {
	channeltest.Run(t, suite(t, "ann@example.com", `,"via":"email"`))
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, twilioverify.Plugin()) }

func begin(t *testing.T, ch channel.Channel, c channel.Challenge) channel.State {
	t.Helper()
	o, err := ch.Begin(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return o.State
}

func challenge(p channel.Purpose) channel.Challenge {
	return channel.Challenge{Handle: "h-" + string(p), Round: 1, Purpose: p, Address: phone, Locale: "de-AT"}
}

// verdict is the outcome of a check, which must not be an error.
func verdict(t *testing.T, ch channel.Channel, s channel.State, code string) string {
	t.Helper()
	v, err := ch.Verify(t.Context(), challenge(channel.Authenticate), s, channel.Response{Code: code})
	if err != nil {
		t.Fatal(err)
	}
	return string(v.Outcome) + string(v.Reason)
}

func TestACodeAnswersOnlyTheChallengeThatItWasSentFor(t *testing.T) {
	f := serve(t)
	ch := open(t, config(f.URL, ""))
	enroll := begin(t, ch, challenge(channel.Enroll))
	first := f.Read(phone)
	signIn := begin(t, ch, challenge(channel.Authenticate))
	if got := verdict(t, ch, signIn, first); got != "rejectedmismatch" {
		t.Errorf("another challenge's code was %s", got)
	}
	if got := verdict(t, ch, enroll, f.Read(phone)); got != "rejectedexpired" {
		t.Errorf("the older challenge says %s", got)
	}
	if got := verdict(t, ch, signIn, f.Read(phone)); got != "verified" {
		t.Errorf("its own code was %s", got)
	}
	if got := verdict(t, ch, signIn, f.Read(phone)); got != "rejectedexpired" {
		t.Errorf("a code that was used was %s", got)
	}
}

func TestFurtherRoundsSendTheSameCode(t *testing.T) {
	f := serve(t)
	ch := open(t, config(f.URL, ""))
	c := challenge(channel.Authenticate)
	begin(t, ch, c)
	first := f.Read(phone)
	c.Round = 2
	s := begin(t, ch, c)
	if got := verdict(t, ch, s, first); got != "verified" || f.Reached() != 2 {
		t.Errorf("%s, %d messages", got, f.Reached())
	}
}

func TestEndsAreVerdictsSoThatAttemptsAreSpent(t *testing.T) {
	f := serve(t)
	ch := open(t, config(f.URL, ""))
	s := begin(t, ch, challenge(channel.Authenticate))
	for range 5 {
		if got := verdict(t, ch, s, "000001"); got != "rejectedmismatch" {
			t.Errorf("a wrong code was %s", got)
		}
	}
	if got := verdict(t, ch, s, f.Read(phone)); got != "rejectedexpired" {
		t.Errorf("after five wrong codes the right one was %s", got)
	}
	s = begin(t, ch, challenge(channel.Authenticate))
	f.Expire()
	if got := verdict(t, ch, s, f.Read(phone)); got != "rejectedexpired" {
		t.Errorf("after ten minutes the right code was %s", got)
	}
	for _, status := range []string{"canceled", "max_attempts_reached"} {
		f.Say(http.StatusOK, `{"sid":"VE","status":"`+status+`"}`)
		if got := verdict(t, ch, s, "000001"); got != "rejectedexpired" {
			t.Errorf("%s: %s", status, got)
		}
	}
}

func TestTooManyMessagesAreThrottled(t *testing.T) {
	f := serve(t)
	ch := open(t, config(f.URL, ""))
	c := challenge(channel.Authenticate)
	for c.Round = 1; c.Round <= 5; c.Round++ {
		begin(t, ch, c)
	}
	_, err := ch.Begin(t.Context(), c)
	if busy, ok := errors.AsType[*channel.ThrottledError](err); !ok || busy.After != 10*time.Minute {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeACodeIsNotAskedAbout(t *testing.T) {
	f := serve(t)
	ch := open(t, config(f.URL, ""))
	s := begin(t, ch, challenge(channel.Authenticate))
	before := f.Asked()
	for _, code := range []string{"", "12345", "1234567", "12345a", "１２３４５６", "123 45"} {
		if got := verdict(t, ch, s, code); got != "rejectedmismatch" {
			t.Errorf("%q was %s", code, got)
		}
	}
	if f.Asked() != before {
		t.Error("Twilio was asked")
	}
	for _, s := range []string{"", "VE", "VE/../x", "SM0123456789abcdef0123456789abcdef", "VE0123456789abcdef0123456789abcdef?x"} {
		if v, err := ch.Verify(t.Context(), challenge(channel.Authenticate), channel.State(s), channel.Response{Code: "482915"}); err == nil {
			t.Errorf("state %q: %+v", s, v)
		}
	}
}

func TestWaysOfReachingPeople(t *testing.T) {
	for via, want := range map[string]channel.Descriptor{
		"sms":      {Address: channel.Phone, Form: channel.FormSMS, MaxAAL: 2, AMR: []string{"sms"}},
		"call":     {Address: channel.Phone, Form: channel.FormVoice, MaxAAL: 2, AMR: []string{"tel"}},
		"whatsapp": {Address: channel.Phone, Form: channel.FormChat, MaxAAL: 2, AMR: []string{"otp"}},
		"email":    {Address: channel.Email, Form: channel.FormEmail, MaxAAL: 1, AMR: []string{"otp"}},
	} {
		f := serve(t)
		ch := open(t, config(f.URL, `,"via":"`+via+`","length":8`))
		begin(t, ch, challenge(channel.Authenticate))
		d, _ := channel.As[channel.Describer](ch)
		got := d.Describe()
		if f.Last().Get("Channel") != via || got.Address != want.Address || got.Form != want.Form || got.MaxAAL != want.MaxAAL || got.AMR[0] != want.AMR[0] || !got.Costs {
			t.Errorf("%s: %+v, channel %q", via, got, f.Last().Get("Channel"))
		}
		p, _ := channel.As[channel.Previewer](ch)
		if p.Preview(channel.Challenge{}).Length != 8 {
			t.Errorf("%s: %+v", via, p.Preview(channel.Challenge{}))
		}
	}
}

func TestTextsAreInThePersonsLanguage(t *testing.T) {
	f := serve(t)
	ch := open(t, config(f.URL, ""))
	for tag, want := range map[string]string{
		"de-AT": "de", "en": "en", "en-GB": "en-GB", "pt-BR": "pt-BR", "pt-PT": "pt", "zh-HK": "zh-HK", "zh-TW": "zh", "tlh": "", "": "", "tl": "",
	} {
		c := challenge(channel.Authenticate)
		c.Locale = tag
		begin(t, ch, c)
		if got := f.Last().Get("Locale"); got != want {
			t.Errorf("%q is sent as %q, want %q", tag, got, want)
		}
	}
}

func TestTheProbeSeesTheService(t *testing.T) {
	f := serve(t)
	probe := func(raw string) error {
		p, _ := channel.As[channel.Prober](open(t, raw))
		return p.Probe(t.Context())
	}
	if err := probe(config(f.URL, "")); err != nil {
		t.Error(err)
	}
	if err := probe(strings.Replace(config(f.URL, ""), token, "wrong-token", 1)); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("wrong token: %v", err)
	}
	if err := probe(strings.Replace(config(f.URL, ""), service, "VA"+strings.Repeat("0", 32), 1)); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("no such service: %v", err)
	}
}

func TestFailuresAreSorted(t *testing.T) {
	throttled := func(err error) bool { _, ok := errors.AsType[*channel.ThrottledError](err); return ok }
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	for name, row := range map[string]struct {
		status, code int
		want         func(error) bool
	}{
		"no number":                 {400, 60200, is(channel.ErrUndeliverable)},
		"a landline":                {403, 60205, is(channel.ErrUndeliverable)},
		"a country not switched on": {403, 60605, is(channel.ErrRefused)},
		"taken for a fraud":         {403, 60410, is(channel.ErrRefused)},
		"wrong password":            {401, 20003, is(channel.ErrRefused)},
		"no such service":           {404, 20404, is(channel.ErrRefused)},
		"too many messages":         {429, 60203, throttled},
		"too many requests":         {429, 20429, throttled},
		"too many at once":          {429, 60212, throttled},
		"out of order":              {503, 20503, is(channel.ErrUnavailable)},
		"no code":                   {400, 0, is(channel.ErrUnavailable)},
		"no SID":                    {201, 0, is(channel.ErrUnavailable)},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t)
			f.Say(row.status, fmt.Sprintf(`{"code":%d,"message":"about +491701234567","status":%d}`, row.code, row.status))
			_, err := open(t, config(f.URL, "")).Begin(t.Context(), challenge(channel.Authenticate))
			if !row.want(err) {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "4917") {
				t.Errorf("the error quotes Twilio: %v", err)
			}
		})
	}
}
