package message_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/message"
)

const secret = "s3cr3t-482913"

func secrets() (message.Request, message.Text) {
	return message.Request{
			Kind: message.Code, Form: message.SMS, Purpose: message.Approve, Tenant: "default",
			Code: secret, Link: "https://login.example/" + secret,
			Facts: []message.Fact{{Label: secret, Value: secret}},
		}, message.Text{
			Locale: "en", Subject: secret, Text: secret, HTML: secret,
		}
}

func TestNoVerbPrintsTheCode(t *testing.T) {
	r, x := secrets()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{r, &r, x, &x, r.Facts[0], r.Facts, struct{ M message.Request }{r}} {
			got := fmt.Sprintf(verb, value)
			if strings.Contains(got, secret) || strings.Contains(got, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of %T shows the code: %s", verb, value, got)
			}
			if got == "" {
				t.Errorf("%s of %T says nothing", verb, value)
			}
		}
	}
}

func TestLogsAndJSONLeaveTheCodeOut(t *testing.T) {
	r, x := secrets()
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("sent", "request", r, "pointer", &r, "text", x, "inside", struct{ M message.Request }{r})
	}
	raw, err := json.Marshal([]any{r, x})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String() + string(raw); strings.Contains(got, secret) {
		t.Errorf("the code is in %s", got)
	}
	if !strings.Contains(out.String(), "approve") {
		t.Errorf("the log does not say what was sent: %s", out.String())
	}
}
