package channeltest

import (
	"reflect"
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/channel"
)

func TestFieldsThatBreakTheRulesAreNamed(t *testing.T) {
	for want, of := range map[string]any{
		"": struct {
			A string `json:"a_b2" doc:"It is."`
		}{},
		"A: no json tag": struct {
			A string `doc:"It is."`
		}{},
		"A: no sentence": struct {
			A string `json:"a" doc:"it"`
		}{},
		"A: a-b is not": struct {
			A string `json:"a-b" doc:"It is."`
		}{},
		"A: aB is not": struct {
			A string `json:"aB" doc:"It is."`
		}{},
		"A: looks like": struct {
			A string `json:"api_key" doc:"It is."`
		}{},
		"A: a secret needs": struct {
			A channel.Secret `json:"a" doc:"It is."`
		}{},
		"A.B: no json tag": struct {
			A []struct {
				B int `doc:"It is."`
			} `json:"a" doc:"It is."`
		}{},
	} {
		found := lint("", reflect.TypeOf(of))
		if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || !strings.HasPrefix(found[0], want)) {
			t.Errorf("found %q, want %q", found, want)
		}
	}
}
