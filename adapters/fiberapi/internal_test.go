package fiberapi

import (
	"strings"
	"testing"
)

func TestAgentsAreDescribedInWords(t *testing.T) {
	for header, want := range map[string]string{
		"": "",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0":                                                        "Firefox on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0":               "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":        "Samsung Internet on Android",
		"curl/8.5.0":                "curl",
		"visit http://evil.example": "",
		"<b>Windows</b>\r\nX: y":    "a browser on Windows",
	} {
		got := describeAgent(header)
		if got != want || len(got) > 60 {
			t.Errorf("%q is described as %q, want %q", header, got, want)
		}
	}
}

func TestEveryFaultIsExplainedWithItsStatus(t *testing.T) {
	known := map[string]int{}
	for _, p := range explained() {
		if known[p.Code] != 0 || p.Meaning == "" || p.Do == "" {
			t.Errorf("%s is explained twice or not at all", p.Code)
		}
		known[p.Code] = p.Status
	}
	used := map[string]bool{"not_ready": true}
	for _, o := range (&API{}).table() {
		for status, codes := range refusals(o) {
			for _, code := range codes {
				used[code] = true
				if known[code] != status {
					t.Errorf("%s %s: %s has status %d, but is explained with %d", o.method, o.path, code, status, known[code])
				}
			}
		}
	}
	for code := range known {
		if !used[code] {
			t.Errorf("%s is explained, but never answered", code)
		}
	}
}

func FuzzAgent(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64) Firefox/1")
	f.Fuzz(func(t *testing.T, header string) {
		got := describeAgent(header)
		if len(got) > 60 || strings.ContainsAny(got, "\r\n<>/:@") {
			t.Errorf("%q is described as %q", header, got)
		}
	})
}
