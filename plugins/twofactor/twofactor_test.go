package twofactor_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/plugins/twofactor"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/test/providers"
)

const (
	key   = "293832-67745-11e5-88de-5600000c6b13"
	phone = "+919876543210"
)

func config(server, more string) string {
	return fmt.Sprintf(`{"api_key":%q,"api":%q%s}`, key, server+"/API/V1", more)
}

const autogen = `,"codes":"theirs"`

func serve(t *testing.T) *providers.TwoFactor {
	t.Helper()
	f := (&providers.TwoFactor{Key: key}).Start()
	t.Cleanup(f.Close)
	return f
}

func open(t *testing.T, raw string) channel.Channel {
	t.Helper()
	ch, err := twofactor.Plugin().Open(t.Context(), channeltest.Decoder(raw), channel.Env{Codes: channeltest.Codes{Form: channel.Shape{Length: 6, Alphabet: channel.Digits}}})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := channel.As[channel.Closer](ch)
	t.Cleanup(func() { _ = c.Close(t.Context()) })
	return ch
}

func message() channel.Message {
	return channel.Message{Key: "m-1", To: phone, Locale: "en", Text: "Your code is 482915.", Code: "482915"}
}

func TestConformanceWithOurCodes(t *testing.T) {
	f := serve(t)
	channeltest.Run(t, channeltest.Suite{
		Plugin: twofactor.Plugin(), Config: config(f.URL, ""), Address: phone, Respond: channeltest.TypeLastCode,
		Provider: func(url string) string { return config(url, "") },
		Broken: map[string]string{
			"no key":                 `{}`,
			"a path for key":         `{"api_key":"../../other"}`,
			"a path for template":    config(f.URL, `,"template":".."`),
			"a template with slash":  config(f.URL, `,"template":"a/b"`),
			"a template for calls":   config(f.URL, `,"template":"OTP1","via":"voice"`),
			"no TLS":                 config("http://2factor.in", ""),
			"codes of somebody else": config(f.URL, `,"codes":"nobodys"`),
			"a long code":            config(f.URL, `,"length":7`),
		},
	})
}

func TestConformanceWithTheirCodes(t *testing.T) {
	f := serve(t)
	channeltest.Run(t, channeltest.Suite{
		Plugin: twofactor.Plugin(), Config: config(f.URL, autogen), Address: phone, Reached: f.Reached,
		Provider: func(url string) string { return config(url, autogen) },
		Respond: func(_ testing.TB, s channeltest.Scene) channel.Response {
			return channel.Response{Code: f.Read(s.Challenge.Address)}
		},
		Lie: func(testing.TB, channeltest.Scene) channel.Response { return channel.Response{Code: "000001"} },
	})
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, twofactor.Plugin()) }

func TestOurCodesGoByTheConfiguredWay(t *testing.T) {
	for more, want := range map[string]string{
		"": "SMS/919876543210/482915", `,"template":"Login code"`: "SMS/919876543210/482915/Login code", `,"via":"voice"`: "VOICE/919876543210/482915",
	} {
		f := serve(t)
		s, _ := channel.As[channel.Sender](open(t, config(f.URL, more)))
		receipt, err := s.Send(t.Context(), message())
		if _, got := f.Asked(); err != nil || receipt.ID == "" || got != want {
			t.Errorf("%s: asked for %s, %+v, %v", more, got, receipt, err)
		}
	}
}

func TestTextsThatAreNoCodesAreRefused(t *testing.T) {
	f := serve(t)
	s, _ := channel.As[channel.Sender](open(t, config(f.URL, "")))
	for _, code := range []string{"", "123", "1234567", "ABCDEF", "AUTOGEN", "../../x"} {
		m := message()
		m.Code = code
		if _, err := s.Send(t.Context(), m); !errors.Is(err, channel.ErrRefused) {
			t.Errorf("%q: %v", code, err)
		}
	}
	if n, _ := f.Asked(); n != 0 {
		t.Errorf("2factor.in was asked %d times", n)
	}
}

func verdict(t *testing.T, ch channel.Channel, s channel.State, code string) string {
	t.Helper()
	v, err := ch.Verify(t.Context(), channel.Challenge{}, s, channel.Response{Code: code})
	if err != nil {
		t.Fatal(err)
	}
	return string(v.Outcome) + string(v.Reason)
}

