package channel

// Codes gives a channel the one-time codes of its deployment. A code is a
// function of the challenge: nothing is stored, a resend repeats it, and only
// the core and the message ever hold it. It is safe for concurrent use.
type Codes interface {
	// Shape says what the challenge's code looks like. It does not depend on
	// the subject, so it betrays nothing.
	Shape(c Challenge) Shape

	// Match reports, in constant time, whether code is the challenge's code.
	// It ignores case, and treats spaces and hyphens as absent.
	Match(c Challenge, code string) bool
}

// Shape is what a code looks like.
type Shape struct {
	Length   int      // characters
	Alphabet Alphabet // which ones
}

// Alphabet names the characters codes are made of.
type Alphabet string

// The alphabets. Letters are written and compared in upper case.
const (
	Digits    Alphabet = "digits"    // 0 to 9
	Crockford Alphabet = "crockford" // base 32 without I, L, O and U
)

// Characters lists the alphabet in order of value; unknown alphabets are empty.
func (a Alphabet) Characters() string {
	switch a {
	case Digits:
		return "0123456789"
	case Crockford:
		return "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	}
	return ""
}
