package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// stopped wants a server that was told to end to do so well.
func stopped(t *testing.T, s *harness.Server) {
	t.Helper()
	if code, ok := s.Wait(20 * time.Second); !ok || code != 0 {
		t.Errorf("the server ended %v with exit code %d, want it to end with 0", ok, code)
	}
}

func TestStopFinishesADeliveryThatIsUnderWay(t *testing.T) {
	production(t, "", func(t *testing.T, s *harness.Server, c *harness.Client, mails *sink) {
		mails.slow(3 * time.Second) // longer than the 2 s in which it is seen to be not ready
		asked := ask(t, c, ann)
		waitFor(t, patient, "the message is under way", func() bool { return mails.begun() == 1 })
		s.Signal(syscall.SIGTERM)
		stopped(t, s)
		code := mails.code(ann, 1, sixDigits)
		s.Restart()
		if d := delivery(c, asked.Text("id")); d != "sent" {
			t.Errorf("delivery is %q after the restart, want sent", d)
		}
		c.Verify(asked.Text("id"), code).Tokens()
		if n := len(mails.texts(ann)); n != 1 {
			t.Errorf("%d messages, want one", n)
		}
	})
}

func TestStopSaysFirstThatItIsNotReady(t *testing.T) {
	production(t, "", func(t *testing.T, s *harness.Server, c *harness.Client, mails *sink) {
		s.Signal(syscall.SIGTERM)
		began := time.Now()
		waitFor(t, time.Second, "not ready", func() bool {
			a, err := c.Try(http.MethodGet, "/readyz", nil)
			if err != nil {
				t.Fatalf("the server was gone before it said that it is not ready: %v", err)
			}
			return a.Status == http.StatusServiceUnavailable && a.RetryAfter() > 0
		})
		c.Get("/healthz").Want(http.StatusOK)
		asked := ask(t, c, ann) // whoever comes now is served
		c.Verify(asked.Text("id"), mails.code(ann, 1, sixDigits)).Tokens()
		stopped(t, s)
		if took := time.Since(began); took < 1900*time.Millisecond || took > 10*time.Second {
			t.Errorf("it took %s to stop, want the 2 s in which it is seen to be not ready and little more", took)
		}
	})
}

func TestStopFinishesARequestThatIsUnderWay(t *testing.T) {
	both(t, "", func(t *testing.T, s *harness.Server, c *harness.Client) {
		const body = `{"to":"ann@example.com"}`
		conn, err := net.Dial("tcp", s.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST /v1/challenges HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", s.Address, len(body), body[:10]); err != nil {
			t.Fatal(err)
		}
		c.Get("/healthz").Want(http.StatusOK) // by now the other request has begun
		s.Signal(syscall.SIGTERM)
		waitFor(t, patient, "no new connections are taken", func() bool {
			_, err := c.Try(http.MethodGet, "/healthz", nil, "Connection: close")
			return err != nil
		})
		if _, err := fmt.Fprint(conn, body[10:]); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(patient)); err != nil {
			t.Fatal(err)
		}
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("the request that had begun is not answered: %v", err)
		}
		_ = a.Body.Close()
		if a.StatusCode != http.StatusAccepted {
			t.Errorf("the request that had begun is answered %d, want 202", a.StatusCode)
		}
		stopped(t, s)
	})
}

func TestStopIsQuickWhenNothingGoesOn(t *testing.T) {
	both(t, "", func(t *testing.T, s *harness.Server, c *harness.Client) {
		c.Get("/healthz").Want(http.StatusOK) // leaves an idle connection
		began := time.Now()
		s.Signal(syscall.SIGINT)
		stopped(t, s)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
