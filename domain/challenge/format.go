package challenge

import "strconv"

// Format says what an answer looks like, so that nonsense is refused without
// being evaluated: "d6" is six digits, "c16" sixteen characters of Crockford's
// base 32, "" anything that is not typed by a person.
type Format string

// Alphabets of typed codes.
const (
	digits    = "0123456789"
	crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// MaxCode is the longest code that anybody is asked to type.
const MaxCode = 32

// Digits is the format of n decimal digits.
func Digits(n int) Format { return Format("d" + strconv.Itoa(n)) }

// Crockford is the format of n characters of Crockford's base 32.
func Crockford(n int) Format { return Format("c" + strconv.Itoa(n)) }

// Typed reports whether a person types the answer.
func (f Format) Typed() bool { return f != "" }

// Length is how many characters a code has, without separators.
func (f Format) Length() int {
	if f == "" {
		return 0
	}
	n, _ := strconv.Atoi(string(f[1:])) // made by Digits or Crockford
	return n
}

// Alphabet is what a code is made of.
func (f Format) Alphabet() string {
	if f != "" && f[0] == 'd' {
		return digits
	}
	return crockford
}

// Clean brings a typed code into the form in which it is compared. One ASCII
// space or hyphen between two characters is dropped, as people group what they
// copy; letters are raised, and those that Crockford's alphabet lacks because
// they look like digits become these. It reports false for anything else:
// white space around, other scripts' digits, control characters.
func Clean(raw string) (code string, ok bool) {
	out := make([]byte, 0, MaxCode)
	separated := true // so that none may come first
	for i := range len(raw) {
		b := raw[i]
		if b == ' ' || b == '-' {
			if separated {
				return "", false
			}
			separated = true
			continue
		}
		if b = canonical(b); b == 0 || len(out) == MaxCode {
			return "", false
		}
		out, separated = append(out, b), false
	}
	return string(out), !separated
}

func canonical(b byte) byte {
	if 'a' <= b && b <= 'z' {
		b -= 'a' - 'A'
	}
	switch {
	case '0' <= b && b <= '9':
		return b
	case b == 'O':
		return '0'
	case b == 'I' || b == 'L':
		return '1'
	case b == 'U' || b < 'A' || b > 'Z':
		return 0
	}
	return b
}

// Formats lists the formats that a cleaned code fits, narrowest first. They
// are at most two, and none if the code is too short to be one.
func Formats(code string) []Format {
	if len(code) < 4 || len(code) > MaxCode {
		return nil
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return []Format{Crockford(len(code))}
		}
	}
	return []Format{Digits(len(code)), Crockford(len(code))}
}
