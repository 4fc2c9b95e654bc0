package telegram

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// signed is what Telegram hands over: fields, and what makes them worth something.
type signed struct {
	fields map[string]string // as sent, without the hash
	hash   string            // hexadecimal, in either case
	app    bool              // a Mini App's, which is signed with another key
}

// The longest that is looked at: of the whole in bytes, and of the fields in number.
const (
	longest    = 8 << 10
	mostFields = 24
)

// read takes the fields out of a request. They are there themselves, or in
// auth_data; those of a Mini App are a query string in init_data.
func read(data json.RawMessage) (signed, bool) {
	var body map[string]json.RawMessage
	if len(data) > longest || json.Unmarshal(data, &body) != nil {
		return signed{}, false
	}
	nested, isNested := body["auth_data"]
	query, isApp := body["init_data"]
	switch {
	case isNested && isApp:
		return signed{}, false // one of them would go unseen
	case isApp:
		return readApp(query)
	case isNested:
		body = nil
		if json.Unmarshal(nested, &body) != nil {
			return signed{}, false
		}
	}
	s := signed{fields: map[string]string{}}
	for name, raw := range body {
		value, ok := scalar(raw)
		if !ok {
			return signed{}, false
		}
		s.fields[name] = value
	}
	return s.sound()
}

// readApp reads a Mini App's query string.
func readApp(raw json.RawMessage) (signed, bool) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return signed{}, false
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return signed{}, false
	}
	s := signed{fields: map[string]string{}, app: true}
	for name, all := range values {
		if len(all) != 1 {
			return signed{}, false
		}
		s.fields[name] = all[0]
	}
	return s.sound()
}

// whole is a number that is written the way that Telegram writes them.
var whole = regexp.MustCompile(`^-?[0-9]{1,18}$`)

// scalar is a text, or a whole number exactly as it was sent.
func scalar(raw json.RawMessage) (string, bool) {
	raw = bytes.TrimSpace(raw)
	if whole.Match(raw) {
		return string(raw), true
	}
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

var fieldName = regexp.MustCompile(`^[a-z_]{1,32}$`)

// sound takes the hash out, and refuses what would be signed alike if it were cut
// into fields elsewhere: names and values with the separators in them.
func (s signed) sound() (signed, bool) {
	s.hash = s.fields["hash"]
	delete(s.fields, "hash")
	if len(s.fields) > mostFields {
		return s, false
	}
	for name, value := range s.fields {
		if !fieldName.MatchString(name) || strings.ContainsAny(value, "\n\r\x00") {
			return s, false
		}
	}
	return s, true
}

// text is what is signed: a line for each field, in the order of their names.
func (s signed) text(without string) string {
	var lines []string
	for name, value := range s.fields {
		if name != without {
			lines = append(lines, name+"="+value)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// keys are made of a bot's token, one for each way in, so that what was signed for
// one of them is nothing to the other.
type keys struct {
	widget []byte // core.telegram.org/widgets/login-legacy
	app    []byte // core.telegram.org/bots/webapps
}

func keysOf(token string) keys {
	sum := sha256.Sum256([]byte(token))
	return keys{widget: sum[:], app: mac([]byte("WebAppData"), token)}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text)) // a hash takes everything
	return h.Sum(nil)
}

// signed reports, in constant time, whether the bot's token was used to sign it.
// A Mini App's field signature is Telegram's own, for those without the token;
// implementations differ on whether it is signed along, so either will do: we do
// not read it.
func (k keys) signed(s signed) bool {
	got, err := hex.DecodeString(s.hash)
	if err != nil || len(got) != sha256.Size {
		return false
	}
	if !s.app {
		return hmac.Equal(got, mac(k.widget, s.text("")))
	}
	all, without := hmac.Equal(got, mac(k.app, s.text(""))), hmac.Equal(got, mac(k.app, s.text("signature")))
	return all || without
}
