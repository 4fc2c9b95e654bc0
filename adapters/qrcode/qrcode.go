// Package qrcode draws QR codes as SVG, to be put into a page as they are.
package qrcode

import (
	"errors"
	"strconv"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

const (
	quiet     = 4    // light modules on every side (ISO/IEC 18004, 6.3.8)
	leastSize = 208  // pixels; smaller ones are hard to scan from a screen
	leastUnit = 4    // pixels per module, for dense codes
	longest   = 2331 // bytes that version 40 holds at level M
)

// What is wrong with content. The content itself is a secret, and never part of an error.
var (
	ErrEmpty   = errors.New("nothing to draw as a QR code")
	ErrTooLong = errors.New("too long for a QR code")
)

// SVG draws content, at error correction level M, dark on white whatever the
// colours around it: many scanners cannot read the inverse. The drawing is
// named as holding a setup key, shown below it, for those who cannot see it.
// It contains no style and no script, so no content security policy is in its way.
func SVG(content string) (string, error) {
	switch {
	case content == "":
		return "", ErrEmpty
	case len(content) > longest:
		return "", ErrTooLong
	}
	code, err := qr.Encode(content, qr.M, qr.Auto)
	if err != nil {
		return "", ErrTooLong // not wrapped: the text of the cause repeats the content
	}
	return draw(code), nil
}

func draw(code barcode.Barcode) string {
	modules := code.Bounds().Dx() + 2*quiet
	unit := max(leastUnit, (leastSize+modules-1)/modules)
	side, pixels := strconv.Itoa(modules), strconv.Itoa(modules*unit)
	var b strings.Builder
	b.Grow(8 * modules * modules)
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="QR code that holds the setup key shown below" width="` +
		pixels + `" height="` + pixels + `" viewBox="0 0 ` + side + ` ` + side + `" shape-rendering="crispEdges">` +
		`<rect width="` + side + `" height="` + side + `" fill="#fff"/><path fill="#000" d="`)
	for y := range code.Bounds().Dy() {
		row(&b, code, y)
	}
	b.WriteString(`"/></svg>`)
	return b.String()
}

// row writes one bar for each run of dark modules: to its corner, right, down,
// back left, close.
func row(b *strings.Builder, code barcode.Barcode, y int) {
	width := code.Bounds().Dx()
	for x := 0; x < width; x++ {
		start := x
		for x < width && dark(code, x, y) {
			x++
		}
		if run := strconv.Itoa(x - start); x > start {
			b.WriteString("M" + strconv.Itoa(start+quiet) + " " + strconv.Itoa(y+quiet) + "h" + run + "v1h-" + run + "z")
		}
	}
}

func dark(code barcode.Barcode, x, y int) bool {
	r, _, _, _ := code.At(x, y).RGBA()
	return r == 0
}
