package app

import "testing"

func TestCarriersReportWhereTheyCanReachUs(t *testing.T) {
	for public, want := range map[string]string{
		"https://login.example.com":  "https://login.example.com/receipts/sms",
		"https://login.example.com/": "https://login.example.com/receipts/sms",
		"http://localhost:8080":      "",
		"":                           "",
	} {
		if got := (Loaded{Config: Config{PublicURL: public}}).receipts("sms"); got != want {
			t.Errorf("%q: %q, want %q", public, got, want)
		}
	}
}
