package argon2

import (
	"context"
	"time"

	"github.com/countersign/countersign/ports/password"
)

// soon is when those who were turned away may come again: by then the whole
// queue has been served on most machines.
const soon = time.Second

// gate lets few in at once and lets some wait, first come, first served.
type gate struct {
	slots  chan struct{} // one element for each one who is in
	places chan struct{} // one for each one who is in or waits
}

func newGate(slots, queue int) gate {
	return gate{slots: make(chan struct{}, slots), places: make(chan struct{}, slots+queue)}
}

// enter waits until there is a slot, which leave gives back. It gives ErrBusy
// when too many wait already, and when ctx ends first.
func (g gate) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return password.ErrBusy.Retry(soon).Because(ctx.Err())
	}
	select {
	case g.places <- struct{}{}:
	default:
		return password.ErrBusy.Retry(soon)
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-g.places
		return password.ErrBusy.Retry(soon).Because(ctx.Err())
	}
}

func (g gate) leave() {
	<-g.slots
	<-g.places
}
