package e2e_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestKeysThatMailCannotBeSignedWithAreNamedAtTheStart(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dkim.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	config, _ := deployment(t, "")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	const entries = `channels:
  mail:
    use: email
    email:
      addr: smtp.example.com:587
      from: login@example.com
      dkim:
        - { selector: c1, key_file: %q }
        - { selector: "c 2", key: hunter2hunter2 }
`
	text = bytes.Replace(text, []byte("channels:\n"), fmt.Appendf(nil, entries, file), 1)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	first := bytes.Count(text[:bytes.Index(text, []byte("selector: c1"))], []byte("\n")) + 1
	for _, args := range [][]string{{"serve"}, {"config", "validate"}} {
		complains(t, run(t, nil, append(args, "--config", config)...), 3, 3,
			fmt.Sprintf("%s:%d:27: channels.mail.email.dkim[0].key: has 1024 bits; RSA keys need 2048 at least", config, first),
			fmt.Sprintf("%s:%d:13: channels.mail.email.dkim[1].selector: ", config, first+1),
			fmt.Sprintf("%s:%d:30: channels.mail.email.dkim[1].key: not a PEM file", config, first+1))
	}
}
