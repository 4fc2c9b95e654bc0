package fiberapi

import "strings"

// word is how one part of a User-Agent is called.
type word struct{ mark, name string }

// Browsers and systems, the more telling mark first: most browsers also claim
// to be the older ones, for the sake of old servers.
var (
	browsers = []word{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser", "Samsung Internet"}, {"Vivaldi", "Vivaldi"},
		{"YaBrowser", "Yandex Browser"}, {"DuckDuckGo", "DuckDuckGo"}, {"FxiOS", "Firefox"}, {"Firefox/", "Firefox"},
		{"CriOS", "Chrome"}, {"HeadlessChrome", "Chrome"}, {"Chrome/", "Chrome"}, {"Chromium", "Chromium"},
		{"Safari/", "Safari"}, {"curl/", "curl"}, {"okhttp", "an app"}, {"CFNetwork", "an app"}, {"Dart/", "an app"},
		{"PostmanRuntime", "Postman"}, {"Go-http-client", "a server"}, {"python-requests", "a server"},
		{"axios/", "a server"}, {"node", "a server"}, {"Java/", "a server"},
	}
	systems = []word{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
		{"Macintosh", "macOS"}, {"Mac OS X", "macOS"}, {"Darwin", "an Apple device"}, {"Linux", "Linux"},
		{"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"},
	}
)

// describeAgent says what asks in words that fit into a message: "Firefox on
// Windows". Nothing that the client wrote is repeated, so nothing it writes can
// speak to whoever reads the message.
func describeAgent(header string) string {
	browser, system := find(browsers, header), find(systems, header)
	switch {
	case browser == "" && system == "":
		return ""
	case system == "":
		return browser
	case browser == "":
		return "a browser on " + system
	}
	return browser + " on " + system
}

func find(words []word, header string) string {
	for _, w := range words {
		if strings.Contains(header, w.mark) {
			return w.name
		}
	}
	return ""
}
