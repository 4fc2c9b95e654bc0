package httpsender

import (
	"crypto/subtle"
	"fmt"
	"net/http"

	"github.com/countersign/countersign/ports/channel"
)

// longestAnswer is how much of a question is echoed at most, in bytes.
const longestAnswer = 256

// Greet answers a provider that asks whether the address for reports is ours, in
// the recipe's way.
func (t *tracked) Greet(in channel.Inbound) (string, error) {
	g := t.recipe.Receipts.Greeting
	if g == nil || in.Method != http.MethodGet {
		return "", nil
	}
	r, err := report{Inbound: in}.flatten(in.Query)
	if err != nil {
		return "", err
	}
	all, _ := r.fields.(map[string]any)
	field := func(name string) string { text, _ := all[name].(string); return text }
	for name, m := range g.When {
		if !m.has([]string{field(name)}) {
			return "", nil
		}
	}
	agreed, err := g.Key.fill(t.settings())
	if err != nil || agreed == "" {
		return "", fmt.Errorf("%w: what was agreed with %s is not configured", channel.ErrForged, t.recipe.Name)
	}
	if subtle.ConstantTimeCompare([]byte(field(g.Token)), []byte(agreed)) != 1 {
		return "", fmt.Errorf("%w: it does not know what was agreed", channel.ErrForged)
	}
	answer := field(g.Answer)
	if answer == "" || len(answer) > longestAnswer || !plain(answer) {
		return "", fmt.Errorf("%w: there is no answer to that", channel.ErrForged)
	}
	return answer, nil
}

var _ channel.Greeter = (*tracked)(nil)
