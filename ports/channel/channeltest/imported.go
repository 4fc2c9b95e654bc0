package channeltest

import (
	"bytes"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// imported takes devices over from another system. What comes from there may be
// cut off, and is a secret.
func (s Suite) imported(t T) {
	r := s.open(t)
	im, ok := channel.As[channel.Importer](r.ch)
	if !ok {
		t.Skipf("devices cannot come from elsewhere")
	}
	secret := []byte("secret-of-another-system-32bytes")
	cred, err := im.Import(bytes.Clone(secret))
	if err != nil || len(cred) == 0 {
		t.Errorf("a secret of %d bytes was not imported: %v", len(secret), err)
	}
	reused := bytes.Clone(secret)
	again, err := im.Import(reused)
	clear(reused)
	if err == nil && !bytes.Equal(again, cred) {
		t.Errorf("the credential shares memory with the secret, or is another each time")
	}
	for _, short := range []string{"", "s", "cut8"} {
		cred, err := im.Import([]byte(short))
		switch {
		case err == nil || cred != nil:
			t.Errorf("a secret of %d bytes was imported", len(short))
		case len(short) > 2 && strings.Contains(err.Error(), short):
			t.Errorf("the error shows the secret")
		}
	}
	r.hides(t, "log", r.log.String(), string(secret), "cut8")
}
