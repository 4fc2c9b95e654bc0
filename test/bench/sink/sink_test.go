package sink

import (
	"context"
	"errors"
	"net/smtp"
	"testing"
	"time"
)

func TestCodeIsFoundInSubjectOrText(t *testing.T) {
	for name, c := range map[string]struct{ message, want string }{
		"subject":             {"From: a@b.c\r\nSubject: 048213 is your Bench code\r\n\r\nHello\r\n", "048213"},
		"subject, other case": {"SUBJECT: Your code: 111222\r\n\r\n", "111222"},
		"text":                {"Subject: Your code\r\n\r\nUse this code.\r\n\r\n  123456\r\n\r\nWorks for 5 minutes.", "123456"},
		"text, multipart":     {"Subject: x\r\nContent-Type: multipart/alternative; boundary=123456789012\r\n\r\n--123456789012\r\nContent-Type: text/plain\r\n\r\n654321\r\n", "654321"},
		"too long":            {"Subject: 1234567 things\r\n\r\n12345\r\n1234567\r\n", ""},
		"in company":          {"Subject: x\r\n\r\ncall 123456 now\r\n", ""},
		"header is no text":   {"X-Id:\r\n 123456\r\n", ""},
		"nothing":             {"", ""},
	} {
		got, ok := Code([]byte(c.message))
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q %v, want %q", name, got, ok, c.want)
		}
	}
}

func TestMailReachesWhoeverWaitsForItsRecipient(t *testing.T) {
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	ann, bob := s.Expect("Ann@bench.example"), s.Expect("bob@bench.example")
	notice := []byte("Subject: A new way to sign in\r\n\r\nThis happened on 9 March 2026.\r\n")
	if err := smtp.SendMail(s.Addr(), nil, "noreply@bench.example", []string{"ann@bench.example"}, notice); err != nil {
		t.Fatal(err)
	}
	for to, code := range map[string]string{"bob@bench.example": "222222", "ann@BENCH.example": "111111", "eve@bench.example": "333333"} {
		body := []byte("Subject: " + code + " is your code\r\n\r\nx\r\n")
		if err := smtp.SendMail(s.Addr(), nil, "noreply@bench.example", []string{to}, body); err != nil {
			t.Fatal(err)
		}
	}
	for want, mail := range map[string]Mail{"111111": ann, "222222": bob} {
		if got, err := mail.Code(t.Context(), 5*time.Second); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if n := s.Lost(); n != 1 {
		t.Errorf("lost %d, want 1", n)
	}
}

func TestWaitingForMailEnds(t *testing.T) {
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Expect("x@bench.example").Code(t.Context(), time.Millisecond); !errors.Is(err, ErrLate) {
		t.Errorf("got %v, want %v", err, ErrLate)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Expect("y@bench.example").Code(ctx, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if len(s.waiting) != 0 {
		t.Errorf("%d are still remembered", len(s.waiting))
	}
}
