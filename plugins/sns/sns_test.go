package sns_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/plugins/sns"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

const keyID = "AKIDEXAMPLE"

func config(endpoint, more string) string {
	return fmt.Sprintf(`{"region":"eu-central-1","access_key_id":%q,"secret_access_key":"the-secret-access-key","endpoint":%q%s}`, keyID, endpoint, more)
}

func sender(t *testing.T, raw string) channel.Sender {
	t.Helper()
	ch, err := sns.Plugin().Open(t.Context(), channeltest.Decoder(raw), channel.Env{HTTP: http.DefaultClient})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := channel.As[channel.Sender](ch)
	return s
}

func message() channel.Message {
	return channel.Message{Key: "m-1", To: "+491701234567", Locale: "en", Text: "Your code is 482915.", Code: "482915"}
}

func TestConformance(t *testing.T) {
	f := serve(t)
	channeltest.Run(t, channeltest.Suite{
		Plugin: sns.Plugin(), Config: config(f.URL, ""), Address: "+491701234567", Respond: channeltest.TypeLastCode,
		Provider: func(url string) string { return config(url, "") },
		Broken: map[string]string{
			"no region":        `{}`,
			"a strange region": `{"region":"x/../y"}`,
			"half a key":       `{"region":"eu-central-1","access_key_id":"AKIDEXAMPLE"}`,
			"a long name":      config(f.URL, `,"sender_id":"much too long"`),
			"no number":        config(f.URL, `,"number":"nobody"`),
			"no TLS":           config("http://sns.example.com", ""),
			"a negative price": config(f.URL, `,"max_price":-1`),
		},
	})
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, sns.Plugin()) }

// attribute is what a form says of a message.
func attribute(form map[string][]string, name string) string {
	for k, v := range form {
		if strings.HasSuffix(k, ".Name") && len(v) == 1 && v[0] == name {
			return strings.Join(form[strings.TrimSuffix(k, "Name")+"Value.StringValue"], " ")
		}
	}
	return ""
}

func TestAMessageArrivesWhole(t *testing.T) {
	f := serve(t)
	receipt, err := sender(t, config(f.URL, `,"sender_id":"Example","number":"+491515","max_price":0.1`)).Send(t.Context(), message())
	if err != nil || !strings.HasPrefix(receipt.ID, "567910cd") || len(f.asked()) != 1 {
		t.Fatalf("%+v, %v, %d messages", receipt, err, len(f.asked()))
	}
	got := f.asked()[0]
	if got.Get("PhoneNumber") != "+491701234567" || got.Get("Message") != "Your code is 482915." {
		t.Errorf("to %q: %q", got.Get("PhoneNumber"), got.Get("Message"))
	}
	for name, want := range map[string]string{
		"AWS.SNS.SMS.SMSType": "Transactional", "AWS.SNS.SMS.SenderID": "Example", "AWS.MM.SMS.OriginationNumber": "+491515", "AWS.SNS.SMS.MaxPrice": "0.1",
	} {
		if attribute(got, name) != want {
			t.Errorf("%s is %q, want %q", name, attribute(got, name), want)
		}
	}
	if _, err := sender(t, config(f.URL, "")).Send(t.Context(), message()); err != nil || attribute(f.asked()[1], "AWS.SNS.SMS.SenderID") != "" {
		t.Errorf("%v", err)
	}
}

func TestTheProbeSeesTheKey(t *testing.T) {
	f := serve(t)
	probe := func(raw string) error {
		p, _ := channel.As[channel.Prober](sender(t, raw))
		return p.Probe(t.Context())
	}
	if err := probe(config(f.URL, "")); err != nil {
		t.Error(err)
	}
	if err := probe(strings.Replace(config(f.URL, ""), keyID, "AKIDOTHER", 1)); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("another key: %v", err)
	}
}

func TestFailuresAreSortedAndNotRepeated(t *testing.T) {
	throttled := func(err error) bool { _, ok := errors.AsType[*channel.ThrottledError](err); return ok }
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	for name, row := range map[string]struct {
		status int
		code   string
		want   func(error) bool
	}{
		"no number":             {400, "InvalidParameter", is(channel.ErrUndeliverable)},
		"opted out":             {400, "OptedOut", is(channel.ErrUndeliverable)},
		"wrong key":             {403, "InvalidClientTokenId", is(channel.ErrRefused)},
		"wrong secret":          {403, "SignatureDoesNotMatch", is(channel.ErrRefused)},
		"not allowed":           {403, "AuthorizationError", is(channel.ErrRefused)},
		"too fast":              {400, "Throttling", throttled},
		"too many":              {429, "Throttled", throttled},
		"out of order":          {500, "InternalError", is(channel.ErrUnavailable)},
		"not there":             {503, "ServiceUnavailable", is(channel.ErrUnavailable)},
		"unheard of":            {400, "Teleported", is(channel.ErrUnavailable)},
		"unheard of, forbidden": {403, "Teleported", is(channel.ErrRefused)},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t)
			f.say(row.status, failure(row.code))
			_, err := sender(t, config(f.URL, "")).Send(t.Context(), message())
			if !row.want(err) || f.requests() != 1 {
				t.Errorf("%v, asked %d times", err, f.requests())
			}
			if err != nil && (strings.Contains(err.Error(), "4917") || strings.Contains(err.Error(), "482915")) {
				t.Errorf("the error quotes SNS: %v", err)
			}
		})
	}
}