func TestTheirCodesAreJudgedByTheirExactWords(t *testing.T) {
	f := serve(t)
	ch := open(t, config(f.URL, autogen))
	o, err := ch.Begin(t.Context(), channel.Challenge{Address: phone, Round: 1})
	if err != nil {
		t.Fatal(err)
	}
	for what, row := range map[string]struct{ state, code, want string }{
		"right": {string(o.State), f.Read(phone), "verified"}, "wrong": {string(o.State), "000001", "rejectedmismatch"},
		"unknown session": {"5d6ebee6-ec04-4776-846d-ffffffffffff", "482915", "rejectedexpired"},
		"no code":         {string(o.State), "12a456", "rejectedmismatch"}, "short": {string(o.State), "1234", "rejectedmismatch"},
	} {
		if got := verdict(t, ch, channel.State(row.state), row.code); got != row.want {
			t.Errorf("%s: %s, want %s", what, got, row.want)
		}
	}
	f.Expire()
	if got := verdict(t, ch, o.State, f.Read(phone)); got != "rejectedexpired" {
		t.Errorf("an expired code, which is a success, was %s", got)
	}
	f.Say(http.StatusOK, `{"Status":"Success","Details":"fine"}`)
	if v, err := ch.Verify(t.Context(), channel.Challenge{}, o.State, channel.Response{Code: "482915"}); !errors.Is(err, channel.ErrUnavailable) {
		t.Errorf("another success: %+v, %v", v, err)
	}
	for _, state := range []string{"", "..", "a/../../BAL", "VERIFY?"} {
		if v, err := ch.Verify(t.Context(), channel.Challenge{}, channel.State(state), channel.Response{Code: "482915"}); err == nil {
			t.Errorf("state %q: %+v", state, v)
		}
	}
}

func TestTheConfigurationDecidesWhatItIs(t *testing.T) {
	f := serve(t)
	for more, want := range map[string]channel.Descriptor{
		"": {Form: channel.FormSMS, AMR: []string{"sms"}}, autogen: {Form: channel.FormSMS, AMR: []string{"sms"}, Costs: true},
		autogen + `,"via":"voice"`: {Form: channel.FormVoice, AMR: []string{"tel"}, Costs: true},
	} {
		ch := open(t, config(f.URL, more))
		d, _ := channel.As[channel.Describer](ch)
		_, sends := channel.As[channel.Sender](ch)
		if got := d.Describe(); got.Form != want.Form || got.AMR[0] != want.AMR[0] || got.Costs != want.Costs || sends == want.Costs {
			t.Errorf("%s: %+v, sends %t", more, got, sends)
		}
	}
}

func TestTheProbeSeesKeyAndBalance(t *testing.T) {
	f := serve(t)
	probe := func(raw string) error {
		p, _ := channel.As[channel.Prober](open(t, raw))
		return p.Probe(t.Context())
	}
	if err := probe(config(f.URL, "")); err != nil {
		t.Error(err)
	}
	if err := probe(strings.Replace(config(f.URL, ""), key, "another-key", 1)); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("another key: %v", err)
	}
	f.Balance("0")
	if err := probe(config(f.URL, "")); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("no balance: %v", err)
	}
}

func TestFailuresAreSorted(t *testing.T) {
	throttled := func(err error) bool { _, ok := errors.AsType[*channel.ThrottledError](err); return ok }
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	for details, want := range map[string]func(error) bool{
		"Invalid Phone Number - Length Mismatch(Expected >= 10) 919876543210": is(channel.ErrUndeliverable),
		"Number 919876543210 Is Blocked":                                      is(channel.ErrUndeliverable),
		"Invalid API Key 293832-67745":                                        is(channel.ErrRefused),
		"Insufficient Balance":                                                is(channel.ErrRefused),
		"Daily limit of 482915":                                               throttled,
		"Who knows? 482915":                                                   is(channel.ErrRefused),
	} {
		for _, more := range []string{"", autogen} {
			f := serve(t)
			f.Say(http.StatusBadRequest, fmt.Sprintf(`{"Status":"Error","Details":%q}`, details))
			ch := open(t, config(f.URL, more))
			_, err := ch.Begin(t.Context(), channel.Challenge{Address: phone, Round: 1})
			if s, ok := channel.As[channel.Sender](ch); ok {
				_, err = s.Send(t.Context(), message())
			}
			if !want(err) {
				t.Errorf("%s: %v", details, err)
			}
			if err != nil && (strings.Contains(err.Error(), "9876") || strings.Contains(err.Error(), "482915") || strings.Contains(err.Error(), "293832")) {
				t.Errorf("the error quotes 2factor.in: %v", err)
			}
		}
	}
}
