package templates

import (
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign/ports/message"
)

// How much of a stranger's value is shown, in characters. Facts are never cut:
// what the reader does not see would be approved too.
const (
	longestBrand   = 64
	longestWhere   = 80
	longestSupport = 200
	longestCode    = 64
	longestHost    = 253  // RFC 1035, 2.3.4
	longestLink    = 2048 // bytes
)

// slack is rounded up when we say how long a code works, so that one which was
// made a moment ago still "works for 10 minutes".
const slack = 15 * time.Second

// view is what templates may use.
type view struct {
	Lang, Dir                          string // of the html element
	Brand, Host, Code                  string
	Subject, Preheader                 string // e-mail; Preheader is Life, When and Asked
	Sentence, NeverShare               string // SMS and chat; Sentence starts with the code
	Voice, Again                       string // the code letter by letter
	Intro, Life, Asked, Ignore         string // each a sentence, or empty if there is nothing to say
	Then, When                         string // of notices: what follows, and when it happened
	Link, LinkHint, LinkLabel          string
	Support, SupportLink, SupportLabel string // SupportLink is empty if Support is no address
	Facts                              []message.Fact
}

// newView checks the request and finds the words. No error holds a value.
func newView(b *bundle, r message.Request, plainSubject bool) (view, error) {
	if err := check(r); err != nil {
		return view{}, err
	}
	v := view{Lang: b.locale, Dir: b.dir, Host: r.Host, Code: r.Code, Link: r.Link}
	v.Brand = clean(r.Brand, longestBrand)
	if v.Brand == "" {
		v.Brand = r.Host
	}
	if v.Brand == "" {
		return view{}, errors.New("neither brand nor host given")
	}
	for _, f := range r.Facts {
		v.Facts = append(v.Facts, message.Fact{Label: clean(f.Label, 0), Value: clean(f.Value, 0)})
	}
	v.Support = clean(r.Support, longestSupport)
	v.SupportLink = supportLink(v.Support)
	if r.Kind != message.Code {
		v.tell(b.words, r)
		return v, nil
	}
	switch r.Form {
	case message.Email:
		v.mail(b.words, plainSubject)
	case message.Voice:
		v.spoken(b.words)
	case message.SMS, message.Chat: // the text is all there is
	}
	v.say(b.words, r)
	return v, nil
}

func (v *view) say(w words, r message.Request) {
	sentence := "sentence"
	if len(v.Facts) > 0 {
		sentence = "sentence.approve"
	}
	v.Sentence = w.say(sentence, "code", v.Code, "brand", v.Brand)
	v.NeverShare = w.say("never_share")
	intro := "intro." + string(r.Purpose)
	if _, ok := w.texts[intro]; !ok {
		intro = "intro.other"
	}
	v.Intro = w.say(intro, "brand", v.Brand)
	v.Life = life(w, r.Life)
	if where := clean(r.Where, longestWhere); where != "" && !linkish(where) {
		v.Asked = w.say("asked", "where", where)
	}
	v.Preheader = strings.TrimSpace(v.Life + " " + v.Asked)
	v.Ignore = w.say("ignore", "brand", v.Brand)
	v.LinkHint, v.LinkLabel = w.say("link.hint", "brand", v.Brand), w.say("link.label")
	v.SupportLabel = w.say("support")
}

func (v *view) mail(w words, plain bool) {
	subject := "subject"
	if plain {
		subject = "subject.plain"
	}
	v.Subject = w.say(subject, "code", v.Code, "brand", v.Brand)
}

func (v *view) spoken(w words) {
	spelled := strings.Join(strings.Split(v.Code, ""), ", ")
	v.Voice = w.say("voice", "spelled", spelled, "brand", v.Brand)
	v.Again = w.say("voice.again", "spelled", spelled)
}

// life says how long the code works, rounded down to whole minutes or, from
// two hours on, hours, and from two days on, days.
func life(w words, d time.Duration) string {
	switch rounded := d + slack; {
	case d <= 0:
		return ""
	case rounded < time.Minute:
		return w.say("life.short")
	case rounded < 2*time.Hour:
		return w.counted("life.minutes", int(rounded/time.Minute))
	case rounded < 48*time.Hour:
		return w.counted("life.hours", int(rounded/time.Hour))
	default:
		return w.counted("life.days", int(rounded/(24*time.Hour)))
	}
}

// check refuses what would break a message or the line that autofill reads.
func check(r message.Request) error {
	if err := checkKind(r); err != nil {
		return err
	}
	if r.Host != "" && !isHost(r.Host) {
		return errors.New("the host is not a domain name")
	}
	if r.Link != "" && !isLink(r.Link) {
		return errors.New("the link is not an absolute http or https URL")
	}
	return nil
}

func checkKind(r message.Request) error {
	if r.Kind != message.Code {
		return checkNotice(r)
	}
	if r.Code == "" || len(r.Code) > longestCode || !utf8.ValidString(r.Code) || strings.ContainsFunc(r.Code, notGraphic) {
		return errors.New("the code is empty, too long or has characters that cannot be typed")
	}
	return nil
}

func notGraphic(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }

// isHost accepts letters, digits and inner hyphens between dots; international
// names come in their ASCII form.
func isHost(s string) bool {
	if len(s) > longestHost {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}

func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		len(s) <= longestLink && !strings.ContainsFunc(s, notGraphic)
}

// supportLink makes what an operator calls support clickable, if it can be.
func supportLink(s string) string {
	if strings.ContainsFunc(s, notGraphic) {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return ""
	case isLink(s), u.Scheme == "mailto": // html/template lets nothing else through
		return s
	case u.Scheme == "" && strings.Count(s, "@") == 1 && !strings.ContainsAny(s, "/?#"):
		return "mailto:" + s
	}
	return ""
}

// clean makes one line of text: white space and control characters become
// single spaces, characters that reorder or hide text go away. Zero for most
// means any length.
func clean(s string, most int) string {
	if plain(s) && (most == 0 || len(s) <= most) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) && r != '\u00a0' && r != '\u202f', unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\u200b', r == '\u2060', r == '\ufeff':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Trim(s, " ")
	if most == 0 {
		return s
	}
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most-1]) + "…"
	}
	return s
}

// plain reports whether every byte is printable ASCII and no space is at an end.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && (i == 0 || i == len(s)-1) {
			return false
		}
	}
	return true
}

// linkish reports whether mail programs might make a link of the text. It is
// asked of values that come with a request and need no link: a user agent.
func linkish(s string) bool {
	if strings.Contains(s, "://") || strings.Contains(s, "@") {
		return true
	}
	runes := []rune(s)
	for i := 1; i+1 < len(runes); i++ {
		if runes[i] == '.' && !unicode.IsSpace(runes[i-1]) && unicode.IsLetter(runes[i+1]) {
			return true
		}
	}
	return false
}
