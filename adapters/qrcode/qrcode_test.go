package qrcode_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/qrcode"
)

const uri = "otpauth://totp/Acme:ada%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Acme"

type drawing struct {
	XMLName xml.Name `xml:"svg"`
	Role    string   `xml:"role,attr"`
	Label   string   `xml:"aria-label,attr"`
	Width   int      `xml:"width,attr"`
	Height  int      `xml:"height,attr"`
	ViewBox string   `xml:"viewBox,attr"`
	Rect    struct {
		Width  int    `xml:"width,attr"`
		Height int    `xml:"height,attr"`
		Fill   string `xml:"fill,attr"`
	} `xml:"rect"`
	Path struct {
		Fill string `xml:"fill,attr"`
		D    string `xml:"d,attr"`
	} `xml:"path"`
}

// read parses a drawing and fills a grid from its path, rows first.
func read(t *testing.T, content string) (drawing, [][]bool) {
	t.Helper()
	svg, err := qrcode.SVG(content)
	if err != nil {
		t.Fatal(err)
	}
	var d drawing
	if err := xml.Unmarshal([]byte(svg), &d); err != nil {
		t.Fatal(err)
	}
	grid := make([][]bool, d.Rect.Height)
	for y := range grid {
		grid[y] = make([]bool, d.Rect.Width)
	}
	bar := regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)
	if rest := bar.ReplaceAllString(d.Path.D, ""); rest != "" {
		t.Fatalf("the path has more than bars: %.40q", rest)
	}
	for _, m := range bar.FindAllStringSubmatch(d.Path.D, -1) {
		if m[3] != m[4] {
			t.Fatalf("a bar that does not close: %s", m[0])
		}
		for i := range number(t, m[3]) {
			grid[number(t, m[2])][number(t, m[1])+i] = true
		}
	}
	return d, grid
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheDrawingIsNamedLargeAndDarkOnWhite(t *testing.T) {
	for _, content := range []string{"a", uri, strings.Repeat("a long one ", 100)} {
		d, grid := read(t, content)
		if d.Role != "img" || d.Label != "QR code that holds the setup key shown below" {
			t.Errorf("role %q, name %q", d.Role, d.Label)
		}
		if d.Width < 208 || d.Width != d.Height || d.Width%len(grid) != 0 || d.Width/len(grid) < 4 {
			t.Errorf("%d x %d pixels for %d modules", d.Width, d.Height, len(grid))
		}
		if d.ViewBox != fmt.Sprintf("0 0 %d %d", len(grid), len(grid)) || d.Rect.Fill != "#fff" || d.Path.Fill != "#000" {
			t.Errorf("view box %q, %s on %s", d.ViewBox, d.Path.Fill, d.Rect.Fill)
		}
	}
}

func TestTheQuietZoneIsFourModules(t *testing.T) {
	_, grid := read(t, uri)
	n := len(grid)
	if (n-8-17)%4 != 0 || n-8 < 21 {
		t.Fatalf("%d modules without the quiet zone is no QR code", n-8)
	}
	for y := range n {
		for x := range n {
			if edge := x < 4 || y < 4 || x >= n-4 || y >= n-4; edge && grid[y][x] {
				t.Fatalf("dark module in the quiet zone at %d, %d", x, y)
			}
		}
	}
}

func TestFinderTimingAndDarkModuleAreWhereTheyBelong(t *testing.T) {
	_, grid := read(t, uri)
	n := len(grid) - 8
	at := func(x, y int) bool { return grid[y+4][x+4] }
	for _, corner := range [][2]int{{0, 0}, {n - 7, 0}, {0, n - 7}} {
		for y := range 7 {
			for x := range 7 {
				ring, core := x == 0 || y == 0 || x == 6 || y == 6, x > 1 && x < 5 && y > 1 && y < 5
				if at(corner[0]+x, corner[1]+y) != (ring || core) {
					t.Fatalf("finder pattern at %v is broken at %d, %d", corner, x, y)
				}
			}
		}
	}
	for i := 8; i < n-8; i++ {
		if at(i, 6) != (i%2 == 0) || at(6, i) != (i%2 == 0) {
			t.Fatalf("timing pattern is broken at %d", i)
		}
	}
	if !at(8, n-8) {
		t.Error("no dark module: the code is mirrored")
	}
}

