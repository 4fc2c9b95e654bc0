package fiberapi

import (
	"strings"
	"time"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/domain/challenge"
)

// startBody is the wish to prove something.
type startBody struct {
	Purpose  string            `json:"purpose,omitempty" enum:"sign_in,verify,second_factor,step_up,reset_password,approve" doc:"What the answer will be good for; sign_in if left out."`
	To       string            `json:"to,omitempty" doc:"Whom to ask: an e-mail address, a phone number or a user name. Either this or device_id." example:"ada@example.com"`
	Channel  string            `json:"channel,omitempty" doc:"By which channel; if left out, the best one for that kind of address." example:"email"`
	Password string            `json:"password,omitempty" doc:"sign_in: the password of whom to names, where codes are sent only to people who know it."`
	DeviceID string            `json:"device_id,omitempty" doc:"Which of the caller's own devices to ask: for second_factor and step_up."`
	Locale   string            `json:"locale,omitempty" doc:"BCP 47 tag of the language to write in." example:"de"`
	ReturnTo string            `json:"return_to,omitempty" doc:"sign_in: where a browser goes after the link in the message: a path of this site, or an address at a configured origin." example:"/orders/7"`
	Detail   []factBody        `json:"detail,omitempty" maxItems:"6" nullable:"false" doc:"approve: what is agreed to, shown word for word."`
	Metadata map[string]string `json:"metadata,omitempty" doc:"The caller's own; handed on with events of verify and approve. At most 16 entries."`
}

// factBody is one line of what is approved.
type factBody struct {
	Label string `json:"label" maxLength:"160" example:"Amount"`
	Value string `json:"value" maxLength:"480" example:"120.00 EUR"`
}

func facts(in []factBody) []challenge.Fact {
	if in == nil {
		return nil
	}
	out := make([]challenge.Fact, len(in))
	for i, f := range in {
		out[i] = challenge.Fact(f)
	}
	return out
}

// resendBody says how another message should go out.
type resendBody struct {
	Channel string `json:"channel,omitempty" doc:"One of channels_left; if left out, the same channel."`
}

// verifyBody is an answer. Without any member it asks whether anything has
// happened meanwhile.
type verifyBody struct {
	Code            code       `json:"code,omitzero" doc:"The code as it was typed. A space or hyphen between two characters does not matter."`
	Data            object     `json:"data,omitempty" doc:"The response of a browser or a device."`
	LinkToken       string     `json:"link_token,omitempty" doc:"The token of the link in the message: what follows the last slash."`
	Detail          []factBody `json:"detail,omitempty" maxItems:"6" nullable:"false" doc:"approve: what the caller believes is agreed to. If it is not what was shown, the challenge ends."`
	RememberBrowser bool       `json:"remember_browser,omitempty" doc:"second_factor: whether this browser is not asked for one again for some time."`
	TrustedBrowser  string     `json:"trusted_browser,omitempty" doc:"sign_in: the token of a browser that was remembered."`
	Claim           string     `json:"claim,omitempty" doc:"sign_in: what signing up has answered, so that the password and the other addresses stay that were given there."`
}

// challengeBody is a challenge as its holder may see it.
type challengeBody struct {
	ID           string     `json:"id" doc:"Unguessable: whoever holds it may answer. Do not log it."`
	Purpose      string     `json:"purpose" enum:"sign_in,verify,second_factor,step_up,enroll,change_identifier,reset_password,approve"`
	Channel      string     `json:"channel" doc:"The channel that judges the answer."`
	Status       string     `json:"status" enum:"pending,verified,exhausted,expired,cancelled"`
	Destination  string     `json:"destination,omitempty" doc:"Masked address that the message goes to; absent if nothing is sent."`
	Prompt       promptBody `json:"prompt" doc:"What the person should do next."`
	Delivery     string     `json:"delivery" enum:"none,queued,sent,delivered,failed" doc:"What became of the newest message."`
	AttemptsLeft int        `json:"attempts_left" doc:"How many answers will still be evaluated."`
	ExpiresAt    time.Time  `json:"expires_at"`
	ExpiresIn    int        `json:"expires_in" doc:"Seconds until then."`
	ResendAfter  int        `json:"resend_after" doc:"Seconds until another message may be asked for."`
	SendsLeft    int        `json:"sends_left" doc:"How many more messages may be asked for."`
	ChannelsLeft []string   `json:"channels_left" nullable:"false" doc:"Other channels by which the same code could go out."`
}

// promptBody tells any user interface what to do, whichever channel is at work.
type promptBody struct {
	Kind     string   `json:"kind" enum:"enter_code,redirect,call_browser,wait"`
	Length   int      `json:"length,omitempty" doc:"enter_code: how many characters."`
	Alphabet string   `json:"alphabet,omitempty" enum:"digits,crockford" doc:"enter_code: which characters."`
	URL      string   `json:"url,omitempty" doc:"redirect: where to go."`
	API      string   `json:"api,omitempty" doc:"call_browser: which browser call."`
	Options  raw      `json:"options,omitempty" doc:"call_browser: its argument."`
	Show     []string `json:"show,omitempty" nullable:"false" doc:"To be displayed now; never given again: set-up URI, match number."`
	QR       string   `json:"qr_svg,omitempty" doc:"Picture of the setup URI in show, an SVG element."`
}

func (a *API) challengeBody(v challenges.View) (challengeBody, error) {
	b := challengeBody{
		ID: v.Handle, Purpose: string(v.Purpose), Channel: v.Channel, Status: string(v.Status), Destination: v.Destination,
		Delivery: string(v.Delivery), AttemptsLeft: v.AttemptsLeft, ExpiresAt: v.ExpiresAt.UTC(), ExpiresIn: whole(v.ExpiresIn),
		ResendAfter: whole(v.ResendAfter), SendsLeft: v.SendsLeft, ChannelsLeft: append([]string{}, v.ChannelsLeft...),
		Prompt: promptBody{
			Kind: string(v.Prompt.Kind), Length: v.Prompt.Length, Alphabet: string(v.Prompt.Alphabet), URL: v.Prompt.URL,
			API: v.Prompt.API, Options: raw(v.Prompt.Options), Show: v.Prompt.Show,
		},
	}
	var err error
	for _, shown := range v.Prompt.Show {
		if strings.HasPrefix(shown, "otpauth://") || strings.HasPrefix(shown, "countersign://") {
			b.Prompt.QR, err = a.QR(shown)
		}
	}
	return b, err
}
