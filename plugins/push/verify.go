package push

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/signature"
)

// What a phone may say is bounded.
const (
	mostBody = 16 << 10 // bytes
	mostTo   = 4 << 10  // bytes: the tokens of push services
)

// The answers of a phone.
const (
	pair    = "pair"
	approve = "approve"
	deny    = "deny"
)

// answer is the body that a phone posts, signed with its pairing key.
type answer struct {
	Handle string `json:"handle"`
	Device string `json:"device"`
	Answer string `json:"answer"`
	Number string `json:"number"` // as typed; with "approve"
	To     string `json:"to"`     // what the gateway calls the phone; with "pair"
}

// signed is an answer on its way to Verify, which knows the phone's key.
type signed struct {
	ID        string `json:"id"`
	Timestamp string `json:"timestamp"`
	Signature string `json:"signature"`
	Body      string `json:"body"`
}

// Receive reads what a phone posts. Who has signed it only the credential tells,
// so Verify looks at the signature; what is not signed at all, or by its own words
// not now, gets no further. The challenge's handle is a secret between us, whoever
// asked, and the phone.
func (b bell) Receive(_ context.Context, in channel.Inbound) (string, channel.Response, error) {
	h := http.Header{}
	for name, values := range in.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	s := signed{ID: h.Get(signature.ID), Timestamp: h.Get(signature.Timestamp), Signature: h.Get(signature.Signature), Body: string(in.Body)}
	var a answer
	switch err := json.Unmarshal(in.Body, &a); {
	case in.Method != http.MethodPost, err != nil, a.Handle == "", len(in.Body) > mostBody, !utf8.Valid(in.Body):
		return "", channel.Response{}, fmt.Errorf("%w: it is no answer of a phone", channel.ErrForged)
	}
	// Under a key that nobody has, all that can be right is the form and the time.
	if err := signature.Verify(nobody, h, in.Body, b.env.Now()); !errors.Is(err, signature.ErrSignature) {
		return "", channel.Response{}, fmt.Errorf("%w: it is not signed, or not now", channel.ErrForged)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return "", channel.Response{}, fmt.Errorf("pass the answer on: %w", err)
	}
	return a.Handle, channel.Response{Data: data}, nil
}

// nobody is a key for looking at the rest of a signature.
const nobody = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// Verify judges what a phone has said. Until it says something, all is pending.
func (b bell) Verify(ctx context.Context, c channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	if err := ctx.Err(); err != nil {
		return channel.Verdict{}, err
	}
	known := []byte(c.Credential)
	var q question
	if c.Purpose == channel.Enroll {
		known = s
	} else if err := json.Unmarshal(s, &q); err != nil || q.Number == "" {
		return channel.Verdict{}, errors.New("stored number is unreadable")
	}
	p, err := read(known)
	if err != nil {
		return channel.Verdict{}, err
	}
	if r.Code == "" && len(r.Data) == 0 {
		return channel.Verdict{Outcome: channel.Pending}, nil
	}
	a, id, ok := b.open(p, r.Data)
	if !ok || a.Handle != c.Handle || a.Device != p.Name {
		return channel.Reject(channel.Mismatch), nil
	}
	said := channel.Verdict{Outcome: channel.Verified, Ref: p.Name, OnceKey: p.Name + " " + id}
	switch {
	case a.Answer == deny:
		return channel.Reject(channel.Denied), nil
	case c.Purpose == channel.Enroll && a.Answer == pair && a.To != "" && len(a.To) <= mostTo:
		p.To = a.To
		said.Credential, err = json.Marshal(p)
		return said, err
	case c.Purpose != channel.Enroll && a.Answer == approve && subtle.ConstantTimeCompare([]byte(a.Number), []byte(q.Number)) == 1:
		return said, nil
	}
	return channel.Reject(channel.Mismatch), nil
}

// open checks who has said it and when.
func (b bell) open(p phone, data []byte) (a answer, id string, ok bool) {
	var s signed
	if len(data) > 2*mostBody || json.Unmarshal(data, &s) != nil {
		return a, "", false
	}
	h := http.Header{signature.ID: {s.ID}, signature.Timestamp: {s.Timestamp}, signature.Signature: {s.Signature}}
	if signature.Verify(p.secret(), h, []byte(s.Body), b.env.Now()) != nil || json.Unmarshal([]byte(s.Body), &a) != nil {
		return a, "", false
	}
	return a, s.ID, true
}
