package remote

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
	"github.com/countersign/countersign/ports/signature"
)

// The version of the protocol, and the header that says it. Each side refuses what
// it does not know.
const (
	Header  = "Channel-API"
	Version = "1"
)

// line is the way to the other side. It is safe for concurrent use.
type line struct {
	cfg  Config
	keys []signature.Key
	env  channel.Env
}

// ask makes one request, and reads an answer that is signed and belongs to it.
func (l line) ask(ctx context.Context, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return errors.New("write to the remote channel: what is to be said has no form in JSON") // the error may quote it
	}
	id, err := newID(l.env.Random)
	if err != nil {
		return err
	}
	head := signature.Sign(l.keys, id, body, l.env.Now())
	head.Set(Header, Version)
	a, err := provider.Ask(ctx, l.env.HTTP, provider.Question{Method: http.MethodPost, URL: l.cfg.URL + path, JSON: body, Header: head})
	switch {
	case err != nil:
		return err
	case a.Err != nil:
		return a.Err
	case a.Status == http.StatusGone:
		return fmt.Errorf("%w: the remote channel says so", channel.ErrUndeliverable)
	case a.Status != http.StatusOK:
		return fmt.Errorf("%w: HTTP status %d", channel.ErrRefused, a.Status)
	case a.Header.Get(Header) != Version:
		return fmt.Errorf("%w: the remote channel does not speak version %s", channel.ErrRefused, Version)
	case a.Header.Get(signature.ID) != id || signature.Verify(l.cfg.Secret.Reveal(), a.Header, a.Body, l.env.Now()) != nil:
		return fmt.Errorf("%w: the answer is not signed by the remote channel, or is none to this", channel.ErrRefused)
	case json.Unmarshal(a.Body, answer) != nil:
		return fmt.Errorf("%w: the remote channel talks nonsense", channel.ErrRefused)
	}
	return nil
}

// newID names a request.
func newID(random io.Reader) (string, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("name a request: %w", err)
	}
	return "msg_" + base64.RawURLEncoding.EncodeToString(raw), nil
}
