package device

import (
	"errors"
	"testing"
	"time"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func TestAChangeIsAppliedToTheVersionItWasJudgedBy(t *testing.T) {
	d := Device{Version: 2, Status: Pending, Credential: []byte("old"), Ref: "ref"}
	for _, version := range []int{1, 3} {
		before := d.Status
		if err := d.Apply(Change{Version: version, Credential: []byte("x"), UsedAt: noon}); !errors.Is(err, ErrUsed) {
			t.Errorf("version %d: %v", version, err)
		}
		if d.Status != before || string(d.Credential) != "old" {
			t.Error("a refused change was made")
		}
	}
	if err := d.Apply(Change{Version: 2, UsedAt: noon}); err != nil {
		t.Fatal(err)
	}
	if d.Version != 2 || d.Ref != "ref" || string(d.Credential) != "old" || !d.Confirmed() || !d.LastUsedAt.Equal(noon) {
		t.Errorf("after use: %+v", d)
	}
	change := Change{Version: 2, Credential: []byte("new"), Ref: "other", UsedAt: noon}
	if err := d.Apply(change); err != nil || d.Version != 3 || string(d.Credential) != "new" || d.Ref != "other" {
		t.Errorf("after a new credential: %+v, %v", d, err)
	}
	if err := d.Apply(change); !errors.Is(err, ErrUsed) {
		t.Errorf("the same change again: %v", err)
	}
}

func TestOnlyProvenDevicesThatAreNoBackupCount(t *testing.T) {
	for _, x := range []struct {
		d    Device
		want bool
	}{
		{Device{Status: Active}, true}, {Device{Status: Pending}, false},
		{Device{Status: Active, Backup: true}, false}, {Device{}, false},
	} {
		if got := x.d.SecondFactor(); got != x.want {
			t.Errorf("%+v: %v", x.d, got)
		}
	}
}

func TestOnlyWhatNeverProvedToWorkLapses(t *testing.T) {
	for _, x := range []struct {
		status Status
		after  time.Duration
		want   bool
	}{
		{Pending, 0, false}, {Pending, ProofLife - 1, false}, {Pending, ProofLife, true}, {Pending, 24 * time.Hour, true},
		{Active, 24 * time.Hour, false}, {Linked, 24 * time.Hour, false},
	} {
		if got := (Device{Status: x.status, CreatedAt: noon}).Lapsed(noon.Add(x.after)); got != x.want {
			t.Errorf("%s after %s: %v", x.status, x.after, got)
		}
	}
	if ProofLife > 14*time.Minute {
		t.Errorf("%s, and a minute until the janitor comes, is more than a quarter of an hour", ProofLife)
	}
}
