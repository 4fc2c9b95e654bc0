package templates

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/message"
)

// anyNotice is the layout of every notice that has none of its own.
const anyNotice message.Kind = "notice"

// named is the sentence that is said when there is a name to say.
const named = "named"

// longestName is how much of a name is shown, in characters.
const longestName = 80

// notice says which of its data a notice puts into words, and how.
type notice struct {
	value  string   // shown in the sentence; without it, the sentence that needs none is said
	choice string   // says which sentence; empty: the one for names
	cases  []string // what choice may be; each is a sentence
	masked bool     // value is masked by us, and no name that a stranger chose
	count  string   // a number, said in a sentence of its own
	then   bool     // a sentence says what follows
	link   bool     // a link answers
}

func noticeOf(k message.Kind) notice {
	switch k {
	case message.SignUpAttempt, message.PasswordChanged:
		return notice{then: true}
	case message.Invitation:
		return notice{value: "inviter", cases: []string{named}, link: true}
	case message.IdentifierChanged:
		return notice{value: "value", choice: "kind", cases: []string{"email", "phone", "username"}, masked: true}
	case message.TwoFactorChanged:
		return notice{choice: "required", cases: []string{"yes", "no"}}
	case message.DeviceAdded, message.DeviceRemoved, message.DeviceLocked:
		return notice{value: "name", cases: []string{named}}
	case message.SessionCopied:
		return notice{value: "client", cases: []string{named}}
	case message.RecoveryUsed:
		return notice{count: "left"}
	default:
		return notice{}
	}
}

// noticeRules names the sentences of notices; see rules.
func noticeRules() map[string]rule {
	brand := rule{must: []string{"brand"}}
	all := map[string]rule{
		"notice.when": {must: []string{"day", "month", "year", "time"}}, "notice.from": {must: []string{"where"}},
		"notice.accept.hint": {may: brand.must}, "notice.accept.label": {},
	}
	for m := time.January; m <= time.December; m++ {
		all[month(m)] = rule{}
	}
	for _, k := range message.Notices() {
		n, key := noticeOf(k), "notice."+string(k)
		all[key+".subject"], all[key+".text"], all[key+".do"] = brand, brand, rule{may: brand.must}
		for _, one := range n.cases {
			r := rule{must: []string{"brand"}}
			if n.value != "" {
				r.must = append(r.must, n.value)
			}
			all[key+".text."+one] = r
		}
		if n.count != "" {
			all[key+"."+n.count] = rule{must: []string{"count"}, plural: true}
		}
		if n.then {
			all[key+".then"] = rule{may: brand.must}
		}
	}
	return all
}

func month(m time.Month) string { return "month." + strconv.Itoa(int(m)) }

// tell puts a notice into words.
func (v *view) tell(w words, r message.Request) {
	n, key := noticeOf(r.Kind), "notice."+string(r.Kind)
	if r.Form == message.Email {
		v.Subject = w.say(key+".subject", "brand", v.Brand)
	}
	v.Intro = n.text(w, key, v.Brand, r)
	switch left, err := strconv.Atoi(r.Data[n.count]); {
	case n.then:
		v.Then = w.say(key+".then", "brand", v.Brand)
	case n.count != "" && err == nil && left >= 0:
		v.Then = w.counted(key+"."+n.count, left)
	}
	v.Life = life(w, r.Life)
	if !n.link { // what can be answered has not happened yet
		v.happened(w, r)
	}
	v.Preheader = strings.Join(slices.DeleteFunc([]string{v.Life, v.When, v.Asked}, func(s string) bool { return s == "" }), " ")
	v.Ignore = w.say(key+".do", "brand", v.Brand)
	v.LinkHint, v.LinkLabel = w.say("notice.accept.hint", "brand", v.Brand), w.say("notice.accept.label")
	v.SupportLabel = w.say("support")
}

func (v *view) happened(w words, r message.Request) {
	if at := r.At.UTC(); !at.IsZero() {
		v.When = w.say("notice.when", "day", strconv.Itoa(at.Day()), "month", w.say(month(at.Month())),
			"year", strconv.Itoa(at.Year()), "time", at.Format("15:04"))
	}
	if where := clean(r.Where, longestWhere); where != "" && !linkish(where) {
		v.Asked = w.say("notice.from", "where", where)
	}
}

// text is the sentence that says what has happened. A name that mail programs
// might make a link of is left out: strangers choose it, and others read it.
func (n notice) text(w words, key, brand string, r message.Request) string {
	value := clean(r.Data[n.value], longestName)
	if !n.masked && linkish(value) {
		value = ""
	}
	if r.Form == message.SMS {
		value = strings.ReplaceAll(value, "•", "*") // a dot would more than halve what fits
	}
	one := cmp.Or(r.Data[n.choice], named)
	if n.value != "" && value == "" || !slices.Contains(n.cases, one) {
		return w.say(key+".text", "brand", brand)
	}
	return w.say(key+".text."+one, "brand", brand, n.value, value)
}

// checkNotice refuses what belongs to codes.
func checkNotice(r message.Request) error {
	switch {
	case r.Code != "":
		return errors.New("a notice has no code")
	case r.Link != "" && !noticeOf(r.Kind).link:
		return errors.New("this notice has no link")
	}
	return nil
}
