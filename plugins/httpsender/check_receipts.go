package httpsender

import (
	"slices"
	"strings"
)

func (d *decoder) checkReceipts(r *recipe) {
	q := r.Receipts
	if q == nil {
		return
	}
	if q.Content == "" || q.ID.Field == "" {
		d.add(q.At, "receipts: content, signature and id are required")
	}
	if !slices.ContainsFunc(q.Outcomes, func(o outcome) bool { return o.Outcome == "delivered" }) {
		d.add(q.At, "receipts.outcomes: one has to be delivered")
	}
	for _, o := range q.Outcomes {
		if o.Outcome == "" || len(o.Fields) == 0 {
			d.add(o.At, "receipts.outcomes: fields and outcome are required")
		}
		for at, m := range o.Fields {
			d.checkMatch(o.At, at, m)
		}
	}
	d.checkSignature(r, q.Signature)
	d.checkGreeting(r, q.Greeting)
}

func (d *decoder) checkGreeting(r *recipe, g *greeting) {
	if g == nil {
		return
	}
	if len(g.When) == 0 || g.Token == "" || g.Answer == "" {
		d.add(g.At, "receipts.greeting: when, token, key and answer are required")
	}
	for at, m := range g.When {
		d.checkMatch(g.At, at, m)
	}
	d.onlyParams(r, []text{g.Key})
}

func (d *decoder) checkSignature(r *recipe, s signature) {
	n := 0
	var keys, parts []text
	if s.Basic != nil {
		n++
		keys = append(keys, s.Basic.Username, s.Basic.Password)
	}
	if m := s.HMAC; m != nil {
		n++
		keys, parts = append(keys, m.Key), append(parts, m.Over, m.Value)
		if m.Hash == "" || m.Encoding == "" {
			d.add(s.At, "hmac: hash and encoding are required")
		}
	}
	for _, k := range []*keyed{s.ECDSA, s.Ed25519} {
		if k != nil {
			n++
			keys, parts = append(keys, k.Key), append(parts, k.Over, k.Value)
		}
	}
	if s.JWT != nil {
		n++
		keys = append(keys, s.JWT.Key)
	}
	if s.SNS != nil {
		n++
		keys = append(keys, s.SNS.Topic)
	}
	if s.Fresh != nil {
		parts = append(parts, s.Fresh.Value)
		if s.Fresh.Within == 0 {
			d.add(s.At, "fresh: within is required")
		}
	}
	if n != 1 {
		d.add(s.At, "receipts.signature: exactly one scheme is required")
	}
	d.onlyParams(r, keys)
	d.onlyParts(s.At, parts)
}

// onlyParts is for templates of what is signed.
func (d *decoder) onlyParts(at position, parts []text) {
	for _, t := range parts {
		if len(t.parts) == 0 {
			d.add(at, "receipts.signature: a part of the scheme is missing")
		}
		for _, p := range t.parts {
			known := slices.Contains([]string{"", "body", "url", "form"}, p.name) ||
				strings.HasPrefix(p.name, "header.") || strings.HasPrefix(p.name, "field.")
			if !known || len(p.pipes) > 0 || p.lax > 0 {
				d.add(t.at, "{%s}: there are body, url, form, header.Name and field.path, as they are", p.name)
			}
		}
	}
}
