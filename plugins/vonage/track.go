package vonage

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// fresh is how old, and how far ahead, a report's time may be.
const fresh = 5 * time.Minute

// Track reads a delivery receipt. States on the way, such as buffered and
// accepted, are no report.
func (s sender) Track(_ context.Context, in channel.Inbound) ([]channel.Report, error) {
	fields, err := s.authentic(in)
	if err != nil {
		return nil, err
	}
	r := channel.Report{Receipt: channel.Receipt{ID: fields["messageId"]}}
	if r.Receipt.ID == "" {
		return nil, nil
	}
	switch fields["status"] {
	case "delivered":
		r.Delivered = true
	case "expired", "failed", "rejected":
		r.Err = explainReceipt(fields["err-code"])
	default:
		return nil, nil
	}
	return []channel.Report{r}, nil
}

// explainReceipt puts the error code of a delivery receipt into the core's words.
func explainReceipt(code string) error {
	n, err := strconv.Atoi(code)
	if err != nil {
		return fmt.Errorf("%w: a Vonage receipt without a code", channel.ErrUnavailable)
	}
	switch n {
	case 3, 4, 9, 11, 13, 14: // gone, barred by its owner, illegal, unroutable, too young, blocked by the carrier
		return fmt.Errorf("%w: Vonage receipt %d", channel.ErrUndeliverable, n)
	case 6, 10, 39, 50, 51, 52, 53, 54: // spam, the text, the sender, filters and rules
		return fmt.Errorf("%w: Vonage receipt %d", channel.ErrRefused, n)
	case 16, 41: // quotas
		return &channel.ThrottledError{}
	}
	return fmt.Errorf("%w: Vonage receipt %d", channel.ErrUnavailable, n)
}

// authentic checks who signed a report and when, and reads its fields, which come
// as a form, as JSON or in the query, as the account says.
func (s sender) authentic(in channel.Inbound) (map[string]string, error) {
	if s.cfg.SignatureSecret.IsZero() {
		return nil, fmt.Errorf("%w: no signature can be checked", channel.ErrForged)
	}
	fields, ok := report(in)
	if !ok {
		return nil, fmt.Errorf("%w: the report is unreadable", channel.ErrForged)
	}
	claimed, err := hex.DecodeString(fields["sig"])
	if err != nil || !hmac.Equal(claimed, s.sign(fields)) {
		return nil, fmt.Errorf("%w: the signature is another", channel.ErrForged)
	}
	seconds, err := strconv.ParseInt(fields["timestamp"], 10, 40)
	if age := s.env.Now().Sub(time.Unix(seconds, 0)); err != nil || age > fresh || age < -fresh {
		return nil, fmt.Errorf("%w: the report is old", channel.ErrForged)
	}
	return fields, nil
}

// sign is the signature of all fields but itself: each as &key=value, in the
// order of their keys, where & and = in values are written _.
func (s sender) sign(fields map[string]string) []byte {
	keys := make([]string, 0, len(fields))
	for k := range fields {
		if k != "sig" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	made := sha256.New
	if s.cfg.SignatureMethod == "sha512" {
		made = sha512.New
	}
	mac := hmac.New(made, []byte(s.cfg.SignatureSecret.Reveal()))
	for _, k := range keys {
		mac.Write([]byte("&" + k + "=" + strings.NewReplacer("&", "_", "=", "_").Replace(fields[k])))
	}
	return mac.Sum(nil)
}

// report reads a request's fields, each of which comes once.
func report(in channel.Inbound) (map[string]string, bool) {
	body := bytes.TrimSpace(in.Body)
	switch {
	case len(body) == 0:
		return single(in.Query)
	case body[0] != '{':
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, false
		}
		return single(form)
	}
	return object(body)
}

func single(form url.Values) (map[string]string, bool) {
	fields := make(map[string]string, len(form))
	for k, values := range form {
		if len(values) != 1 {
			return nil, false
		}
		fields[k] = values[0]
	}
	return fields, true
}

// object reads a flat JSON object in which no key comes twice.
func object(body []byte) (map[string]string, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	fields := map[string]string{}
	for d.More() {
		key, err := d.Token()
		name, isText := key.(string)
		if _, twice := fields[name]; err != nil || !isText || twice {
			return nil, false
		}
		value, err := d.Token()
		if err != nil {
			return nil, false
		}
		switch v := value.(type) {
		case string:
			fields[name] = v
		case json.Number:
			fields[name] = v.String()
		default:
			return nil, false
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	_, err := d.Token()
	return fields, errors.Is(err, io.EOF)
}
