package assurance

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func proof(authenticator string, most AAL, amr ...string) Evidence {
	return Evidence{Authenticator: authenticator, Max: most, AMR: amr, At: noon}
}

func TestLevelsAddUp(t *testing.T) {
	mail, sms, app := proof("mail", AAL1, "otp"), proof("sms", AAL2, "sms"), proof("app", AAL2, "otp")
	for name, x := range map[string]struct {
		all []Evidence
		aal AAL
		amr []string
	}{
		"nothing":                   {nil, None, nil},
		"an e-mail":                 {[]Evidence{mail}, AAL1, []string{"otp"}},
		"an app alone":              {[]Evidence{app}, AAL1, []string{"otp"}},
		"two e-mail addresses":      {[]Evidence{mail, proof("mail2", AAL1, "otp")}, AAL1, []string{"otp"}},
		"one app twice":             {[]Evidence{app, app}, AAL1, []string{"otp"}},
		"an e-mail and an app":      {[]Evidence{mail, app}, AAL2, []string{"mfa", "otp"}},
		"a text message and an app": {[]Evidence{sms, app}, AAL2, []string{"mfa", "otp", "sms"}},
		"worthless proofs":          {[]Evidence{proof("x", None), proof("y", None)}, None, nil},
	} {
		got := Assess(x.all)
		if got.AAL != x.aal || !slices.Equal(got.AMR, x.amr) {
			t.Errorf("%s: %v %v, want %v %v", name, got.AAL, got.AMR, x.aal, x.amr)
		}
	}
}

func TestARemovedDeviceProvesNothingMore(t *testing.T) {
	sms := proof("sms", AAL2, "sms")
	app := Evidence{Authenticator: "app", Max: AAL2, AMR: []string{"otp"}, Device: true, At: noon}
	key := Evidence{Authenticator: "key", Max: AAL3, AMR: []string{"hwk", "mfa"}, Device: true, At: noon}
	for name, x := range map[string]struct {
		all  []Evidence
		gone string
		less bool
		aal  AAL
		amr  []string
	}{
		"the app of two":      {[]Evidence{sms, app}, "app", true, AAL1, []string{"sms"}},
		"another one":         {[]Evidence{sms, app}, "key", false, AAL2, []string{"mfa", "otp", "sms"}},
		"an address is none":  {[]Evidence{sms, app}, "sms", false, AAL2, []string{"mfa", "otp", "sms"}},
		"the only one":        {[]Evidence{key}, "key", true, AAL1, []string{"hwk"}},
		"nothing from nobody": {nil, "key", false, None, nil},
	} {
		left, less := Without(x.all, x.gone)
		got := Assess(left)
		if less != x.less || got.AAL != x.aal || !slices.Equal(got.AMR, x.amr) || len(Devices(left)) > 1 {
			t.Errorf("%s: %v %v, %v, want %v %v, %v", name, got.AAL, got.AMR, less, x.aal, x.amr, x.less)
		}
	}
	if !slices.Equal(key.AMR, []string{"hwk", "mfa"}) {
		t.Error("the evidence that was given is changed")
	}
}

func evidence() *rapid.Generator[Evidence] {
	return rapid.Custom(func(rt *rapid.T) Evidence {
		return Evidence{
			Authenticator: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "authenticator"),
			Max:           AAL(rapid.IntRange(0, 3).Draw(rt, "max")),
			AMR:           rapid.SliceOfN(rapid.SampledFrom([]string{"otp", "sms", "hwk"}), 0, 2).Draw(rt, "amr"),
			At:            noon.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "at")) * time.Minute),
		}
	})
}

func TestMoreEvidenceIsNeverWorthLess(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOfN(evidence(), 0, 5).Draw(rt, "all")
		before, after := Assess(all), Assess(append(slices.Clone(all), evidence().Draw(rt, "more")))
		if after.AAL < before.AAL || after.Time.Before(before.Time) {
			rt.Fatalf("%+v became %+v", before, after)
		}
		for _, amr := range before.AMR {
			if !slices.Contains(after.AMR, amr) {
				rt.Fatalf("%s was lost", amr)
			}
		}
		shuffled := rapid.Permutation(all).Draw(rt, "order")
		if got := Assess(shuffled); got.AAL != before.AAL || !slices.Equal(got.AMR, before.AMR) || !got.Time.Equal(before.Time) {
			rt.Fatalf("in another order: %+v, not %+v", got, before)
		}
	})
}

func TestMailAloneNeverReachesAAL2(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOfN(evidence(), 0, 5).Draw(rt, "all")
		for i := range all {
			all[i].Max = min(all[i].Max, AAL1)
		}
		if got := Assess(all); got.AAL > AAL1 || slices.Contains(got.AMR, "mfa") {
			rt.Fatalf("%+v", got)
		}
	})
}

func TestANewerProofReplacesTheOlderOfItsAuthenticator(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var all []Evidence
		for _, e := range rapid.SliceOfN(evidence(), 1, 8).Draw(rt, "all") {
			old := slices.Clone(all)
			all = Merge(all, e)
			seen := map[string]int{}
			for _, o := range all {
				if seen[o.Authenticator]++; seen[o.Authenticator] > 1 {
					rt.Fatalf("%s is there twice", o.Authenticator)
				}
			}
			if last := all[len(all)-1]; last.Authenticator != e.Authenticator || !last.At.Equal(e.At) || len(all) < len(old) {
				rt.Fatalf("%+v after %+v", all, e)
			}
		}
	})
}

func TestMergeLeavesWhatItWasGiven(t *testing.T) {
	old := []Evidence{proof("a", AAL1), proof("b", AAL1)}
	Merge(old, proof("a", AAL2))
	if old[0].Authenticator != "a" || old[0].Max != AAL1 || old[1].Authenticator != "b" {
		t.Errorf("the old evidence became %+v", old)
	}
}

func TestTheNewestProofSaysHowFreshASessionIs(t *testing.T) {
	mail, app := proof("mail", AAL1), proof("app", AAL2)
	app.Device = true
	mail.At = noon.Add(time.Hour)
	for _, all := range [][]Evidence{{mail, app}, {app, mail}} {
		if got := Newest(all); !got.Equal(mail.At) {
			t.Errorf("got %v, want the mail's", got)
		}
		if got := Newest(Devices(all)); !got.Equal(app.At) {
			t.Errorf("of devices: got %v, want the app's", got)
		}
		if len(all) != 2 || len(Devices(all)) != 1 {
			t.Errorf("%d proofs, %d by devices", len(all), len(Devices(all)))
		}
	}
	if !Newest(nil).IsZero() {
		t.Error("nothing is fresh")
	}
}

func TestLevelsHaveNames(t *testing.T) {
	for level, want := range map[AAL]string{None: "aal0", AAL1: "aal1", AAL2: "aal2", AAL3: "aal3", 4: "aal0", -1: "aal0"} {
		if got := level.ACR(); got != want {
			t.Errorf("%d is called %s", level, got)
		}
	}
}
