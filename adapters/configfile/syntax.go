package configfile

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// libraryPlace is what the YAML library puts before its messages. It has no
// column, and its line is that of the construct around the mistake, counted
// from zero or from one.
var libraryPlace = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// searchBudget is how much work the place of a syntax error is worth, in bytes
// read. A search takes one parse per line behind the mistake.
const searchBudget = 4 << 20

// syntaxProblem says where YAML stops being YAML: at the end of the longest
// beginning of the file that can be read. If that is too hard to find, it
// gives the line that the library gives.
func syntaxProblem(file string, data []byte, err error) Problem {
	at := origin{layer: fromFile, file: file, line: 1, column: 1}
	if line, err := strconv.Atoi(libraryPlace.FindStringSubmatch(err.Error())[1]); err == nil {
		at.line = max(line, 1)
	}
	s := search{data: data, left: searchBudget}
	rest := ""
	if line, column, behind, ok := s.breakingPoint(); ok {
		at.line, at.column, rest = line, column, behind
	}
	text := libraryPlace.ReplaceAllString(err.Error(), "")
	return at.problem("", "not valid YAML: "+text, syntaxHint(text, rest))
}

// syntaxHint says what mostly leads to a message, or nothing. The rest is the
// line from the mistake on.
func syntaxHint(text, rest string) string {
	switch {
	case strings.HasPrefix(strings.TrimLeft(rest, " "), "\t"):
		return "Indent with spaces instead of tabs."
	case strings.Contains(text, "mapping values are not allowed"):
		return "Put a value that contains a colon in quotes, and check the indentation."
	case strings.Contains(text, "did not find expected key"):
		return "Check the indentation and the quotes."
	case strings.Contains(text, "cannot start any token"):
		return "Put a value that begins with a special character in quotes."
	}
	return ""
}

// search looks for a syntax error with a limited amount of work.
type search struct {
	data []byte
	left int
}

// breakingPoint finds line and column of the first character that cannot be
// read, and returns the line from there on. Every beginning of the file that
// holds the mistake fails, so the longest one that does not ends before it.
func (s *search) breakingPoint() (line, column int, rest string, ok bool) {
	lines := bytes.SplitAfter(s.data, []byte("\n"))
	start, k := len(s.data), len(lines)
	for k > 0 {
		k--
		start -= len(lines[k])
		if s.readable(start) {
			break
		}
	}
	broken := bytes.TrimRight(lines[k], "\r\n")
	cut := len(broken)
	for cut > 0 {
		_, size := utf8.DecodeLastRune(broken[:cut])
		cut -= size
		if s.readable(start + cut) {
			break
		}
	}
	return k + 1, utf8.RuneCount(broken[:cut]) + 1, string(broken[cut:]), s.left > 0
}

// readable reports whether the data up to end is YAML, or true when the budget
// is used up. The library's work grows with the square of the open brackets.
func (s *search) readable(end int) bool {
	head := s.data[:end]
	depth := count(head, "[{") - count(head, "]}")
	s.left -= len(head) + depth*depth/4
	if s.left <= 0 {
		return true
	}
	_, err := documents(head)
	return err == nil
}

func count(data []byte, chars string) int {
	n := 0
	for i := range len(chars) {
		n += bytes.Count(data, []byte{chars[i]})
	}
	return n
}
