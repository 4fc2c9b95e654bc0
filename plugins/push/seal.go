package push

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
)

// seal makes a question readable to the phone only: neither the gateway nor the
// services between it and the phone learn what is approved, nor can change it. It
// is AES-256-GCM: the nonce of 12 bytes, and what Seal gives, with the phone's name
// as additional data. The key is HMAC-SHA256 of "countersign push seal" under the
// pairing key, which itself only signs.
func (p phone) seal(random io.Reader, q asked) ([]byte, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("write the question: %w", err)
	}
	mac := hmac.New(sha256.New, p.Key)
	mac.Write([]byte("countersign push seal"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("seal the question: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("seal the question: %w", err)
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return gcm.Seal(nonce, nonce, text, []byte(p.Name)), nil
}
