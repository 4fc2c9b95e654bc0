package devinbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/plugins/devinbox"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

func TestConformance(t *testing.T) {
	for i, p := range devinbox.Plugins(devinbox.New()) {
		t.Run(p.Type, func(t *testing.T) {
			channeltest.Run(t, channeltest.Suite{Plugin: p, Address: []string{"ann@example.com", "+441234567890"}[i], Respond: channeltest.TypeLastCode})
		})
	}
}

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func to(address string) channel.Message {
	return channel.Message{To: address, Code: "482915", Text: "Your code is 482915."}
}

func TestListIsNewestFirstAndFiltered(t *testing.T) {
	b := devinbox.New()
	for i, m := range []struct{ channel, to string }{{"email", "ann@example.com"}, {"sms", "+44"}, {"email", "bob@example.com"}, {"email", "ann@example.com"}} {
		b.Put(m.channel, to(m.to), noon().Add(time.Duration(i)*time.Minute))
	}
	for want, f := range map[string]devinbox.Filter{
		"[4 3 2 1]": {}, "[4 1]": {To: " ANN@example.com"}, "[2]": {Channel: "sms"}, "[4 3]": {Since: noon().Add(2 * time.Minute)},
		"[4]": {To: "ann@example.com", After: 1}, "[]": {To: "ann"},
	} {
		got := []int64{}
		for _, m := range b.List(f) {
			got = append(got, m.Seq)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%+v: %v, want %s", f, got, want)
		}
	}
	b.Put("email", channel.Message{To: "ann@example.com", Subject: "Your password was changed", Text: "It was changed."}, noon())
	for kind, want := range map[string]int{"": 5, "code": 4, "notice": 1} {
		if got := len(b.List(devinbox.Filter{Kind: kind})); got != want {
			t.Errorf("kind %q: %d messages, want %d", kind, got, want)
		}
	}
	b.Clear()
	if len(b.List(devinbox.Filter{})) != 0 || b.Put("sms", to("+44"), noon()).Seq != 6 {
		t.Error("not cleared, or counting anew")
	}
}

func TestOnlyTheNewestThousandAreKept(t *testing.T) {
	b := devinbox.New()
	for range 1234 {
		b.Put("sms", to("+44"), noon())
	}
	list := b.List(devinbox.Filter{})
	if len(list) != 1000 || list[0].Seq != 1234 || list[999].Seq != 235 {
		t.Errorf("%d messages from %d to %d", len(list), list[len(list)-1].Seq, list[0].Seq)
	}
}

func TestLatestWaitsForTheMessageThatFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := devinbox.New()
		got := make(chan devinbox.Message)
		go func() {
			m, err := b.Latest(t.Context(), devinbox.Filter{To: "ann@example.com"})
			if err != nil {
				t.Error(err)
			}
			got <- m
		}()
		synctest.Wait()
		b.Put("email", to("bob@example.com"), noon())
		synctest.Wait()
		select {
		case m := <-got:
			t.Fatalf("returned %v", m)
		default:
		}
		b.Put("email", to("ann@example.com"), noon())
		if m := <-got; m.To != "ann@example.com" || m.Code != "482915" {
			t.Errorf("%v", m)
		}
		if m, err := b.Latest(t.Context(), devinbox.Filter{To: "ann@example.com"}); err != nil || m.Seq != 2 {
			t.Errorf("what is there already: %v, %v", m, err)
		}
	})
}

func TestLatestGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := devinbox.New().Latest(ctx, devinbox.Filter{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestManyWaitersAndSendersMeet(t *testing.T) {
	b := devinbox.New()
	var wg sync.WaitGroup
	for i := range 50 {
		address := fmt.Sprintf("p%d@example.com", i)
		wg.Go(func() {
			if m, err := b.Latest(t.Context(), devinbox.Filter{To: address}); err != nil || m.To != address {
				t.Errorf("%v, %v", m, err)
			}
		})
		wg.Go(func() { b.Put("email", to(address), noon()) })
	}
	wg.Wait()
}

// open gives the e-mail sender of an instance.
func open(t *testing.T, b *devinbox.Inbox, instance string, random []byte) channel.Sender {
	t.Helper()
	ch, err := devinbox.Plugins(b)[0].Open(t.Context(), channeltest.Decoder(""), channel.Env{Instance: instance, Now: noon, Random: bytes.NewReader(random)})
	if err != nil {
		t.Fatal(err)
	}
	s, ok := channel.As[channel.Sender](ch)
	if !ok {
		t.Fatal("cannot send")
	}
	return s
}

func TestSameKeyIsTheSameMessage(t *testing.T) {
	b := devinbox.New()
	s := open(t, b, "email", nil)
	m := to("ann@example.com")
	m.Key, m.Subject, m.HTML, m.Link = "k1", "subject", "<p>", "https://login.example.com/l/x"
	one, err := s.Send(t.Context(), m)
	two, err2 := s.Send(t.Context(), m)
	list := b.List(devinbox.Filter{})
	if err != nil || err2 != nil || one != two || len(list) != 1 {
		t.Fatalf("%v, %v, %d messages", one, two, len(list))
	}
	got := list[0]
	if got.Channel != "email" || !got.At.Equal(noon()) || got.Subject != m.Subject || got.HTML != m.HTML || got.Link != m.Link || got.Text != m.Text {
		t.Error("something is missing")
	}
}

func TestChaosFailsAsOftenAsAskedFor(t *testing.T) {
	b := devinbox.New()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	s := open(t, b, "email", all)
	if err := b.SetChaos("email", devinbox.Chaos{FailPercent: 30, Status: 500}); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for range 200 {
		if _, err := s.Send(t.Context(), to("ann@example.com")); errors.Is(err, channel.ErrUnavailable) {
			failed++
		}
	}
	if failed != 60 {
		t.Errorf("%d of 200 failed", failed)
	}
}

func TestChaosSpeaksTheCoresLanguage(t *testing.T) {
	throttled := func(err error) bool { _, ok := errors.AsType[*channel.ThrottledError](err); return ok }
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	for status, want := range map[int]func(error) bool{
		0: is(channel.ErrUnavailable), 500: is(channel.ErrUnavailable), 401: is(channel.ErrRefused), 429: throttled, 422: is(channel.ErrUndeliverable),
	} {
		b := devinbox.New()
		s := open(t, b, "email", make([]byte, 8))
		if err := b.SetChaos("", devinbox.Chaos{FailPercent: 100, Status: status}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Send(t.Context(), to("ann@example.com")); !want(err) {
			t.Errorf("%d: %v", status, err)
		}
		if len(b.List(devinbox.Filter{})) != 0 {
			t.Error("a failed message arrived")
		}
	}
}

func TestChaosOfOneChannelLeavesOthersAlone(t *testing.T) {
	b := devinbox.New()
	if err := b.SetChaos("sms", devinbox.Chaos{FailPercent: 100}); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, b, "email", nil).Send(t.Context(), to("ann@example.com")); err != nil {
		t.Error(err)
	}
}

func TestDelayTakesItsTimeButNotLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := devinbox.New()
		s := open(t, b, "email", nil)
		if err := b.SetChaos("email", devinbox.Chaos{Delay: 3 * time.Second}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := s.Send(t.Context(), to("ann@example.com")); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := s.Send(ctx, to("ann@example.com")); !errors.Is(err, channel.ErrUnavailable) || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestSenselessChaosIsRefused(t *testing.T) {
	b := devinbox.New()
	for _, c := range []devinbox.Chaos{{FailPercent: 101}, {FailPercent: -1}, {Delay: -1}, {Delay: time.Hour}, {Status: 200}, {Status: 700}} {
		if b.SetChaos("email", c) == nil || b.Chaos("email") != (devinbox.Chaos{}) {
			t.Errorf("accepted %+v", c)
		}
	}
}

func TestMessagesPrintWithoutContent(t *testing.T) {
	m := devinbox.New().Put("email", to("ann@example.com"), noon())
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(format, m); strings.Contains(text, "482915") || strings.Contains(text, "ann") {
			t.Errorf("%s", text)
		}
	}
}

func TestStandInsSendCodesOfOurs(t *testing.T) {
	provider := channel.Descriptor{Type: "verify", Title: "Verify", Summary: "Checks.", Address: channel.Phone, Factor: channel.Possession, MaxAAL: 2, Costs: true}
	if p := devinbox.StandIn(devinbox.New(), provider); p.Costs || p.Type != "verify" || p.Address != channel.Phone {
		t.Errorf("%+v", p.Descriptor)
	}
}
