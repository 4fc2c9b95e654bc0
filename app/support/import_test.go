package support_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/support"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/tenant"
)

// The test vector of django-otp: a key, and its codes of steps 0 to 9.
const vectorKey = "2a2bbba1092ffdd25a328ad1a0a5f5d61d7aacc4"

var vectorCodes = []string{"179225", "656163", "839400", "154567", "346912", "471576", "045675", "101397", "491039", "784503"}

func (r *rig) importing(in support.Import) support.Import {
	in.Act = r.act()
	if in.Channel == "" {
		in.Channel = "totp"
	}
	if in.Secret == nil {
		in.Secret = must(hex.DecodeString(vectorKey))(r.t)
	}
	return in
}

// second gives a code of a device to a new sign-in.
func (r *rig) second(device, code string) error {
	r.t.Helper()
	in := must(r.sign())(r.t)
	waiting := must(r.asks.Sessions.Pending(r.t.Context(), tenant.Default, in.Pending))(r.t)
	v := must(r.asks.Start(r.t.Context(), challenges.StartInput{Tenant: tenant.Default, Purpose: challenge.SecondFactor, Device: device, Pending: &waiting}))(r.t)
	_, err := r.asks.Answer(r.t.Context(), challenges.AnswerInput{Tenant: tenant.Default, Handle: v.Handle, Code: &code})
	return err
}

func TestAnAppFromElsewhereWorksHere(t *testing.T) {
	r := newRig(t)
	r.clock.Set(time.Unix(3*30+1, 0)) // step 3
	var accepted []int
	for step, code := range vectorCodes {
		d := must(r.s.Import(t.Context(), r.importing(support.Import{Name: " Phone "})))(t)
		if d.Name != "Phone" || !d.SecondFactor() {
			t.Fatalf("imported %+v", d)
		}
		err := r.second(d.ID, code)
		switch {
		case err == nil:
			accepted = append(accepted, step)
			if err := r.second(d.ID, code); !errors.Is(err, challenge.ErrWrong) {
				t.Errorf("the code of step %d works twice: %v", step, err)
			}
		case !errors.Is(err, challenge.ErrWrong):
			t.Errorf("step %d: %v", step, err)
		}
	}
	if !slices.Equal(accepted, []int{2, 3, 4}) {
		t.Errorf("at step 3 the codes of steps %v are good", accepted)
	}
	if got := r.told(); len(got) != len(vectorCodes) || got[0] != "device_added email Phone" {
		t.Errorf("told %q", got)
	}
}

func TestImportsAreRecordedWithoutTheSecret(t *testing.T) {
	r := newRig(t)
	must(r.s.Import(t.Context(), r.importing(support.Import{})))(t)
	if e := r.recorded(event.DeviceEnrolled); e.Data["imported"] != "yes" || len(e.Data) != 5 {
		t.Errorf("recorded %v", e.Data)
	}
}

func TestDevicesThatCannotBeImported(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct {
		in   support.Import
		want error
	}{
		"no such channel":  {support.Import{Channel: "fax"}, channels.ErrNotConfigured},
		"no shared secret": {support.Import{Channel: "email"}, channels.ErrNotConfigured},
		"too short":        {support.Import{Secret: []byte("123456789")}, support.ErrImport},
		"too long":         {support.Import{Secret: make([]byte, 65)}, support.ErrImport},
		"a long name":      {support.Import{Name: strings.Repeat("x", 65)}, support.ErrImport},
		"a name of lines":  {support.Import{Name: "a\nb"}, support.ErrImport},
	} {
		if _, err := r.s.Import(t.Context(), r.importing(c.in)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if p := r.show(); len(p.Devices) != 3 || len(p.Events) != 0 {
		t.Errorf("something happened: %+v", p)
	}
}
