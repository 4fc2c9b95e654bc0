package recovery_test

import (
	"crypto/rand"
	"regexp"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/plugins/recovery"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// person keeps the last sheet and uses its codes from the top.
type person struct {
	mu    sync.Mutex // guards codes
	codes []string
}

func (p *person) respond(tb testing.TB, s channeltest.Scene) channel.Response {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(s.Prompt.Show) > 0 {
		p.codes = s.Prompt.Show
	}
	if len(p.codes) == 0 {
		tb.Fatal("the sheet is used up")
	}
	code := p.codes[0]
	p.codes = p.codes[1:]
	return channel.Response{Code: code}
}

func suite() channeltest.Suite {
	return channeltest.Suite{
		Plugin: recovery.Plugin(), Respond: new(person).respond,
		Lie: func(testing.TB, channeltest.Scene) channel.Response {
			return channel.Response{Code: "0000-0000-0000-0000"}
		},
	}
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite()) }

func FuzzVerify(f *testing.F) { channeltest.FuzzVerify(f, suite()) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, recovery.Plugin()) }

func open(tb testing.TB) channel.Channel {
	tb.Helper()
	ch, err := recovery.Plugin().Open(tb.Context(), channeltest.Decoder(""), channel.Env{Random: rand.Reader})
	if err != nil {
		tb.Fatal(err)
	}
	return ch
}

func issue(tb testing.TB, ch channel.Channel) channel.Opening {
	tb.Helper()
	o, err := ch.Begin(tb.Context(), channel.Challenge{Purpose: channel.Enroll})
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

func use(tb testing.TB, ch channel.Channel, cred channel.Credential, code string) channel.Verdict {
	tb.Helper()
	v, err := ch.Verify(tb.Context(), channel.Challenge{Purpose: channel.Authenticate, Credential: cred}, nil, channel.Response{Code: code})
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func TestSheetIsTenDifferentCodesThatCanBeReadAloud(t *testing.T) {
	o := issue(t, open(t))
	seen := map[string]bool{}
	for _, code := range o.Prompt.Show {
		if !regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$`).MatchString(code) {
			t.Errorf("%q", code)
		}
		seen[code] = true
		if strings.Contains(string(o.Credential), strings.ReplaceAll(code, "-", "")) {
			t.Error("a code is stored")
		}
	}
	if len(seen) != 10 || string(o.State) != string(o.Credential) {
		t.Errorf("%d different codes", len(seen))
	}
}

func TestEveryCodeWorksOnceInAnyOrder(t *testing.T) {
	ch := open(t)
	counter, ok := channel.As[channel.Counter](ch)
	if !ok {
		t.Fatal("nobody counts")
	}
	rapid.Check(t, func(rt *rapid.T) {
		o := issue(t, ch)
		cred := o.Credential
		for used, code := range rapid.Permutation(o.Prompt.Show).Draw(rt, "order") {
			if left := counter.Remaining(cred); left != 10-used {
				rt.Fatalf("%d codes are left after %d uses", left, used)
			}
			v := use(t, ch, cred, code)
			if v.Outcome != channel.Verified {
				rt.Fatalf("code number %d was %s", used, v.Outcome)
			}
			cred = v.Credential
			if again := use(t, ch, cred, code); again.Outcome != channel.Rejected {
				rt.Fatalf("a used code was %s", again.Outcome)
			}
		}
		if counter.Remaining(cred) != 0 {
			rt.Fatal("an empty sheet has codes left")
		}
	})
}

func TestCodesMayBeTypedAsPeopleType(t *testing.T) {
	ch := open(t)
	o := issue(t, ch)
	code := o.Prompt.Show[0]
	for name, typed := range map[string]string{
		"lower case": strings.ToLower(code), "no hyphens": strings.ReplaceAll(code, "-", ""), "spaces": " " + strings.ReplaceAll(code, "-", " ") + " ",
		"letters for digits": strings.NewReplacer("0", "o", "1", "l").Replace(code), "capital letters for digits": strings.NewReplacer("0", "O", "1", "I").Replace(code),
	} {
		if v := use(t, ch, o.Credential, typed); v.Outcome != channel.Verified {
			t.Errorf("%s: %s", name, v.Outcome)
		}
	}
	for name, typed := range map[string]string{
		"too short": code[1:], "too long": code + "0", "a U": "U" + code[1:], "the stored form": string(o.Credential), "nothing": "", "hyphens": strings.Repeat("-", 500) + code,
	} {
		if v := use(t, ch, o.Credential, typed); v.Outcome != channel.Rejected {
			t.Errorf("%s: %s", name, v.Outcome)
		}
	}
}

func TestStoredHashIsNoCode(t *testing.T) {
	ch := open(t)
	o := issue(t, ch)
	for part := range strings.SplitSeq(string(o.Credential), `"`) {
		if v := use(t, ch, o.Credential, part); v.Outcome != channel.Rejected {
			t.Errorf("%q opens the door", part)
		}
	}
}

func TestConfirmingThatTheSheetWasKeptUsesACode(t *testing.T) {
	ch := open(t)
	o := issue(t, ch)
	v, err := ch.Verify(t.Context(), channel.Challenge{Purpose: channel.Enroll}, o.State, channel.Response{Code: o.Prompt.Show[3]})
	if err != nil || v.Outcome != channel.Verified {
		t.Fatalf("%+v, %v", v, err)
	}
	if again := use(t, ch, v.Credential, o.Prompt.Show[3]); again.Outcome != channel.Rejected {
		t.Error("the code can be used again")
	}
}
