package sink

import "bytes"

// length is how many digits a code has.
const length = 6

// Code finds the code in a message: in its subject, else as the only thing on
// a line of its text. Other numbers, such as a year or a telephone number, have
// another length or company on their line.
func Code(message []byte) (string, bool) {
	header := true
	for line := range bytes.Lines(message) {
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case header && len(line) == 0:
			header = false
		case header && len(line) > 8 && bytes.EqualFold(line[:8], []byte("subject:")):
			if code, ok := word(line[8:]); ok {
				return code, true
			}
		case !header && len(line) >= length:
			if line = bytes.TrimSpace(line); len(line) == length && digits(line) {
				return string(line), true
			}
		}
	}
	return "", false
}

// word finds a word that is a code.
func word(text []byte) (string, bool) {
	for field := range bytes.FieldsSeq(text) {
		if len(field) == length && digits(field) {
			return string(field), true
		}
	}
	return "", false
}

func digits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
