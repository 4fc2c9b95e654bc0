package channeltest

import (
	"reflect"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// costs reports whether the channel's Begin reaches the person by itself.
func (r *rig) costs() bool { return r.described().Costs || r.Plugin.Costs }

// paid checks what the core pays for before it asks, and therefore must know
// beforehand.
func (s Suite) paid(t T) {
	r := s.open(t)
	if !r.costs() {
		t.Skipf("beginning costs nothing")
	}
	if s.Reached == nil {
		t.Fatalf("Reached is missing: who is reached by Begin cannot be told")
	}
	p, ok := channel.As[channel.Previewer](r.ch)
	if !ok {
		t.Fatalf("a channel whose Begin reaches people needs a Preview")
	}
	t.Run("preview", func(t T) { r.previews(t, p) })
	t.Run("resend", r.reachesAgain)
	t.Run("single use", r.once)
}

// previews compares what Preview says with what Begin does.
func (r *rig) previews(t T, p channel.Previewer) {
	cred, _ := r.enroll(t)
	for _, c := range []channel.Challenge{r.challenge(channel.Enroll, nil), r.challenge(channel.Authenticate, cred)} {
		before := r.Reached()
		promised := p.Preview(c)
		stranger := c
		stranger.Subject, stranger.Label, stranger.Credential = "", "", nil
		if !reflect.DeepEqual(p.Preview(stranger), promised) {
			t.Errorf("%s: a stranger can be told from somebody we know by the preview", c.Purpose)
		}
		if len(promised.Show) > 0 {
			t.Errorf("%s: the preview shows what only one person may see", c.Purpose)
		}
		if n := r.Reached() - before; n != 0 {
			t.Errorf("%s: Preview reached somebody %d times", c.Purpose, n)
		}
		_, o := r.begin(t, c)
		shown := len(o.Prompt.Show)
		o.Prompt.Show = nil
		if !reflect.DeepEqual(o.Prompt, promised) {
			t.Errorf("%s: Begin asks for something else than Preview promised", c.Purpose)
		}
		scan := c.Purpose == channel.Enroll && shown > 0 // there is nobody to reach yet
		if n := r.Reached() - before; n != 1 && !(scan && n == 0) {
			t.Errorf("%s: Begin reached the person %d times", c.Purpose, n)
		}
		if o.Deliver {
			t.Errorf("%s: the person was reached, and the core is asked to send a code besides", c.Purpose)
		}
	}
}

// reachesAgain asks for another message, which has to reach the person too.
func (r *rig) reachesAgain(t T) {
	cred, _ := r.enroll(t)
	r.clock.Advance(time.Minute)
	c := r.challenge(channel.Authenticate, cred)
	r.begin(t, c)
	before := r.Reached()
	c.Round = 2
	sc, o := r.begin(t, c)
	if n := r.Reached() - before; n != 1 {
		t.Errorf("the second round reached the person %d times", n)
	}
	if v := r.verify(t, c, o.State, r.Respond(t, sc)); v.Outcome != channel.Verified {
		t.Errorf("the right response to the second round was %s (%s)", v.Outcome, v.Reason)
	}
}

// once answers one challenge rightly, twice: what the provider calls right must
// be right once, or have a name that the core accepts once.
func (r *rig) once(t T) {
	cred, _ := r.enroll(t)
	sc, o, resp := r.authenticate(t, cred)
	first := r.verify(t, sc.Challenge, o.State, resp)
	second, err := r.ch.Verify(t.Context(), sc.Challenge, o.State, resp)
	switch {
	case first.Outcome != channel.Verified:
		t.Errorf("the right response was %s (%s)", first.Outcome, first.Reason)
	case err != nil:
		t.Errorf("a response that was used is not an error: %v", err)
	case second.Outcome == channel.Verified && (first.OnceKey == "" || second.OnceKey != first.OnceKey):
		t.Errorf("one response was accepted twice")
	}
}
