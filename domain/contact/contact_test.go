package contact_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/domain/contact"
)

func TestMasksShowEnoughForTheOwnerOnly(t *testing.T) {
	for _, c := range []struct {
		contact contact.Contact
		want    string
	}{
		{contact.Contact{Kind: contact.Email, Value: "ada@example.com"}, "a••@example.com"},
		{contact.Contact{Kind: contact.Email, Value: "ab@example.com"}, "a••@example.com"},
		{contact.Contact{Kind: contact.Email, Value: "a@example.com"}, "•••@example.com"},
		{contact.Contact{Kind: contact.Email, Value: "no address"}, "••••"},
		{contact.Contact{Kind: contact.Phone, Value: "+447400123489"}, "+44 •••• ••• 89"},
		{contact.Contact{Kind: contact.Phone, Value: "+12015550123"}, "+1 •••• ••• 23"},
		{contact.Contact{Kind: contact.Phone, Value: "+79161234567"}, "+7 •••• ••• 67"},
		{contact.Contact{Kind: contact.Phone, Value: "+27821234567"}, "+27 •••• ••• 67"},
		{contact.Contact{Kind: contact.Phone, Value: "+353850123456"}, "+353 •••• ••• 56"},
		{contact.Contact{Kind: contact.Phone, Value: "+886912345678"}, "+886 •••• ••• 78"},
		{contact.Contact{Kind: contact.Phone, Value: "112"}, "••••"},
		{contact.Contact{Kind: contact.Username, Value: "ada_l"}, "a••"},
		{contact.Contact{Kind: contact.Username, Value: "a"}, "•••"},
		{contact.Contact{Kind: "pigeon", Value: "roof 3"}, "••••"},
		{contact.Contact{}, ""},
	} {
		if got := c.contact.Mask(); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.contact.Kind, c.contact.Value, got, c.want)
		}
	}
}

func TestNoWayOfPrintingShowsTheValue(t *testing.T) {
	type user struct {
		Main  contact.Contact
		Spare *contact.Contact
	}
	c := contact.Contact{Kind: contact.Email, Value: "secret.person@example.com"}
	u := user{Main: c, Spare: &c}
	encoded, err := json.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%s %v %+v %#v %q", c, u, u, u.Main, c), string(encoded)} {
		if strings.Contains(text, "secret") || !strings.Contains(text, "s••@example.com") {
			t.Errorf("printed as %s", text)
		}
	}
	if err := json.Unmarshal(encoded, &user{}); err == nil {
		t.Error("a mask was decoded as if it were a contact")
	}
}

func TestOnlyTheZeroContactIsZero(t *testing.T) {
	if !(contact.Contact{}).IsZero() || (contact.Contact{Kind: contact.Email}).IsZero() || (contact.Contact{Value: "x"}).IsZero() {
		t.Error("IsZero must mean that both parts are empty")
	}
}

func TestMasksOfNamesHideAllButOneLetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		local := rapid.StringMatching(`[a-z0-9]{2,40}`).Draw(t, "local")
		mail := contact.Contact{Kind: contact.Email, Value: local + "@example.com"}.Mask()
		name := contact.Contact{Kind: contact.Username, Value: local}.Mask()
		if want := local[:1] + "••"; mail != want+"@example.com" || name != want {
			t.Fatalf("%q became %q and %q", local, mail, name)
		}
	})
}

func TestMasksOfNumbersShowTheCountryAndTwoDigits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`\+[1-9][0-9]{6,14}`).Draw(t, "number")
		country, rest, ok := strings.Cut(contact.Contact{Kind: contact.Phone, Value: number}.Mask(), " •••• ••• ")
		if !ok || len(country) < 2 || len(country) > 4 || !strings.HasPrefix(number, country) || rest != number[len(number)-2:] {
			t.Fatalf("%q shows %q and %q", number, country, rest)
		}
	})
}

func TestARangeIsANumberWithoutItsEnd(t *testing.T) {
	for in, want := range map[contact.Contact]string{
		{Kind: contact.Phone, Value: "+447400123456"}: "+44740012", {Kind: contact.Phone, Value: "+1234"}: "", {Kind: contact.Phone, Value: "+12345"}: "+1",
		{Kind: contact.Email, Value: "ada@example.com"}: "", {}: "",
	} {
		if got := in.Range(); got != want {
			t.Errorf("the range of %v is %q, want %q", in, got, want)
		}
	}
}
