package channels_test

import (
	"context"
	"strings"
	"testing"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
)

type none struct{}

func (none) Validate() error { return nil }

// gateway is a sender that is what it is told to be.
type gateway struct{ own channel.Descriptor }

func (gateway) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{}, nil
}
func (g gateway) Describe() channel.Descriptor { return g.own }

func opened(t *testing.T, plugin, own channel.Descriptor) channels.Instance {
	t.Helper()
	p := channel.DefineSender(plugin, func() none { return none{} }, func(context.Context, none, channel.Env) (channel.Sender, error) {
		return gateway{own}, nil
	})
	c, err := channels.NewCatalog([]channel.Plugin{p})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Open(t.Context(), []channels.Spec{{ID: "one", Use: plugin.Type, Decode: func(any) error { return nil }}},
		func(string) channel.Env { return channel.Env{} })
	if err != nil {
		t.Fatal(err)
	}
	in, err := r.Get("one")
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestChannelsMaySayWhatTheirConfigurationMadeOfThem(t *testing.T) {
	in := opened(t, channel.Descriptor{Type: "gateway", Factor: channel.Possession, MaxAAL: 2, AMR: []string{"otp"}},
		channel.Descriptor{Title: "Call", Address: channel.Phone, Form: channel.FormVoice, MaxAAL: 1, AMR: []string{"tel"}})
	if in.Type != "gateway" || in.Address != channel.Phone || in.Form() != message.Voice || in.MaxAAL != 1 || in.AMR[0] != "tel" {
		t.Errorf("%+v", in.Descriptor)
	}
}

func TestNoConfigurationMakesAChannelStronger(t *testing.T) {
	in := opened(t, channel.Descriptor{Type: "gateway", MaxAAL: 1, Costs: true},
		channel.Descriptor{Type: "passkey", MaxAAL: 3, Identify: true, Phishing: true, Backup: true})
	if in.Type != "gateway" || in.MaxAAL != 1 || in.Identify || in.Phishing || in.Backup || !in.Costs {
		t.Errorf("%+v", in.Descriptor)
	}
}

func TestPluginsThatCannotBeAreRefused(t *testing.T) {
	sender := func(kind channel.AddressKind) channel.Plugin {
		return channel.DefineSender(channel.Descriptor{Type: "pager", Address: kind}, func() none { return none{} }, func(context.Context, none, channel.Env) (channel.Sender, error) {
			return gateway{}, nil
		})
	}
	for kind, want := range map[channel.AddressKind]string{"pager": "There are Phone, Email, NoAddress and Account", channel.Account: "DefineSender"} {
		if _, err := channels.NewCatalog([]channel.Plugin{sender(kind)}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"pager"`) {
			t.Errorf("%q: %v", kind, err)
		}
	}
}

func TestFormsAreSpelledAlike(t *testing.T) {
	for address, want := range map[channel.AddressKind]message.Form{channel.Email: message.Email, channel.Phone: message.SMS, channel.Account: message.Chat} {
		if got := opened(t, channel.Descriptor{Type: "x"}, channel.Descriptor{Address: address}).Form(); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
	for form, want := range map[channel.Form]message.Form{
		channel.FormEmail: message.Email, channel.FormSMS: message.SMS, channel.FormChat: message.Chat, channel.FormVoice: message.Voice,
	} {
		if message.Form(form) != want {
			t.Errorf("%s, %s", form, want)
		}
	}
}
