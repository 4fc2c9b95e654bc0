package app

import (
	"github.com/countersign/countersign/plugins/email"
	"github.com/countersign/countersign/plugins/hotp"
	"github.com/countersign/countersign/plugins/httpsender"
	"github.com/countersign/countersign/plugins/passkey"
	"github.com/countersign/countersign/plugins/push"
	"github.com/countersign/countersign/plugins/recovery"
	"github.com/countersign/countersign/plugins/totp"
	"github.com/countersign/countersign/plugins/twilio"
	"github.com/countersign/countersign/plugins/twilioverify"
	"github.com/countersign/countersign/plugins/twofactor"
	"github.com/countersign/countersign/plugins/vonage"
	"github.com/countersign/countersign/ports/channel"
)

// builtIn lists the channels that every build has, in the order of their types.
func builtIn() []channel.Plugin {
	return []channel.Plugin{
		email.Plugin(),
		hotp.Plugin(),
		httpsender.Plugin(),
		passkey.Plugin(),
		push.Plugin(),
		recovery.Plugin(),
		totp.Plugin(),
		twilio.Plugin(),
		twilioverify.Plugin(),
		twofactor.Plugin(),
		vonage.Plugin(),
	}
}
