package twilio

import (
	"fmt"

	"github.com/countersign/countersign/ports/channel"
)

// explain puts one of Twilio's error codes (https://www.twilio.com/docs/api/errors)
// into the core's words. 0 is a failure without a code.
func explain(code int) error {
	switch code {
	case 20429, 21611, 30001, 30022, 30023, 63038: // too many requests, or messages queued, a second or a day
		return &channel.ThrottledError{}
	case 21211, 21214, 21217, 21265, 21604, 21612, 21614, 21635, // no number, or none that text messages reach
		21610,               // the person has opted out
		30004, 30005, 30006: // blocked, unknown or a landline, by the carrier's word
		return fmt.Errorf("%w: Twilio error %d", channel.ErrUndeliverable, code)
	case 0, 20500, 20503, 30003, 30008, 30009, 30017, 30410: // trouble at Twilio's or a carrier's, or a phone that is off
		return fmt.Errorf("%w: Twilio error %d", channel.ErrUnavailable, code)
	}
	// All else is about us: credentials, balance, permissions, the sender, the text.
	return fmt.Errorf("%w: Twilio error %d", channel.ErrRefused, code)
}
