package policy

import (
	"testing"
	"time"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/user"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func TestASecondFactorIsAskedOfThoseWhoHaveOne(t *testing.T) {
	for _, x := range []struct {
		mode    Mode
		chosen  bool
		devices int
		want    bool
	}{
		{Off, true, 1, false}, {Off, false, 1, false},
		{Optional, true, 0, false}, {Optional, true, 1, true}, {Optional, false, 1, false},
		{Required, false, 1, true}, {Required, true, 2, true}, {Required, true, 0, false},
	} {
		p := Policy{TwoFactor: TwoFactor{Mode: x.mode}}
		if got := p.AsksForSecond(user.User{TwoFactor: x.chosen}, x.devices); got != x.want {
			t.Errorf("%+v: %v", x, got)
		}
	}
}

func TestWeakeningAnAccountNeedsAFreshProof(t *testing.T) {
	p := Default()
	mail := assurance.Evidence{Authenticator: "mail", Max: assurance.AAL1, At: noon}
	app := assurance.Evidence{Authenticator: "app", Max: assurance.AAL2, Device: true, At: noon}
	both := []assurance.Evidence{mail, app}
	for name, x := range map[string]struct {
		evidence []assurance.Evidence
		devices  int
		mode     Mode
		age      time.Duration
		acr      string
		want     bool
	}{
		"a device nobody asks for":     {both[:1], -1, Optional, 0, "aal1", false},
		"fresh mail, no device":        {both[:1], 0, Optional, 5 * time.Minute, "aal1", false},
		"old mail, no device":          {both[:1], 0, Optional, 5*time.Minute + 1, "aal1", true},
		"fresh mail, a device":         {both[:1], 1, Optional, 0, "aal2", true},
		"mail and app":                 {both, 1, Optional, 5 * time.Minute, "aal2", false},
		"mail and app, old":            {both, 1, Required, 5*time.Minute + 1, "aal2", true},
		"a device where they are off":  {both[:1], 1, Off, 0, "aal1", false},
		"nothing":                      {nil, 0, Optional, 0, "aal1", true},
		"the app alone":                {both[1:], 1, Optional, 0, "aal2", false},
		"required, but without device": {both[:1], 0, Required, 0, "aal1", false},
	} {
		p.TwoFactor.Mode = x.mode
		u := user.User{TwoFactor: x.devices > 0}
		need, missing := p.NeedsStepUp(u, x.evidence, max(x.devices, -x.devices), noon.Add(x.age))
		if missing != x.want || need.ACR != x.acr || need.MaxAge != 5*time.Minute {
			t.Errorf("%s: %+v, %v", name, need, missing)
		}
	}
}

func TestTheDefaultPolicyIsSound(t *testing.T) {
	p := Default()
	for _, k := range []contact.Kind{contact.Email, contact.Phone, contact.Username} {
		if !p.Identity.Allows(k) {
			t.Errorf("people are not found by %s", k)
		}
	}
	if p.Identity.Allows("other") {
		t.Error("people are found by anything")
	}
	if p.Challenge.Format != "d6" || p.Challenge.Attempts != 5 || p.Challenge.Live < 1 || p.Challenge.Sends < 1 || p.Challenge.Life > 10*time.Minute {
		t.Errorf("challenges: %+v", p.Challenge)
	}
	if p.Throttle.Wait(5) != 0 || p.Throttle.Wait(6) != 30*time.Second || p.Throttle.DisableAt > 100 {
		t.Errorf("throttle: %+v; NIST SP 800-63B-4, 3.2.2, allows at most 100 failures", p.Throttle)
	}
}
