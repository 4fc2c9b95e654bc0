package templates

import (
	"strings"
	"unicode/utf16"
)

// The encodings of a text message.
const (
	GSM7 = "GSM-7"
	UCS2 = "UCS-2"
)

// What one message carries, and what each part of a longer one carries beside
// its header: septets for GSM-7, UTF-16 units for UCS-2 (3GPP TS 23.040, 9.2.3.24.1).
const (
	gsmSingle, gsmPart = 160, 153
	ucsSingle, ucsPart = 70, 67
)

// The default alphabet and its extension table, whose characters take two
// septets (3GPP TS 23.038, 6.2.1). The escape character itself is in neither.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtension = "\f^{}\\[~]|€"
)

// Segments says how a text message would be encoded, how long it then is
// (septets for GSM-7, 16-bit units for UCS-2) and how many segments have to be
// paid for. A single character outside GSM 03.38 turns the whole message into
// UCS-2. The empty text has no segments.
func Segments(text string) (encoding string, units, segments int) {
	widths := make([]int, 0, len(text))
	for _, r := range text {
		w := gsmWidth(r)
		if w == 0 {
			return ucsSegments(text)
		}
		widths = append(widths, w)
	}
	units, segments = pack(widths, gsmSingle, gsmPart)
	return GSM7, units, segments
}

func gsmWidth(r rune) int {
	switch {
	case strings.ContainsRune(gsmBasic, r):
		return 1
	case strings.ContainsRune(gsmExtension, r):
		return 2
	}
	return 0
}

func ucsSegments(text string) (string, int, int) {
	widths := make([]int, 0, len(text))
	for _, r := range text {
		widths = append(widths, utf16.RuneLen(r))
	}
	units, segments := pack(widths, ucsSingle, ucsPart)
	return UCS2, units, segments
}

// pack fills segments in order. A character of two units is never cut in two,
// so a part may stay one unit short.
func pack(widths []int, single, part int) (units, segments int) {
	used := part
	for _, w := range widths {
		units += w
		if used+w > part {
			segments, used = segments+1, 0
		}
		used += w
	}
	if units > 0 && units <= single {
		segments = 1
	}
	return units, segments
}
