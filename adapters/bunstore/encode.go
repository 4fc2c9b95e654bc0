package bunstore

import (
	"encoding/json"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/store"
)

// address is a contact as it is stored: contacts encode themselves as their
// masks, from which there is no way back.
type address struct {
	Kind  contact.Kind `json:"kind"`
	Value string       `json:"value"`
}

func fromContact(c contact.Contact) address { return address{Kind: c.Kind, Value: c.Value} }

func (a address) domain() contact.Contact { return contact.Contact{Kind: a.Kind, Value: a.Value} }

// encode writes what always can be written as JSON: strings, bytes, numbers.
func encode(v any) string {
	out, _ := json.Marshal(v) // see above
	return string(out)
}

// decode reads what encode wrote; "" stands for nothing.
func decode[T any](s string) *T {
	if s == "" {
		return nil
	}
	var v T
	_ = json.Unmarshal([]byte(s), &v) // written by encode
	return &v
}

func encodeExtra(e challenge.Extra) string {
	if e.IsZero() {
		return ""
	}
	return encode(e)
}

func decodeExtra(s string) challenge.Extra {
	if e := decode[challenge.Extra](s); e != nil {
		return *e
	}
	return challenge.Extra{}
}

// notice is a store.Notice as it is stored.
type notice struct {
	Kind   string            `json:"kind"`
	To     address           `json:"to"`
	Locale string            `json:"locale,omitempty"`
	At     int64             `json:"at,omitempty"`
	Client string            `json:"client,omitempty"`
	Ref    string            `json:"ref,omitempty"`
	Data   map[string]string `json:"data,omitempty"`
}

func encodeNotice(n *store.Notice) string {
	if n == nil {
		return ""
	}
	return encode(notice{Kind: n.Kind, To: fromContact(n.To), Locale: n.Locale, At: micros(n.At), Client: n.Client, Ref: n.Ref, Data: n.Data})
}

func decodeNotice(s string) *store.Notice {
	n := decode[notice](s)
	if n == nil {
		return nil
	}
	return &store.Notice{Kind: n.Kind, To: n.To.domain(), Locale: n.Locale, At: moment(n.At), Client: n.Client, Ref: n.Ref, Data: n.Data}
}

// draft is a session.Draft as it is stored.
type draft struct {
	session.Draft

	Proven []address `json:"proven,omitempty"`
}

func encodeDraft(d *session.Draft) string {
	if d == nil {
		return ""
	}
	out := draft{Draft: *d}
	for _, c := range d.Proven {
		out.Proven = append(out.Proven, fromContact(c))
	}
	return encode(out)
}

func decodeDraft(s string) *session.Draft {
	in := decode[draft](s)
	if in == nil {
		return nil
	}
	out := in.Draft
	for _, a := range in.Proven {
		out.Proven = append(out.Proven, a.domain())
	}
	return &out
}

func encodeScopes(all []apikey.Scope) string {
	if len(all) == 0 {
		return ""
	}
	return encode(all)
}

func decodeScopes(s string) []apikey.Scope {
	if all := decode[[]apikey.Scope](s); all != nil {
		return *all
	}
	return nil
}
