package signature_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/signature"
)

// A receiver checks the signature before it looks at anything, and handles each
// event once.
func ExampleVerify() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	handled := map[string]bool{}
	receiver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil || signature.Verify(secret, r.Header, body, time.Now()) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var event struct {
			Type string
			Data struct {
				UserID string `json:"user_id"`
			}
		}
		if json.Unmarshal(body, &event) == nil && !handled[r.Header.Get(signature.ID)] {
			handled[r.Header.Get(signature.ID)] = true
			fmt.Println(event.Type, event.Data.UserID)
		}
		w.WriteHeader(http.StatusNoContent)
	})

	body := `{"type":"session.started","timestamp":"2026-01-02T03:04:05Z","data":{"user_id":"0199"}}`
	keys, err := signature.ParseKeys(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // it may come more than once
		request := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(body))
		request.Header = signature.Sign(keys, "0199-1", []byte(body), time.Now())
		answer := httptest.NewRecorder()
		receiver.ServeHTTP(answer, request)
		fmt.Println(answer.Code)
	}
	// Output:
	// session.started 0199
	// 204
	// 204
}
