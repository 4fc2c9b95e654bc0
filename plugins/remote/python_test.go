package remote_test

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/ports/signature"

	"github.com/countersign/countersign/plugins/remote"
)

// example runs the channel that is written in Python, and says where.
func example(t *testing.T) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if strings.Contains(os.Getenv("COUNTERSIGN_TEST_REQUIRE"), "python3") {
			t.Fatal("python3 is required, but not installed")
		}
		t.Skip("python3 is not installed")
	}
	cmd := exec.CommandContext(t.Context(), python, "-I", "example/hotp.py", "0")
	cmd.Env = []string{"CHANNEL_SECRET=" + secret}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("it does not say where it is: %v", err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// today stands between the kit, whose clock shows another day, and a channel that
// looks at the real one: it signs anew what is signed rightly.
func today(t *testing.T, url string) string {
	t.Helper()
	keys, err := signature.ParseKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		then := stamp(r.Header)
		if signature.Verify(secret, r.Header, body, then) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		status, head, said := post(t, url+r.URL.Path, body, signature.Sign(keys, r.Header.Get(signature.ID), body, time.Now()), r.Header.Get(remote.Header))
		if status == http.StatusOK && signature.Verify(secret, head, said, time.Now()) == nil {
			maps.Copy(w.Header(), signature.Sign(keys, head.Get(signature.ID), said, then))
			w.Header().Set(remote.Header, head.Get(remote.Header))
		}
		w.WriteHeader(status)
		_, _ = w.Write(said)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func stamp(h http.Header) time.Time {
	n, _ := strconv.ParseInt(h.Get(signature.Timestamp), 10, 64)
	return time.Unix(n, 0)
}

// post makes a request with the given headers.
func post(t *testing.T, url string, body []byte, head http.Header, version string) (int, http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return http.StatusBadGateway, nil, nil
	}
	r.Header = head
	if version != "" {
		r.Header.Set(remote.Header, version)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return http.StatusBadGateway, nil, nil // the kit has had enough
	}
	defer a.Body.Close()
	said, err := io.ReadAll(a.Body)
	if err != nil {
		return http.StatusBadGateway, nil, nil
	}
	return a.StatusCode, a.Header, said
}

func TestConformanceOfTheExampleInPython(t *testing.T) {
	channeltest.Run(t, counting(today(t, example(t))))
}

// Both sides that are here turn the same requests away.
func TestOnlyThoseWhoKnowTheSecretAreAnswered(t *testing.T) {
	keys, err := signature.ParseKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	others, err := signature.ParseKeys("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		t.Fatal(err)
	}
	h, err := remote.Handler(claiming{channel.Verdict{Outcome: channel.Verified}}, channel.NewSecret(secret), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	body := []byte(`{"handle":"h","round":1,"purpose":"enroll","expires_at":"2026-01-01T00:00:00Z"}`)
	now := time.Now()
	for name, row := range map[string]struct {
		head    http.Header
		body    []byte
		version string
		path    string
		want    int
	}{
		"right":            {signature.Sign(keys, "m", body, now), body, "1", "/begin", 200},
		"in two minds":     {signature.Sign(append(others, keys...), "m", body, now), body, "1", "/begin", 200},
		"unsigned":         {http.Header{}, body, "1", "/begin", 401},
		"another key":      {signature.Sign(others, "m", body, now), body, "1", "/begin", 401},
		"another body":     {signature.Sign(keys, "m", []byte("{}"), now), body, "1", "/begin", 401},
		"long ago":         {signature.Sign(keys, "m", body, now.Add(-302*time.Second)), body, "1", "/begin", 401},
		"tomorrow":         {signature.Sign(keys, "m", body, now.Add(302*time.Second)), body, "1", "/begin", 401},
		"no version":       {signature.Sign(keys, "m", body, now), body, "", "/begin", 400},
		"a later version":  {signature.Sign(keys, "m", body, now), body, "2", "/begin", 400},
		"something else":   {signature.Sign(keys, "m", body, now), body, "1", "/delete", 404},
		"nothing to send":  {signature.Sign(keys, "m", body, now), body, "1", "/send", 404},
		"more than enough": {signature.Sign(keys, "m", make([]byte, 1<<19), now), make([]byte, 1<<19), "1", "/begin", 413},
	} {
		if status, head, _ := post(t, srv.URL+row.path, row.body, row.head.Clone(), row.version); status != row.want {
			t.Errorf("%s: %d, want %d", name, status, row.want)
		} else if (head.Get(signature.Signature) != "") != (status == 200) {
			t.Errorf("%s: %d, signed %q", name, status, head.Get(signature.Signature))
		}
	}
	t.Run("python", func(t *testing.T) {
		url := example(t)
		for name, head := range map[string]http.Header{
			"unsigned": {}, "another key": signature.Sign(others, "m", body, now), "long ago": signature.Sign(keys, "m", body, now.Add(-302*time.Second)),
			"another body": signature.Sign(keys, "m", []byte("{}"), now),
		} {
			if status, _, _ := post(t, url+"/begin", body, head.Clone(), "1"); status != 401 {
				t.Errorf("%s: %d", name, status)
			}
		}
		if status, head, said := post(t, url+"/begin", body, signature.Sign(keys, "m", body, now), "1"); status != 200 || signature.Verify(secret, head, said, now) != nil {
			t.Errorf("right: %d %s", status, said)
		}
	})
}
