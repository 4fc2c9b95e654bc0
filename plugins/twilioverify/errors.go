package twilioverify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// Twilio's error codes (https://www.twilio.com/docs/api/errors) that are answers.
const (
	notFound      = 20404
	firstOfVerify = 60000 // the codes of Verify begin here
	tooManyChecks = 60202
	tooManySends  = 60203
)

// lifetime is how long a verification lives, and a limit on one lasts.
const lifetime = 10 * time.Minute

// explain puts one of Twilio's error codes into the core's words. 0 is a failure
// without a code.
func explain(code int) error {
	switch code {
	case tooManySends, tooManyChecks:
		return &channel.ThrottledError{After: lifetime}
	case 20429, 60212: // too many requests, or at once for one number
		return &channel.ThrottledError{}
	case 21211, 21614, 60200, 60205: // no number, or a landline
		return fmt.Errorf("%w: Twilio error %d", channel.ErrUndeliverable, code)
	case 0, 20500, 20503: // trouble at Twilio's
		return fmt.Errorf("%w: Twilio error %d", channel.ErrUnavailable, code)
	}
	// All else is about us: credentials, the service, countries that are not allowed,
	// numbers that Twilio takes for part of a fraud.
	return fmt.Errorf("%w: Twilio error %d", channel.ErrRefused, code)
}

// languages are those of Verify's own texts, beside English.
var languages = strings.Fields("af ar ca cs da de el es et fi fr he hi hr hu id it ja kn ko lt lv mr ms nb nl pl pt ro ru sk sv ta te th tl tr uk vi zh")

// locale is a BCP 47 tag as Verify names it: the language, which has a region
// where that makes a difference to it. "" leaves the choice to Verify, which
// refuses what it does not know.
func locale(tag string) string {
	lower := strings.ToLower(tag)
	language, _, _ := strings.Cut(lower, "-")
	switch {
	case lower == "en-gb", lower == "pt-br", lower == "zh-cn", lower == "zh-hk":
		return language + "-" + strings.ToUpper(lower[len(lower)-2:])
	case language == "en" || slices.Contains(languages, language):
		return language
	}
	return ""
}
