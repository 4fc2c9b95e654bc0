package channel

import "encoding/json"

// Prompt tells any user interface what to do next, without telling it which
// channel is at work. Make one with EnterCode, Redirect, CallBrowser or Wait.
type Prompt struct {
	Kind     PromptKind      `json:"kind"`
	Length   int             `json:"length,omitempty"`   // enter_code: how many characters
	Alphabet Alphabet        `json:"alphabet,omitempty"` // enter_code: which keyboard
	URL      string          `json:"url,omitempty"`      // redirect: where to go
	API      string          `json:"api,omitempty"`      // call_browser: which browser call
	Options  json.RawMessage `json:"options,omitempty"`  // call_browser: its argument
	Show     []string        `json:"show,omitempty"`     // shown once: setup URI, recovery codes, match number
}

// PromptKind is how a response can be obtained. The set is closed, so that
// hosted pages and client libraries can support every channel there will be.
type PromptKind string

// The prompts.
const (
	KindEnterCode   PromptKind = "enter_code"   // type a code
	KindRedirect    PromptKind = "redirect"     // go to a URL, come back by callback
	KindCallBrowser PromptKind = "call_browser" // run a browser API
	KindWait        PromptKind = "wait"         // act on another device
)

// EnterCode asks for a code of the given shape.
func EnterCode(s Shape) Prompt {
	return Prompt{Kind: KindEnterCode, Length: s.Length, Alphabet: s.Alphabet}
}

// Redirect sends the browser elsewhere; the response arrives by callback.
func Redirect(url string) Prompt { return Prompt{Kind: KindRedirect, URL: url} }

// CallBrowser runs a browser API, such as navigator.credentials.get.
func CallBrowser(api string, options json.RawMessage) Prompt {
	return Prompt{Kind: KindCallBrowser, API: api, Options: options}
}

// Wait asks for nothing: the person acts on another device.
func Wait() Prompt { return Prompt{Kind: KindWait} }

// Showing returns a copy with things that are displayed once and never again.
func (p Prompt) Showing(items ...string) Prompt { p.Show = items; return p }