// The format information is the two bits of the level, three of the mask and
// ten for correction, all XORed with 101010000010010 (ISO/IEC 18004, 7.9.1).
// Level M is 00. Its bits begin at the left of row 8.
func TestTheCorrectionLevelIsM(t *testing.T) {
	_, grid := read(t, uri)
	if first, second := grid[8+4][0+4], grid[8+4][1+4]; !first || second {
		t.Errorf("level bits %v %v as drawn, want true false", first, second)
	}
}

// A code of one block and in byte mode is simple enough to be read back here.
func TestAScannerReadsTheContent(t *testing.T) {
	const content = "otpauth://totp/x?s=a"
	_, grid := read(t, content)
	n := len(grid) - 8
	if n != 25 {
		t.Fatalf("version %d, the test reads 2", (n-17)/4)
	}
	mask := 0
	for i, key := range []bool{true, false, true} { // bits 2 to 4 of the format, and what they are XORed with
		if grid[8+4][2+i+4] != key {
			mask |= 4 >> i
		}
	}
	bits := walk(n, func(x, y int) bool { return grid[y+4][x+4] != masked(mask, x, y) })
	if mode := take(bits, 0, 4); mode != 4 {
		t.Fatalf("mode %d, want bytes", mode)
	}
	var got []byte
	for i := range take(bits, 4, 8) {
		got = append(got, byte(take(bits, 12+8*i, 8)))
	}
	if string(got) != content {
		t.Errorf("a scanner reads %q, want %q", got, content)
	}
}

func take(bits []bool, from, n int) int {
	v := 0
	for _, b := range bits[from : from+n] {
		v <<= 1
		if b {
			v |= 1
		}
	}
	return v
}

// masked is the mask pattern of ISO/IEC 18004, table 10.
func masked(mask, x, y int) bool {
	return []bool{
		(x+y)%2 == 0, y%2 == 0, x%3 == 0, (x+y)%3 == 0, (y/2+x/3)%2 == 0,
		x*y%2+x*y%3 == 0, (x*y%2+x*y%3)%2 == 0, ((x+y)%2+x*y%3)%2 == 0,
	}[mask]
}

// walk visits the data modules of a version 2 code: two columns at a time from
// the right, up and down in turn.
func walk(n int, at func(x, y int) bool) []bool {
	var out []bool
	up := true
	for right := n - 1; right > 0; right -= 2 {
		if right == 6 {
			right-- // the timing column
		}
		for i := range n {
			y := i
			if up {
				y = n - 1 - i
			}
			for _, x := range []int{right, right - 1} {
				if !function(n, x, y) {
					out = append(out, at(x, y))
				}
			}
		}
		up = !up
	}
	return out
}

func function(n, x, y int) bool {
	finder := x < 9 && y < 9 || x >= n-8 && y < 9 || x < 9 && y >= n-8
	alignment := x >= n-9 && x <= n-5 && y >= n-9 && y <= n-5
	return finder || alignment || x == 6 || y == 6
}

func TestTheKeyIsNotInClearText(t *testing.T) {
	svg, err := qrcode.SVG(uri)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{uri, "JBSWY3DP", "otpauth", "ada", "<script", "<style", "style="} {
		if strings.Contains(svg, part) {
			t.Errorf("%q is in the drawing", part)
		}
	}
	if len(svg) > 16<<10 {
		t.Errorf("%d bytes", len(svg))
	}
}

func TestWhatCannotBeDrawnIsRefusedWithoutBeingRepeated(t *testing.T) {
	for content, want := range map[string]error{
		"":                                 qrcode.ErrEmpty,
		strings.Repeat("s3cr3t-", 400):     qrcode.ErrTooLong,
		strings.Repeat("s", 2332):          qrcode.ErrTooLong,
		"s" + strings.Repeat("\xff", 2331): qrcode.ErrTooLong,
	} {
		svg, err := qrcode.SVG(content)
		if !errors.Is(err, want) || svg != "" || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%.10q…: %d bytes, error %v", content, len(svg), err)
		}
	}
	if _, err := qrcode.SVG(strings.Repeat("s", 2331)); err != nil {
		t.Errorf("as much as fits is refused: %v", err)
	}
}
