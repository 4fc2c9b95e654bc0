// Package signature signs webhooks and requests like them, and lets those who
// receive them tell whose they are, that they are whole, and fresh. It speaks Standard Webhooks 1.0
// (https://www.standardwebhooks.com) and needs nothing but the standard library.
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Headers of a webhook.
const (
	ID        = "Webhook-Id"        // of the event; the same whenever it is sent again
	Timestamp = "Webhook-Timestamp" // when it was sent, in seconds since 1970
	Signature = "Webhook-Signature" // one or more of "v1,<base64>", separated by spaces
)

// Tolerance is how far a webhook's timestamp may be from the receiver's clock.
const Tolerance = 300 * time.Second

// What Verify refuses. Whatever it is, answer with a status of 400 or more.
var (
	ErrSecret    = errors.New("a webhook secret is whsec_ and base64 of 24 to 64 bytes")
	ErrHeaders   = errors.New("the webhook's headers are missing or malformed")
	ErrTimestamp = errors.New("the webhook is too old, or from the future")
	ErrSignature = errors.New("the webhook's signature does not match")
)

const (
	prefix           = "whsec_"
	version          = "v1,"
	shortest, length = 24, 64 // bytes of a key
	mostSignatures   = 16     // that are looked at
)

// Key is what one secret holds. Treat it as a secret.
type Key []byte

// ParseKeys reads one or more secrets of the form "whsec_<base64>", separated by
// white space. While a secret is being replaced there are two: webhooks are
// signed with each, and are believed if any matches. The error is ErrSecret and
// holds nothing of the secret.
func ParseKeys(secret string) ([]Key, error) {
	var keys []Key
	for one := range strings.FieldsSeq(secret) {
		text, ok := strings.CutPrefix(one, prefix)
		key, err := base64.StdEncoding.Strict().DecodeString(text)
		if !ok || err != nil || len(key) < shortest || len(key) > length {
			return nil, ErrSecret
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, ErrSecret
	}
	return keys, nil
}

// Sign gives the headers' values for a body that is sent now.
func Sign(keys []Key, id string, body []byte, now time.Time) http.Header {
	at := strconv.FormatInt(now.Unix(), 10)
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = version + base64.StdEncoding.EncodeToString(k.mac(id, at, body))
	}
	return http.Header{ID: {id}, Timestamp: {at}, Signature: {strings.Join(all, " ")}}
}

func (k Key) mac(id, at string, body []byte) []byte {
	h := hmac.New(sha256.New, k)
	fmt.Fprintf(h, "%s.%s.", id, at)
	h.Write(body)
	return h.Sum(nil)
}

// Verify reports nil if whoever knows the secret has sent this body not more
// than Tolerance before or after now. Body is the request's body as it came, byte
// for byte. Events may come more than once: keep the ids that you have handled
// (the header ID), and ignore those that you know.
func Verify(secret string, header http.Header, body []byte, now time.Time) error {
	keys, err := ParseKeys(secret)
	if err != nil {
		return err
	}
	id, at := header.Get(ID), header.Get(Timestamp)
	seconds, err := strconv.ParseInt(at, 10, 64)
	if id == "" || err != nil || at != strconv.FormatInt(seconds, 10) || header.Get(Signature) == "" {
		return ErrHeaders
	}
	if off := now.Unix() - seconds; off > int64(Tolerance.Seconds()) || off < -int64(Tolerance.Seconds()) {
		return ErrTimestamp
	}
	given := strings.Fields(header.Get(Signature))
	for _, one := range given[:min(len(given), mostSignatures)] {
		text, ok := strings.CutPrefix(one, version)
		mac, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil {
			continue // of another version, or not meant for us
		}
		for _, k := range keys {
			if hmac.Equal(mac, k.mac(id, at, body)) {
				return nil
			}
		}
	}
	return ErrSignature
}
