package devinbox

import (
	"context"
	"strconv"

	"github.com/countersign/countersign/ports/channel"
)

// Plugins are channels that deliver into the inbox: dev_email and dev_sms.
func Plugins(b *Inbox) []channel.Plugin {
	return []channel.Plugin{
		plugin(b, channel.Descriptor{
			Type: "dev_email", Title: "E-mail", Summary: "Keeps e-mail in the development inbox.",
			Address: channel.Email, Factor: channel.Possession, MaxAAL: 1, AMR: []string{"otp"},
		}),
		plugin(b, channel.Descriptor{
			Type: "dev_sms", Title: "Text message", Summary: "Keeps text messages in the development inbox.",
			Address: channel.Phone, Factor: channel.Possession, MaxAAL: 2, AMR: []string{"sms"},
		}),
	}
}

func plugin(b *Inbox, d channel.Descriptor) channel.Plugin {
	return channel.DefineSender(d, func() Config { return Config{} }, func(_ context.Context, _ Config, env channel.Env) (channel.Sender, error) {
		return sender{b, env}, nil
	})
}

// Config is empty: faults are switched on at run time, with SetChaos.
type Config struct{}

// Validate implements channel.Config.
func (Config) Validate() error { return nil }

type sender struct {
	inbox *Inbox
	env   channel.Env
}

// Send keeps the message under the name of this instance.
func (s sender) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	if err := s.inbox.Chaos(s.env.Instance).suffer(ctx, s.env.Random); err != nil {
		return channel.Receipt{}, err
	}
	kept := s.inbox.Put(s.env.Instance, m, s.env.Now())
	return channel.Receipt{ID: "dev-" + strconv.FormatInt(kept.Seq, 10)}, nil
}
