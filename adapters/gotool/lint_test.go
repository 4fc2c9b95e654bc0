package gotool

import (
	"strings"
	"testing"
)

func TestWhatTestsSayIsMadePlain(t *testing.T) {
	for said, want := range map[string]string{
		"docs.go:49: CONFIG.md is not what the struct says: run go test -run TestDocs -update .": "CONFIG.md is not what the struct says: countersign plugin lint --fix writes it",
		"rig.go:7: begin: it broke": "begin: it broke", "begin: it broke": "begin: it broke", "see x.go:7: it broke": "see x.go:7: it broke", "": "",
	} {
		if got := plain(said); got != want {
			t.Errorf("%q became %q", said, got)
		}
	}
}

func TestWhatGoTestSaysIsPutIntoWords(t *testing.T) {
	var told []Behaviour
	h := hearing{said: map[string][]string{}, parents: map[string]bool{}, tell: func(b Behaviour) { told = append(told, b) }}
	err := h.listen(strings.NewReader(strings.Join([]string{
		`{"Action":"run","Test":"TestC"}`, `{"Action":"run","Test":"TestC/enroll_and_authenticate"}`,
		`{"Action":"pass","Test":"TestC/enroll_and_authenticate"}`,
		`{"Action":"run","Test":"TestC/when_the_provider"}`, `{"Action":"run","Test":"TestC/when_the_provider/hangs"}`,
		`{"Action":"output","Test":"TestC/when_the_provider/hangs","Output":"    provider.go:9: wrong error: late: x\n"}`,
		`{"Action":"output","Test":"TestC/when_the_provider/hangs","Output":"--- FAIL: TestC\n"}`,
		`{"Action":"fail","Test":"TestC/when_the_provider/hangs"}`, `{"Action":"fail","Test":"TestC/when_the_provider"}`,
		`{"Action":"run","Test":"TestC/garbage"}`, `{"Action":"output","Test":"TestC/garbage","Output":"calls.go:1: no callback\n"}`,
		`{"Action":"skip","Test":"TestC/garbage"}`, `{"Action":"fail","Test":"TestC"}`,
		`{"Action":"run","Test":"FuzzX"}`, `{"Action":"run","Test":"FuzzX/seed#0"}`, `{"Action":"pass","Test":"FuzzX/seed#0"}`, `{"Action":"pass","Test":"FuzzX"}`,
		"not JSON",
	}, "\n")))
	if err != nil || !h.kit || h.rest.String() != "not JSON\n" {
		t.Errorf("%v, kit %t, rest %q", err, h.kit, h.rest.String())
	}
	want := []Behaviour{
		{Name: "enroll and authenticate", Outcome: OK}, {Name: "when the provider hangs", Outcome: Failed, Said: []string{"wrong error: late: x"}},
		{Name: "garbage", Outcome: Left, Said: []string{"no callback"}}, {Name: "FuzzX", Outcome: OK},
	}
	if len(told) != len(want) {
		t.Fatalf("told %+v", told)
	}
	for i, b := range want {
		if told[i].Name != b.Name || told[i].Outcome != b.Outcome || strings.Join(told[i].Said, "|") != strings.Join(b.Said, "|") {
			t.Errorf("told %+v, want %+v", told[i], b)
		}
	}
}
