// Package channeltest is the conformance suite for channel plugins. A plugin
// that passes Run behaves as the core expects, in process or out of it.
package channeltest

import (
	"testing"

	"github.com/countersign/countersign/ports/channel"
)

// Suite says how to exercise one plugin.
type Suite struct {
	Plugin  channel.Plugin
	Config  string            // a working configuration, as JSON; "" is {}
	Broken  map[string]string // configurations to refuse, by what is wrong with them
	Address string            // where the person can be reached, if the channel has addresses

	// Respond plays the person, and whatever provider they use. It is called
	// once for every challenge that is to be met, enrolment included, and
	// never by two goroutines at once. What a provider would bring to a
	// Callback goes to the Receive of the scene's channel: the kit takes it as
	// genuine, and brings forgeries of it.
	Respond func(tb testing.TB, s Scene) channel.Response

	// Lie answers wrongly, but plausibly. Without it, a wrong code is typed.
	Lie func(tb testing.TB, s Scene) channel.Response

	// Provider returns a configuration that points at another provider, an
	// HTTP server that misbehaves. Leave it out if there is no such provider.
	Provider func(url string) string

	// Reached is how often the provider has sent something to anybody so far.
	// Channels whose Begin reaches the person (Descriptor.Costs) need it, and a
	// Provider.
	Reached func() int

	// Wire is Provider for everything that does not speak HTTP: addr is the
	// host:port of a TCP server that misbehaves.
	Wire func(addr string) string
}

// Scene is what a person can see and reach after a challenge was opened.
type Scene struct {
	Challenge channel.Challenge
	Prompt    channel.Prompt
	Inbox     []channel.Message // everything sent so far, newest last
	Channel   channel.Channel
	Clock     *Clock
}

// T is what the suite needs of a test.
type T interface {
	testing.TB

	// Run runs check as a subtest and reports whether it passed.
	Run(name string, check func(T)) bool
}

// Run checks everything the core relies on.
func Run(t *testing.T, s Suite) {
	t.Helper()
	s.run(goTest{t})
}

// goTest makes a T of the real thing.
type goTest struct{ *testing.T }

func (g goTest) Run(name string, check func(T)) bool {
	return g.T.Run(name, func(t *testing.T) { check(goTest{t}) })
}

func (s Suite) run(t T) {
	t.Run("descriptor", s.descriptor)
	if s.Plugin.Check() != nil {
		return // nothing else would say more
	}
	t.Run("config", s.config)
	t.Run("enroll and authenticate", s.ceremony)
	t.Run("wrong response is rejected without error", s.wrong)
	t.Run("garbage in storage proves nothing", s.storage)
	t.Run("response cannot be replayed", s.replay)
	t.Run("another device's response is rejected", s.crossed)
	t.Run("inputs are left alone", s.inputs)
	t.Run("codes stay secret", s.secrecy)
	t.Run("chance is injected", s.chance)
	t.Run("prompt follows the policy", s.policy)
	t.Run("resend", s.resend)
	t.Run("what costs", s.paid)
	t.Run("devices from elsewhere", s.imported)
	t.Run("concurrent use", s.concurrent)
	t.Run("cancelled context", s.cancelled)
	t.Run("garbage callbacks", s.garbage)
	t.Run("forged callbacks", s.forged)
	t.Run("garbage reports", s.hearsay)
	t.Run("nothing is left running", s.leaks)
	t.Run("when the provider", s.provider)
	t.Run("when the connection", s.wire)
}

// TypeLastCode is the Respond of every channel that sends codes: it types the
// code of the newest message.
func TypeLastCode(tb testing.TB, s Scene) channel.Response {
	tb.Helper()
	if len(s.Inbox) == 0 {
		tb.Fatalf("no message was sent: Begin must set Deliver if a code is to be typed")
	}
	return channel.Response{Code: s.Inbox[len(s.Inbox)-1].Code}
}
