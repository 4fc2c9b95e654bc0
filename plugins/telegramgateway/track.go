package telegramgateway

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// tolerance is how old a report may be, and how far ahead of our clock.
const tolerance = 5 * time.Minute

// report is what became of a code.
type report struct {
	ID       string `json:"request_id"`
	Delivery struct {
		Status string `json:"status"`
	} `json:"delivery_status"`
}

// Track reads a report. The Gateway signs the time and the body, with the SHA-256
// of our token as the key.
func (g *gateway) Track(_ context.Context, in channel.Inbound) ([]channel.Report, error) {
	stamp, ok := only(in.Header, "X-Request-Timestamp")
	signature, ok2 := only(in.Header, "X-Request-Signature")
	got, err := hex.DecodeString(signature)
	if !ok || !ok2 || err != nil {
		return nil, channel.ErrForged
	}
	key := sha256.Sum256([]byte(g.cfg.Token.Reveal()))
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(stamp + "\n")) // a hash takes everything
	h.Write(in.Body)
	if !hmac.Equal(got, h.Sum(nil)) {
		return nil, channel.ErrForged
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if age := g.now().Sub(time.Unix(seconds, 0)); err != nil || age > tolerance || age < -tolerance {
		return nil, channel.ErrForged
	}
	var r report
	if json.Unmarshal(in.Body, &r) != nil || r.ID == "" {
		return nil, channel.ErrForged
	}
	return r.read(), nil
}

// read says what the report means. That a code was sent means nothing yet.
func (r report) read() []channel.Report {
	out := channel.Report{Receipt: channel.Receipt{ID: r.ID}}
	switch r.Delivery.Status {
	case "delivered", "read":
		out.Delivered = true
	case "expired", "revoked":
		out.Err = fmt.Errorf("%w: it did not arrive in time", channel.ErrUnavailable)
	default:
		return nil
	}
	return []channel.Report{out}
}

// only is the one value of a header.
func only(header map[string][]string, name string) (string, bool) {
	var got []string
	for n, values := range header {
		if strings.EqualFold(n, name) {
			got = append(got, values...)
		}
	}
	if len(got) != 1 {
		return "", false
	}
	return got[0], true
}
