package channels_test

import (
	"context"
	"strings"
	"testing"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/ports/channel"
)

// provider makes and sends codes of its own.
type provider struct{ channel.Channel }

// phones opens a sender "sms" and a provider "verify", which stand in for each
// other as asked.
func phones(t *testing.T, fallback map[string][]string) (*channels.Registry, error) {
	t.Helper()
	d := channel.Descriptor{Type: "sms", Address: channel.Phone}
	costs := channel.Descriptor{Type: "verify", Address: channel.Phone, Costs: true}
	c, err := channels.NewCatalog([]channel.Plugin{
		channel.DefineSender(d, func() none { return none{} }, func(context.Context, none, channel.Env) (channel.Sender, error) { return gateway{d}, nil }),
		channel.Define(costs, func() none { return none{} }, func(context.Context, none, channel.Env) (channel.Channel, error) { return provider{}, nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	var specs []channels.Spec
	for _, id := range []string{"sms", "verify"} {
		specs = append(specs, channels.Spec{ID: id, Use: id, Fallback: fallback[id], Decode: func(any) error { return nil }})
	}
	return c.Open(t.Context(), specs, func(string) channel.Env { return channel.Env{} })
}

func ids(list []channels.Instance) string {
	var out []string
	for _, in := range list {
		out = append(out, in.ID)
	}
	return strings.Join(out, " ")
}

func TestProvidersThatMakeCodesProveAddressesAndCarryNoMessages(t *testing.T) {
	r, err := phones(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ what, got, want string }{
		{"phones are proven by", ids(r.Route(contact.Phone)), "sms verify"},
		{"messages to phones go by", ids(r.Senders(contact.Phone)), "sms"},
		{"mailboxes are proven by", ids(r.Route(contact.Email)), ""},
	} {
		if row.got != row.want {
			t.Errorf("%s %q, want %q", row.what, row.got, row.want)
		}
	}
}

func TestProvidersThatMakeCodesStandInForNobody(t *testing.T) {
	for from, to := range map[string]string{"sms": "verify", "verify": "sms"} {
		if _, err := phones(t, map[string][]string{from: {to}}); err == nil {
			t.Errorf("%s may stand in for %s", to, from)
		}
	}
}
