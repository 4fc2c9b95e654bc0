package channel

import (
	"context"
	"net/url"
)

// As finds an optional ability, looking through wrappers. Always use it in
// place of a type assertion: a wrapper hides what it does not know.
func As[T any](ch any) (T, bool) {
	for {
		if t, ok := ch.(T); ok {
			return t, true
		}
		w, ok := ch.(interface{ Unwrap() any })
		if !ok {
			var zero T
			return zero, false
		}
		ch = w.Unwrap()
	}
}

// Describer is implemented by channels whose configuration decides what they are:
// one plugin that speaks with many gateways.
type Describer interface {
	// Describe is the plugin's descriptor, made narrower: of the same type, and
	// no stronger than that says. It does not change while the channel is open.
	Describe() Descriptor
}

// Announcer is implemented by channels that user interfaces must know more of than
// a descriptor says: by what name we are known at an identity provider.
type Announcer interface {
	// Announce is what anybody may know. It is no secret, costs nothing, and does
	// not change while the channel is open.
	Announce() Announcement
}

// Announcement is what everybody is told about a channel, signed in or not.
type Announcement struct {
	ClientID string // what the provider's own buttons and SDKs are set up with; empty if there is no such thing
}

// Callback is implemented by channels whose response is brought by somebody
// else: an identity provider's redirect, a bot update, a phone that approves.
type Callback interface {
	// Receive reads an inbound request and says which challenge it answers.
	// It authenticates the messenger, with ErrForged if it cannot and with
	// ErrIrrelevant if nothing is answered, but judges nothing: Verify does that.
	// Clients answer too, with data of their own, and Verify cannot tell whose it
	// gets: what Receive gives is sealed, and bound to the handle, unless somebody
	// elsewhere vouches for it. The handle is never empty without an error.
	Receive(ctx context.Context, in Inbound) (handle string, r Response, err error)
}

// Locator is implemented by channels whose response names the device, so that
// nobody has to say who they are first: discoverable passkeys.
type Locator interface {
	// Locate reads the claimed Ref from a response that is not yet verified.
	Locate(r Response) (ref string, ok bool)
}

// Previewer is implemented by channels whose Begin reaches the person
// (Descriptor.Costs): the core must know what it will ask before it pays, and for
// people who are not there it never begins.
type Previewer interface {
	// Preview is the prompt that Begin would give. It reaches nobody, costs
	// nothing, and does not depend on the subject.
	Preview(c Challenge) Prompt
}

// Counter is implemented by channels whose credential runs out: recovery codes.
type Counter interface {
	// Remaining is how many uses the credential has left; 0 if it is unreadable.
	Remaining(cred Credential) int
}

// Importer is implemented by channels whose devices may come from another system
// with the secret that they share with their owner: authenticator apps.
type Importer interface {
	// Import makes the credential of a device from its secret, which it refuses
	// if it is too short to be one. Its errors never hold the secret.
	Import(secret []byte) (Credential, error)
}

// Inbound is an HTTP request without HTTP.
type Inbound struct {
	Method string
	URL    string // as the outside sees it, with its query: what some signatures cover
	Header map[string][]string
	Query  url.Values
	Body   []byte
}

// Tracker is implemented by senders whose carrier reports what became of messages.
type Tracker interface {
	// Track reads an inbound report. It authenticates the carrier first and
	// returns ErrForged if it cannot.
	Track(ctx context.Context, in Inbound) ([]Report, error)
}

// Greeter is implemented by senders whose carrier asks, before it reports
// anything, whether the address for reports is ours.
type Greeter interface {
	// Greet reads an inbound request without a body. If it is such a question, the
	// answer is what the carrier wants to read, as plain text, and never empty;
	// ErrForged if whoever asks does not know what was agreed. It is "" for all
	// else, which may be a report.
	Greet(in Inbound) (answer string, err error)
}

// Report is the fate of one message.
type Report struct {
	Receipt    Receipt
	Delivered  bool
	Complained bool  // it arrived, and they told their provider that they do not want it
	Err        error // why it did not arrive: one of the errors of this package
}

// Prober is implemented by channels that can tell whether they would work now.
type Prober interface {
	// Probe asks the provider without sending anything to anybody. Its errors
	// are those of this package.
	Probe(ctx context.Context) error
}

// Closer is implemented by channels that hold resources.
type Closer interface {
	// Close releases them, waiting at most until ctx ends. It is called once,
	// when no other call is running or will be made.
	Close(ctx context.Context) error
}
