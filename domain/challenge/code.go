package challenge

// Code turns keyed bytes into a code of the given format, each character with
// the same probability. It rejects bytes that would favour some characters, so
// sum must be long enough; it reports false if it is not. With 32 bytes and six
// digits that happens less often than once in 10^40 codes; widen and try again.
func Code(f Format, sum []byte) (string, bool) {
	alphabet := f.Alphabet()
	fair := 256 - 256%len(alphabet)
	out := make([]byte, 0, f.Length())
	for _, b := range sum {
		if len(out) == cap(out) {
			break
		}
		if int(b) < fair {
			out = append(out, alphabet[int(b)%len(alphabet)])
		}
	}
	return string(out), len(out) == f.Length()
}
