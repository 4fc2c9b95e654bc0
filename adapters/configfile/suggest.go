package configfile

import (
	"strconv"
	"strings"
)

// closest returns the candidate that somebody who wrote word probably meant,
// or "" if none is near: at most one edit in three characters.
func closest(word string, candidates []string) string {
	best, found := len([]rune(word))/3+1, ""
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < best {
			best, found = d, c
		}
	}
	return found
}

// DidYouMean asks whether one of the candidates was meant by a word; it is empty if
// none is near.
func DidYouMean(word string, candidates []string) string {
	if c := closest(word, candidates); c != "" {
		return "Did you mean " + strconv.Quote(c) + "?"
	}
	return ""
}

// distance counts insertions, deletions, replacements and swaps of neighbours
// (optimal string alignment) between two words.
func distance(from, to string) int {
	a, b := []rune(from), []rune(to)
	before, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range a {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range b {
			change := prev[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, prev[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}
