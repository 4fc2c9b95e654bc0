package delivery_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// call queues a message to a number.
func (r *rig) call(t *testing.T, to string) store.Start {
	t.Helper()
	s := r.start(t, false)
	s.Challenge.Kind, s.Challenge.Destination = contact.Phone, to
	r.queue(t, s)
	return s
}

func TestWhatStandsInSendsToItsOwnCountriesOnly(t *testing.T) {
	all, britain, germany := []string(nil), []string{"44"}, []string{"49"}
	down := fmt.Errorf("%w: status 401", channel.ErrRefused)
	for name, k := range map[string]struct {
		first, other []string
		err          error
		want         [2]int // messages by the first and by the other
		fate         challenge.Delivery
	}{
		"the first serves":                      {britain, all, nil, [2]int{1, 0}, challenge.Sent},
		"the other serves when the first fails": {britain, britain, down, [2]int{0, 1}, challenge.Sent},
		"the other does not serve":              {britain, germany, down, [2]int{0, 0}, challenge.Failed},
		"only the other serves":                 {germany, britain, nil, [2]int{0, 1}, challenge.Sent},
		"neither serves":                        {germany, germany, nil, [2]int{0, 0}, challenge.Sent}, // so we say
	} {
		t.Run(name, func(t *testing.T) {
			bubbleOf(t, func(t *testing.T) *rig { return rigOf(t, channel.Phone, k.first, k.other) }, func(t *testing.T, r *rig) {
				if k.err != nil {
					r.first.errs = []error{k.err}
				}
				s := r.call(t, "+447400123456")
				time.Sleep(time.Second)
				synctest.Wait()
				if got := [2]int{r.first.sent(), r.other.sent()}; got != k.want || r.fate(t, s) != k.fate {
					t.Errorf("sent %v, delivery %q, want %v, %q", got, r.fate(t, s), k.want, k.fate)
				}
				if got := len(r.failures(t, "default")); (got > 0) != (k.fate == challenge.Failed) {
					t.Errorf("%d events tell of failure", got)
				}
			})
		})
	}
}

func TestANoticeKeepsToTheCountries(t *testing.T) {
	bubbleOf(t, func(t *testing.T) *rig { return rigOf(t, channel.Phone, []string{"44"}, []string{"49"}) }, func(t *testing.T, r *rig) {
		for _, to := range []string{"+447400123456", "+4915112345678", "+31612345678"} {
			r.tell(t, message.DeviceAdded, func(m *store.Message) { m.Notice.To = contact.Contact{Kind: contact.Phone, Value: to} })
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if first, other := r.first.sent(), r.other.sent(); first != 1 || other != 1 || r.waiting(t) != 0 {
			t.Errorf("sent %d and %d, and %d wait", first, other, r.waiting(t))
		}
	})
}
