package app

import (
	"github.com/countersign/countersign/plugins/apple"
	"github.com/countersign/countersign/plugins/email"
	"github.com/countersign/countersign/plugins/facebook"
	"github.com/countersign/countersign/plugins/github"
	"github.com/countersign/countersign/plugins/google"
	"github.com/countersign/countersign/plugins/hotp"
	"github.com/countersign/countersign/plugins/httpsender"
	"github.com/countersign/countersign/plugins/oidc"
	"github.com/countersign/countersign/plugins/passkey"
	"github.com/countersign/countersign/plugins/push"
	"github.com/countersign/countersign/plugins/recovery"
	"github.com/countersign/countersign/plugins/remote"
	"github.com/countersign/countersign/plugins/telegram"
	"github.com/countersign/countersign/plugins/telegrambot"
	"github.com/countersign/countersign/plugins/telegramgateway"
	"github.com/countersign/countersign/plugins/telegramoidc"
	"github.com/countersign/countersign/plugins/totp"
	"github.com/countersign/countersign/plugins/twilio"
	"github.com/countersign/countersign/plugins/twilioverify"
	"github.com/countersign/countersign/plugins/twofactor"
	"github.com/countersign/countersign/plugins/vonage"
	"github.com/countersign/countersign/plugins/webhook"
	"github.com/countersign/countersign/ports/channel"
)

// builtIn lists the channels that every build has, in the order of their types.
func builtIn() []channel.Plugin {
	return []channel.Plugin{
		apple.Plugin(),
		email.Plugin(),
		facebook.Plugin(),
		github.Plugin(),
		google.Plugin(),
		hotp.Plugin(),
		httpsender.Plugin(),
		oidc.Plugin(),
		passkey.Plugin(),
		push.Plugin(),
		recovery.Plugin(),
		remote.Plugin(),
		telegram.Plugin(),
		telegrambot.Plugin(),
		telegramgateway.Plugin(),
		telegramoidc.Plugin(),
		totp.Plugin(),
		twilio.Plugin(),
		twilioverify.Plugin(),
		twofactor.Plugin(),
		vonage.Plugin(),
		webhook.Plugin(),
	}
}
