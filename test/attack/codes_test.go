package attack_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

func TestA013CodesAndHandlesOfARunningServerAreRandom(t *testing.T) {
	s := harness.Start(t, harness.Options{Policy: atOnce, Log: "warn"})
	c := s.Client(t)
	const batches, batch = 4, 500
	var all []string
	ids := map[string]bool{}
	for range batches {
		c.Do(http.MethodDelete, "/dev/inbox", nil).Want(http.StatusNoContent)
		v := fire(batch, func(int) (harness.Answer, error) {
			return c.Try(http.MethodPost, "/v1/challenges", map[string]string{"to": fresh()})
		})
		for i, a := range v.answers {
			if v.errors[i] != nil || a.Status != http.StatusAccepted {
				t.Fatalf("%s %v", a, v.errors[i])
			}
			ids[a.Text("id")] = true
		}
		for _, m := range c.AwaitMessages("", batch) {
			all = append(all, m.Code)
		}
	}
	if len(all) != batches*batch || len(ids) != batches*batch {
		t.Fatalf("%d codes and %d distinct handles of %d challenges", len(all), len(ids), batches*batch)
	}
	wantSixDigits(t, all)
	for place := range 6 {
		if x := chiSquare(digitsAt(all, place), 10); x > 60 { // p < 10^-9 at 9 degrees of freedom
			t.Errorf("the digits at place %d are not evenly spread: chi square %.1f", place, x)
		}
	}
	wantUnguessable(t, ids)
}

func wantSixDigits(t *testing.T, all []string) {
	t.Helper()
	form, zeros := regexp.MustCompile(`^[0-9]{6}$`), 0
	for _, code := range all {
		if !form.MatchString(code) {
			t.Fatalf("%q is no code of six digits", code)
		}
		if code[0] == '0' {
			zeros++
		}
	}
	if zeros == 0 {
		t.Errorf("none of %d codes begins with 0", len(all))
	}
}

// wantUnguessable checks that every bit of the handles is set about half of the
// time: no version, no time and no counter is in them.
func wantUnguessable(t *testing.T, ids map[string]bool) {
	t.Helper()
	var set [128]int
	for id := range ids {
		raw, err := base64.RawURLEncoding.DecodeString(id)
		if err != nil || len(raw) < 16 {
			t.Fatalf("the handle has %d bytes (%v), want 16 or more", len(raw), err)
		}
		for bit := range set {
			set[bit] += int(raw[bit/8]>>(bit%8)) & 1
		}
	}
	for bit, n := range set {
		if share := float64(n) / float64(len(ids)); share < 0.4 || share > 0.6 { // 9 standard deviations
			t.Errorf("bit %d of the handles is set in %.0f %%", bit, 100*share)
		}
	}
}

// digitsAt gives the digit of each code at one place.
func digitsAt(all []string, place int) []int {
	out := make([]int, len(all))
	for i, code := range all {
		out[i] = int(code[place] - '0')
	}
	return out
}

// chiSquare measures how far the values 0 to cells-1 are from being equally
// frequent.
func chiSquare(values []int, cells int) (x float64) {
	count := make([]int, cells)
	for _, v := range values {
		count[v]++
	}
	even := float64(len(values)) / float64(cells)
	for _, n := range count {
		x += (float64(n) - even) * (float64(n) - even) / even
	}
	return x
}

// What does not look like a code, as JSON.
func nonsense() map[string]string {
	out := map[string]string{
		"null": "null", "a number": "123456", "a fraction": "123456.0", "an array": `["123456"]`, "an object": `{"code":"123456"}`,
		"true": "true", "60 KiB": strconv.Quote(strings.Repeat("1", 60<<10)), "60 KiB of spaces": strconv.Quote(strings.Repeat(" ", 60<<10)),
	}
	for _, text := range []string{
		"", " ", "-", " 123456", "123456 ", "\u00a0123456", "123456\u00a0", "\t123456", "123456\n", "１２３４５６", "١٢٣٤٥٦", "𝟏𝟐𝟑𝟒𝟓𝟔",
		"+123456", "-123456", "123456-", "123456.0", "0x1E240", "1e5", "12345", "1234567", "123  456", "123--456", "12345a", "123\u200b456",
		"123.456", "123\u2011456", "123456\x00", "' OR 1=1", "${123456}",
	} {
		out[fmt.Sprintf("%q", text)] = strconv.Quote(text)
		if strings.ContainsAny(text, "\x00") {
			out[fmt.Sprintf("%q", text)] = `"123456\u0000"`
		}
	}
	return out
}

func TestA014NonsenseIsNotAnAttempt(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, s *harness.Server, c *harness.Client) {
		to := fresh()
		asked := c.StartChallenge(to)
		right := c.Code(to)
		path := "/v1/challenges/" + asked.ID + "/verify"
		for name, code := range nonsense() {
			began := time.Now()
			a := c.Post(path, `{"code":`+code+`}`)
			if !a.Is(http.StatusUnprocessableEntity, "malformed_code") {
				t.Errorf("%s: %s, want 422 malformed_code", name, a)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("%s took %s", name, took)
			}
		}
		if status, body := announce(t, s.Address, path, 1<<20); status != http.StatusRequestEntityTooLarge || !strings.Contains(body, `"too_large"`) {
			t.Errorf("1 MiB: %d %s, want 413 too_large", status, body)
		}
		c.Post("/v1/challenges/"+strings.Repeat("A", 22)+"/verify", `{"code":" 123456"}`).WantCode(http.StatusUnprocessableEntity, "malformed_code")
		if left := attemptsLeft(c, asked.ID); left != 5 {
			t.Fatalf("attempts_left is %d after nonsense, want 5", left)
		}
		c.Verify(asked.ID, right[:3]+" "+right[3:]).Tokens()
		again := c.StartChallenge(to)
		right = c.Code(to)
		c.Verify(again.ID, right[:2]+"-"+right[2:4]+"-"+right[4:]).Tokens()
	})
}

// announce begins a request with a body of n bytes, and reads the answer that
// must come before the body does.
func announce(t *testing.T, address, path string, n int) (status int, body string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{\"code\":\"1111", path, address, n)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer to a body that is too large: %v", err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text)
}
