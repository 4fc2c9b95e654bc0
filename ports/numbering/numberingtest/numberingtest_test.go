package numberingtest_test

import (
	"testing"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/ports/numbering/numberingtest"
)

func TestTheParserForTestsReadsEveryKind(t *testing.T) {
	p := numberingtest.Parser()
	for raw, want := range map[string]contact.Contact{
		"Ada@Example.com": {Kind: contact.Email, Value: "ada@example.com"},
		"+44 7400 123456": {Kind: contact.Phone, Value: "+447400123456"},
		"Ada_L":           {Kind: contact.Username, Value: "ada_l"},
	} {
		if got, err := p.Guess(raw, ""); err != nil || got != want {
			t.Errorf("%q: got %s %v", raw, got, err)
		}
	}
	if _, err := p.Phone("07400 123456", "GB"); err == nil {
		t.Error("a national number was taken without a plan for it")
	}
}
