package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/bench/procfs"
)

func TestTheMedianRoundCountsAndFailuresShow(t *testing.T) {
	r := newReport(procfs.Machine{}, time.Unix(0, 0))
	for round, rate := range []float64{900, 100, 500} {
		r.Cells = append(r.Cells, cell{Store: "sqlite", Op: "signin", Users: 8, Round: round + 1, Rate: rate, Ops: 1})
	}
	r.Cells = append(r.Cells,
		cell{Store: "sqlite", Op: "wrong", Users: 8, Round: 1, Rate: 9},
		cell{Store: "sqlite", Op: "wrong", Users: 8, Round: 2, Failure: "it | broke"})
	got := r.medians()
	if len(got) != 2 || got[0].Op != "wrong" || got[0].Failure == "" || got[1].Rate != 500 {
		t.Fatalf("got %+v", got)
	}
	var out bytes.Buffer
	r.write(&out)
	if !strings.Contains(out.String(), "**FAILED** it / broke") || r.verdict(false) == nil {
		t.Errorf("the failure does not show:\n%s", out.String())
	}
}

func TestFiguresAreComparedTheRightWayRound(t *testing.T) {
	for _, c := range []struct {
		f   figure
		met bool
	}{
		{figure{Value: 1200, Must: 1200, Least: true}, true}, {figure{Value: 1199, Must: 1200, Least: true}, false},
		{figure{Value: 6, Must: 6}, true}, {figure{Value: 6.01, Must: 6}, false},
	} {
		if c.f.met() != c.met {
			t.Errorf("%+v: met is %v", c.f, c.f.met())
		}
	}
	r := report{Figures: []figure{{Value: 7, Must: 6}}}
	if r.verdict(false) != nil || r.verdict(true) == nil {
		t.Error("a missed figure must fail a strict run, and only that")
	}
}

func TestGoalsTakeTheirCell(t *testing.T) {
	database := 0.6
	r := report{Cells: []cell{{Store: "postgres", Op: "signin", Users: 32, Rate: 1300, P99: 50, Server: 0.54, Database: &database}}}
	if err := r.judge("/proc/self/exe"); err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range r.Figures {
		values[f.Name] = f.Value
	}
	if v := values["CPU per sign-in, server and database"]; v < 1.99 || v > 2.01 {
		t.Errorf("%.3f times the floor, want 2", v)
	}
	if v := values["CPU per sign-in, database"]; v < 0.599 || v > 0.601 {
		t.Errorf("%.3f ms in the database, want 0.6", v)
	}
	if values["sign-ins, 32 users"] != 1300 || len(values) != 6 {
		t.Errorf("got %v", values)
	}
}

func TestSpreadIsMedianLeastAndMost(t *testing.T) {
	for want, in := range map[string][]float64{
		"1.000 (0.500 to 3.000)": {3, 0.5, 1}, "1.500 (1.000 to 2.000)": {2, 1}, "–": nil,
	} {
		if got := spread(in); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestCommandLineRefusesNonsense(t *testing.T) {
	for _, args := range [][]string{{"-store", "oracle"}, {"-op", "dance"}, {"-users", "0"}, {"-users", "x"}, {"-seconds", "0"}, {"-rounds", "0"}, {"more"}} {
		if _, err := parse(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
	o, err := parse([]string{"-op", "signin,wrong", "-users", "1,32"}, &bytes.Buffer{})
	if err != nil || names(o.ops) != "wrong,signin" || len(o.users) != 2 {
		t.Errorf("got %s %v, %v", names(o.ops), o.users, err)
	}
}

func TestAuthenticatorNeverUsesAStepTwice(t *testing.T) {
	a := &authenticator{secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"} // RFC 6238, appendix B
	code, err := a.code(time.Unix(1111111109, 0))
	if err != nil || code != "081804" {
		t.Errorf("got %s, %v; want 081804", code, err)
	}
	next, err := a.code(time.Unix(1111111109, 0))
	if err != nil || next == code {
		t.Errorf("got %s, %v after %s", next, err, code)
	}
	if again, err := a.code(time.Unix(1111111109, 0)); err == nil {
		t.Errorf("a third code in one step: %s", again)
	}
}
