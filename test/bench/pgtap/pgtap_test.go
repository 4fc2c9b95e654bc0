package pgtap

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"reflect"
	"testing"
)

func frame(kind byte, parts ...string) []byte {
	var body []byte
	for _, p := range parts {
		body = append(append(body, p...), 0)
	}
	raw := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return append(raw, body...)
}

func startup(code uint32, rest string) []byte {
	raw := binary.BigEndian.AppendUint32(nil, uint32(8+len(rest)))
	return append(binary.BigEndian.AppendUint32(raw, code), rest...)
}

// deaf takes everything and tells when the client is gone.
func deaf(t *testing.T) (string, chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	got := make(chan []byte, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		raw, _ := io.ReadAll(c)
		got <- raw
	}()
	return "postgres://u:p@" + l.Addr().String() + "/d", got
}

func TestTapPassesEverythingOnAndCountsExecutions(t *testing.T) {
	address, got := deaf(t)
	tap, through, err := Open(address)
	if err != nil {
		t.Fatal(err)
	}
	u, err := net.ResolveTCPAddr("tcp", tap.listener.Addr().String())
	if err != nil || !bytes.Contains([]byte(through), []byte(u.String())) {
		t.Fatalf("%s does not lead through %s", through, u)
	}
	c, err := net.DialTCP("tcp", nil, u)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(startup(sslRequest, "")); err != nil {
		t.Fatal(err)
	}
	no := make([]byte, 1)
	if _, err := io.ReadFull(c, no); err != nil || no[0] != 'N' {
		t.Fatalf("encryption was answered %q, %v", no, err)
	}
	sent := bytes.Join([][]byte{
		startup(196608, "user\x00u\x00\x00"),
		frame('P', "s1", "SELECT  1,\n 2"), frame('P', "s2", "UPDATE x"),
		frame('B', "", "s1"), frame('E', ""), frame('B', "", "s2"), frame('E', ""), frame('B', "", "s1"), frame('E', ""),
		frame('Q', "BEGIN; COMMIT;"), frame('S'),
	}, nil)
	if _, err := c.Write(sent); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if raw := <-got; !bytes.Equal(raw, sent) {
		t.Errorf("the server got %q, want %q", raw, sent)
	}
	want := map[string]int{"SELECT 1, 2": 2, "UPDATE x": 1, "BEGIN": 1, "COMMIT": 1}
	if counts := tap.Counts(); !reflect.DeepEqual(counts, want) {
		t.Errorf("counted %v, want %v", counts, want)
	}
	tap.Reset()
	if counts := tap.Counts(); len(counts) != 0 {
		t.Errorf("%v is left after a reset", counts)
	}
	if err := tap.Close(); err != nil {
		t.Error(err)
	}
}

func TestTapRefusesWhatIsNotTheProtocol(t *testing.T) {
	if err := greet(bytes.NewBuffer([]byte("GET / HTTP/1.1")), io.Discard); err == nil {
		t.Error("a request of HTTP was passed on")
	}
	if _, err := message(bytes.NewReader([]byte{'Q', 0, 0, 0, 3})); err == nil {
		t.Error("a message shorter than its head was read")
	}
	if _, err := message(bytes.NewReader([]byte{'Q', 0xff, 0, 0, 0, 1})); err == nil {
		t.Error("a message of gigabytes was read")
	}
}
