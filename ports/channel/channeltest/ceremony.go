package channeltest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// methods lists the RFC 8176 values, in the order of its section 2.
func methods() []string {
	return strings.Fields("face fpt geo hwk iris kba mca mfa otp pin pwd rba retina sc sms swk tel user vbm wia")
}

func (s Suite) descriptor(t T) {
	checkDescriptor(t, s.Plugin.Descriptor)
	if s.Plugin.Address.Check() == nil { // once is enough
		if err := s.Plugin.Check(); err != nil {
			t.Errorf("%v", err)
		}
	}
	d, ok := channel.As[channel.Describer](s.open(t).ch)
	if !ok {
		return
	}
	own := d.Describe()
	checkDescriptor(t, own)
	if own.Type != s.Plugin.Type || own.MaxAAL > s.Plugin.MaxAAL ||
		own.Identify && !s.Plugin.Identify || own.Phishing && !s.Plugin.Phishing || own.Backup != s.Plugin.Backup ||
		s.Plugin.Costs && !own.Costs {
		t.Errorf("the channel claims to be more than its plugin says")
	}
}

// described is what the channel is under its configuration.
func (r *rig) described() channel.Descriptor {
	if d, ok := channel.As[channel.Describer](r.ch); ok {
		return d.Describe()
	}
	return r.Plugin.Descriptor
}

func checkDescriptor(t T, d channel.Descriptor) {
	t.Helper()
	if !regexp.MustCompile(`^[a-z][a-z0-9_]{1,30}$`).MatchString(d.Type) {
		t.Errorf("type %q is not lower_snake_case", d.Type)
	}
	if d.Title == "" || !strings.HasSuffix(d.Summary, ".") {
		t.Errorf("title and a one-sentence summary are for people: %q, %q", d.Title, d.Summary)
	}
	checkMethods(t, d.AMR)
	if d.MaxAAL < 0 || d.MaxAAL > 3 {
		t.Errorf("max AAL %d is not a NIST level", d.MaxAAL)
	}
	if d.Address == channel.Email && d.MaxAAL > 1 {
		t.Errorf("e-mail never counts towards AAL2, but max AAL is %d", d.MaxAAL)
	}
	if !slices.Contains([]channel.Factor{channel.Knowledge, channel.Possession, channel.Inherence}, d.Factor) {
		t.Errorf("factor %q is none of NIST's", d.Factor)
	}
	if err := d.Address.Check(); err != nil {
		t.Errorf("%v", err)
	}
	if !slices.Contains([]channel.Form{"", channel.FormEmail, channel.FormSMS, channel.FormChat, channel.FormVoice}, d.Form) {
		t.Errorf("form %q is unknown", d.Form)
	}
}

func checkMethods(t T, amr []string) {
	t.Helper()
	for _, v := range amr {
		if !slices.Contains(methods(), v) {
			t.Errorf("amr %q is not in RFC 8176", v)
		}
	}
}

func (s Suite) config(t T) {
	if err := s.rig().with(`{"no_such_key":1}`).reopen(t); err == nil {
		t.Errorf("an unknown key was accepted")
	} else if !strings.Contains(err.Error(), "no_such_key") {
		t.Errorf("an unknown key is not named: %v", err)
	}
	for name, raw := range s.Broken {
		r := s.rig().with(raw)
		err := r.reopen(t)
		if err == nil {
			t.Errorf("accepted a configuration with %s", name)
			continue
		}
		r.hides(t, "error about a broken configuration", err.Error(), r.secrets...)
	}
}

// with replaces the configuration.
func (r *rig) with(config string) *rig {
	r.Config = config
	return r
}

// checkPrompt refuses prompts that a user interface could not show.
func checkPrompt(tb testing.TB, p channel.Prompt) {
	tb.Helper()
	switch p.Kind {
	case channel.KindEnterCode:
		if p.Length < 1 || p.Alphabet.Characters() == "" {
			tb.Errorf("enter_code needs a length and a known alphabet: %d, %q", p.Length, p.Alphabet)
		}
	case channel.KindRedirect:
		if !strings.HasPrefix(p.URL, "https://") && !strings.HasPrefix(p.URL, "http://127.0.0.1") && !strings.HasPrefix(p.URL, "tg://") {
			tb.Errorf("redirect needs an https URL")
		}
	case channel.KindCallBrowser:
		if p.API == "" {
			tb.Errorf("call_browser needs an API")
		}
	case channel.KindWait:
	default:
		tb.Errorf("prompt kind %q is unknown", p.Kind)
	}
}

func (s Suite) ceremony(t T) {
	r := s.open(t)
	cred, _ := r.enroll(t)
	sc, o, resp := r.authenticate(t, cred)
	v := r.verify(t, sc.Challenge, o.State, resp)
	if v.Outcome != channel.Verified {
		t.Fatalf("authenticate: the right response was %s (%s)", v.Outcome, v.Reason)
	}
	checkMethods(t, v.AMR)
	if v.Ref != r.ref {
		t.Errorf("the device was called %q when enrolled and is called %q now", r.ref, v.Ref)
	}
	if r.described().Identify {
		r.identify(t, kept(cred, v.Credential))
	}
	s.boundAtOnce(t)
}

// kept is what the core has stored after a verdict.
func kept(old, fresh channel.Credential) channel.Credential {
	if fresh != nil {
		return fresh
	}
	return old
}

// identify authenticates somebody who did not say who they are.
func (r *rig) identify(t T, cred channel.Credential) {
	t.Helper()
	if r.ref == "" {
		t.Fatalf("a channel that identifies must give devices a Ref")
	}
	r.clock.Advance(time.Minute)
	c := r.challenge(channel.Authenticate, nil)
	c.Subject = ""
	sc, o := r.begin(t, c)
	resp := r.Respond(t, sc)
	if l, ok := channel.As[channel.Locator](r.ch); ok {
		if ref, ok := l.Locate(resp); !ok || ref != r.ref {
			t.Fatalf("located %q, want %q", ref, r.ref)
		}
		if _, ok := l.Locate(channel.Response{}); ok {
			t.Errorf("located a device in an empty response")
		}
		sc.Challenge.Credential = cred
	}
	if v := r.verify(t, sc.Challenge, o.State, resp); v.Outcome != channel.Verified || v.Ref != r.ref {
		t.Errorf("identified %q (%s), want %q", v.Ref, v.Outcome, r.ref)
	}
}

// boundAtOnce checks devices that need no response while enrolling.
func (s Suite) boundAtOnce(t T) {
	t.Helper()
	r := s.open(t)
	sc, o := r.begin(t, r.challenge(channel.Enroll, nil))
	if o.Credential == nil {
		return
	}
	if len(o.Prompt.Show) == 0 {
		t.Errorf("a device was bound at once, but the person was shown nothing to keep")
	}
	r.Respond(t, sc) // the person reads what is shown
	sc, opening, resp := r.authenticate(t, o.Credential)
	if v := r.verify(t, sc.Challenge, opening.State, resp); v.Outcome != channel.Verified {
		t.Errorf("a device that was bound at once does not work: %s (%s)", v.Outcome, v.Reason)
	}
	sc, opening = r.begin(t, r.challenge(channel.Authenticate, o.Credential))
	if opening.Credential != nil {
		t.Errorf("authenticating must not bind a device")
	}
}
