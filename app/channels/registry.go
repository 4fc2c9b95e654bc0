package channels

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
)

// ErrNotConfigured means that nothing configured here can do what is asked.
var ErrNotConfigured = fault.New(fault.Malformed, "not_configured", "This is not switched on here.")

// Instance is one configured and opened channel.
type Instance struct {
	channel.Descriptor

	ID       string
	Channel  channel.Channel
	Sender   channel.Sender // nil if it sends nothing
	Fallback []string
	Regions  []string // countries that it sends to; none means all
}

// Serves reports whether the channel sends to a country.
func (i Instance) Serves(region string) bool {
	return len(i.Regions) == 0 || slices.Contains(i.Regions, region)
}

// Form is how its messages are written.
func (i Instance) Form() message.Form {
	if i.Descriptor.Form != "" {
		return message.Form(i.Descriptor.Form)
	}
	switch i.Address {
	case channel.Email:
		return message.Email
	case channel.Phone:
		return message.SMS
	case channel.NoAddress, channel.Account:
	}
	return message.Chat
}

// Reaches reports whether the channel can speak to an address of this kind.
func (i Instance) Reaches(k contact.Kind) bool {
	return i.Address != channel.NoAddress && string(i.Address) == string(k)
}

// Registry is every configured channel, ordered by instance id. It does not
// change after it was opened and is safe for concurrent use.
type Registry struct {
	order []Instance
	byID  map[string]Instance
}

func (r *Registry) add(in Instance) {
	r.byID[in.ID] = in
	r.order = append(r.order, in)
	slices.SortFunc(r.order, func(a, b Instance) int { return strings.Compare(a.ID, b.ID) })
}

// check refuses fall-backs that are not there or speak to other addresses.
func (r *Registry) check() error {
	var errs []error
	for _, in := range r.order {
		for _, id := range in.Fallback {
			other, ok := r.byID[id]
			switch {
			case !ok:
				errs = append(errs, fmt.Errorf("channels.%s.fallback: there is no channel %q", in.ID, id))
			case other.Address != in.Address || other.Sender == nil || in.Costs || other.Costs:
				errs = append(errs, fmt.Errorf("channels.%s.fallback: %q does not send to the same kind of address", in.ID, id))
			}
		}
	}
	return errors.Join(errs...)
}

// Get returns an instance, or ErrNotConfigured.
func (r *Registry) Get(id string) (Instance, error) {
	in, ok := r.byID[id]
	if !ok {
		return Instance{}, ErrNotConfigured
	}
	return in, nil
}

// All lists the instances, ordered by id.
func (r *Registry) All() []Instance { return slices.Clone(r.order) }

// Proves reports whether the channel can bring a code to an address of this
// kind: ours, which it sends, or one that its provider makes and sends.
func (i Instance) Proves(k contact.Kind) bool { return i.Reaches(k) && (i.Sender != nil || i.Costs) }

// Senders is the part of Route that can carry any message, and not only codes of
// its own.
func (r *Registry) Senders(k contact.Kind) []Instance {
	return slices.DeleteFunc(r.Route(k), func(in Instance) bool { return in.Sender == nil || in.Costs })
}

// Route lists what brings a code to an address of this kind, the best first: the
// instance that is named after the kind, then by id. Instances that only stand in
// for others come last.
func (r *Registry) Route(k contact.Kind) []Instance {
	var out, standIns []Instance
	for _, in := range r.order {
		switch {
		case !in.Proves(k):
		case r.standsIn(in.ID):
			standIns = append(standIns, in)
		case in.ID == string(k):
			out = slices.Insert(out, 0, in)
		default:
			out = append(out, in)
		}
	}
	return append(out, standIns...)
}

func (r *Registry) standsIn(id string) bool {
	return slices.ContainsFunc(r.order, func(in Instance) bool { return slices.Contains(in.Fallback, id) })
}

// Backup returns the channel of recovery codes, if one is configured.
func (r *Registry) Backup() (Instance, bool) {
	for _, in := range r.order {
		if in.Backup {
			return in, true
		}
	}
	return Instance{}, false
}

// Close closes every channel that holds something.
func (r *Registry) Close(ctx context.Context) error {
	var errs []error
	for _, in := range r.order {
		if c, ok := channel.As[channel.Closer](in.Channel); ok {
			if err := c.Close(ctx); err != nil {
				errs = append(errs, fmt.Errorf("close channel %q: %w", in.ID, err))
			}
		}
	}
	return errors.Join(errs...)
}
