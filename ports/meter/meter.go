// Package meter is the port through which the core counts what it does. Labels
// are few and from closed sets: never an identifier, an address, or a secret.
package meter

// Meter counts. It is safe for concurrent use and never fails.
type Meter interface {
	// Count adds one to the series that name and labels describe.
	Count(name Name, labels ...Label)
	// Observe adds a value, in seconds, to a histogram.
	Observe(name Name, seconds float64, labels ...Label)
}

// Name is what is counted, in the form of the Prometheus naming rules.
type Name string

// What the core counts.
const (
	ChallengesStarted   Name = "countersign_challenges_started_total"    // purpose, channel
	AnswersEvaluated    Name = "countersign_answers_evaluated_total"     // purpose, channel, outcome
	AnswersRefused      Name = "countersign_answers_refused_total"       // reason
	MessagesFinished    Name = "countersign_messages_finished_total"     // channel, outcome
	DeliverySeconds     Name = "countersign_message_delivery_seconds"    // channel; from queueing to a carrier's yes
	SessionsStarted     Name = "countersign_sessions_started_total"      // acr
	RefreshReused       Name = "countersign_refresh_reused_total"        //
	RangesBlocked       Name = "countersign_number_ranges_blocked_total" //
	LimitsHit           Name = "countersign_limits_hit_total"            // reason
	AuthenticatorLocked Name = "countersign_authenticators_locked_total" // channel
	FactsTold           Name = "countersign_facts_told_total"            // listener, outcome (heard, failed, given_up)
	FactSeconds         Name = "countersign_fact_seconds"                // listener; from the event to a listener's yes
)

// Label is one dimension of a series.
type Label struct{ Key, Value string }

// L makes a label.
func L(key, value string) Label { return Label{Key: key, Value: value} }

// Nothing is a Meter that counts nothing.
type Nothing struct{}

// Count does nothing.
func (Nothing) Count(Name, ...Label) {}

// Observe does nothing.
func (Nothing) Observe(Name, float64, ...Label) {}
