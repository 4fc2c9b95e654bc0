package memstore

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/store"
)

func thenBugs() map[string]func(*seeded) {
	then := func(settle func(ctx context.Context, x *seeded, in store.Settlement, then func(context.Context) error) error) func(*seeded) {
		return func(x *seeded) {
			x.settle = func(ctx context.Context, in store.Settlement) error {
				more := in.Then
				if more == nil {
					return x.Store.Settle(ctx, in)
				}
				in.Then = nil
				return settle(ctx, x, in, func(ctx context.Context) error { return x.Store.Do(ctx, more) })
			}
		}
	}
	return map[string]func(*seeded){
		"then comes before the settlement": then(func(ctx context.Context, x *seeded, in store.Settlement, more func(context.Context) error) error {
			if err := more(ctx); err != nil {
				return err
			}
			return x.Store.Settle(ctx, in)
		}),
		"then comes after the commit": then(func(ctx context.Context, x *seeded, in store.Settlement, more func(context.Context) error) error {
			if err := x.Store.Settle(ctx, in); err != nil {
				return err
			}
			return more(ctx)
		}),
		"then comes after a refusal as well": then(func(ctx context.Context, x *seeded, in store.Settlement, more func(context.Context) error) error {
			err := x.Store.Settle(ctx, in)
			return errors.Join(err, more(ctx))
		}),
		"then is forgotten":      onSettle(func(_ *seeded, in *store.Settlement) { in.Then = nil }),
		"settle looks at nobody": onSettle(func(_ *seeded, in *store.Settlement) { in.Person = nil }),
		"settle looks only at who comes in": onSettle(func(_ *seeded, in *store.Settlement) {
			if in.Session == nil || in.Person == nil || in.Session.User != in.Person.ID {
				in.Person = nil
			}
		}),
		"settle takes for granted that nothing was ended": onSettle(func(x *seeded, in *store.Settlement) {
			if in.Person == nil {
				return
			}
			if u, ok := x.state.users.get(in.Person.ID); ok && u.Tenant == in.Tenant {
				in.Person = &store.Person{ID: u.ID, ResetAt: u.ResetAt}
			}
		}),
		"settle lets the blocked in": onSettle(func(x *seeded, in *store.Settlement) {
			if in.Person == nil {
				return
			}
			if u, ok := x.state.users.get(in.Person.ID); ok && !u.Active() && u.Tenant == in.Tenant {
				in.Person = nil
			}
		}),
		"settle takes answered challenges": onSettle(func(x *seeded, in *store.Settlement) {
			x.pokeChallenge(in.Handle, func(c *challenge.Challenge) {
				if !in.Answered && c.Status == challenge.Answered {
					c.Status = challenge.Pending
				}
			})
		}),
		"collect takes what nobody answered": onSettle(func(x *seeded, in *store.Settlement) {
			x.pokeChallenge(in.Handle, func(c *challenge.Challenge) {
				if in.Answered && c.Status == challenge.Pending {
					c.Status = challenge.Answered
				}
			})
		}),
		"collect forgets expiry": onSettle(func(x *seeded, in *store.Settlement) {
			if c, err := x.Store.Challenge(context.Background(), in.Tenant, in.Handle, 0); err == nil && in.Answered && !in.Now.Before(c.ExpiresAt) {
				in.Now = c.ExpiresAt.Add(-time.Microsecond)
			}
		}),
		"settle queues no facts":     onSettle(func(_ *seeded, in *store.Settlement) { in.Facts = nil }),
		"settle queues but one fact": onSettle(func(_ *seeded, in *store.Settlement) { in.Facts = in.Facts[:min(1, len(in.Facts))] }),
		"settle queues facts even if refused": func(x *seeded) {
			x.settle = func(ctx context.Context, in store.Settlement) error {
				err := x.Store.Settle(ctx, in)
				if err != nil {
					x.poke(func(st *state) { st.queue(in.Facts) })
				}
				return err
			}
		},
	}
}

func reuseBugs() map[string]func(*seeded) {
	reuse := func(rotate func(ctx context.Context, x *seeded, in store.Rotate, then func(context.Context, store.Signed) error) (store.Signed, error)) func(*seeded) {
		return func(x *seeded) {
			x.rotate = func(ctx context.Context, in store.Rotate) (store.Signed, error) {
				more := in.Then
				if more == nil {
					return x.Store.Rotate(ctx, in)
				}
				in.Then = nil
				return rotate(ctx, x, in, func(ctx context.Context, ended store.Signed) error {
					return x.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error { return more(ctx, tx, ended) })
				})
			}
		}
	}
	return map[string]func(*seeded){
		"what follows a reuse is forgotten": reuse(func(ctx context.Context, x *seeded, in store.Rotate, _ func(context.Context, store.Signed) error) (store.Signed, error) {
			return x.Store.Rotate(ctx, in)
		}),
		"what follows a reuse comes after the commit": reuse(func(ctx context.Context, x *seeded, in store.Rotate, more func(context.Context, store.Signed) error) (store.Signed, error) {
			out, err := x.Store.Rotate(ctx, in)
			if errors.Is(err, session.ErrReused) {
				if failed := more(ctx, out); failed != nil {
					err = failed
				}
			}
			return out, err
		}),
		"what follows a reuse follows every refusal": reuse(func(ctx context.Context, x *seeded, in store.Rotate, more func(context.Context, store.Signed) error) (store.Signed, error) {
			out, err := x.Store.Rotate(ctx, in)
			if errors.Is(err, session.ErrRevoked) {
				err = errors.Join(err, more(ctx, out))
			}
			return out, err
		}),
		"every use of an ended session counts as the one that ended it": func(x *seeded) {
			x.rotate = func(ctx context.Context, in store.Rotate) (store.Signed, error) {
				out, err := x.Store.Rotate(ctx, in)
				if errors.Is(err, session.ErrRevoked) && out.Session.Reason == session.Reused {
					err = session.ErrRevoked.Because(session.ErrReused)
				}
				return out, err
			}
		},
	}
}

func factBugs() map[string]func(*seeded) {
	return map[string]func(*seeded){
		"facts of a person come at once":  func(x *seeded) { x.state.facts.owner = nobody },
		"facts overtake one that is told": overtaking,
		"facts ignore leases":             onFacts(func(f *store.Fact, _ *store.ClaimFacts) { f.Leased = time.Time{} }),
		"facts ignore due times":          onFacts(func(f *store.Fact, in *store.ClaimFacts) { f.NextAt = in.Now }),
		"facts of other listeners are claimed": onFacts(func(f *store.Fact, in *store.ClaimFacts) {
			in.Listeners = append(in.Listeners, f.Listener)
		}),
		"a claim of facts takes more than it asks for": onFacts(func(_ *store.Fact, in *store.ClaimFacts) { in.Max = 1000 }),
		"a claim of facts reads, thinks and writes": func(x *seeded) {
			x.facts = func(ctx context.Context, in store.ClaimFacts) ([]store.Fact, error) {
				before := map[string]store.Fact{}
				x.poke(func(st *state) { maps.Copy(before, st.facts.rows) })
				for range 10 { // let the others have their turn
					runtime.Gosched()
				}
				x.poke(func(st *state) {
					for key := range st.facts.rows {
						if old, ok := before[key]; ok {
							st.facts.put(key, old)
						}
					}
				})
				return x.Store.ClaimFacts(ctx, in)
			}
		},
		"a claim of facts counts no try": func(x *seeded) {
			x.facts = func(ctx context.Context, in store.ClaimFacts) ([]store.Fact, error) {
				out, err := x.Store.ClaimFacts(ctx, in)
				for i := range out {
					out[i].Tries--
				}
				return out, err
			}
		},
		"a finished fact ignores fences": onDone(func(x *seeded, in *store.FinishFact) {
			x.poke(func(st *state) { in.Fence = st.facts.rows[join(in.Listener, in.Event)].Fence })
		}),
		"a fact that is put back comes at once": onDone(func(_ *seeded, in *store.FinishFact) { in.RetryAt = time.Time{} }),
		"a fact that is put back is gone":       onDone(func(_ *seeded, in *store.FinishFact) { in.Done = true }),
	}
}

// overtaking claims as if what is told to a person held nothing up but itself.
func overtaking(x *seeded) {
	x.facts = func(ctx context.Context, in store.ClaimFacts) ([]store.Fact, error) {
		leased := map[string]store.Fact{}
		x.poke(func(st *state) {
			for key, f := range st.facts.rows {
				if in.Now.Before(f.Leased) && st.isOlder(f) {
					leased[key] = f
				}
			}
			for key := range leased {
				st.facts.remove(key)
			}
		})
		out, err := x.Store.ClaimFacts(ctx, in)
		x.poke(func(st *state) {
			for key, f := range leased {
				st.facts.put(key, f)
			}
		})
		return out, err
	}
}

// isOlder reports whether there is an older fact of the same person.
func (st *state) isOlder(f store.Fact) bool {
	for _, o := range st.facts.of(ownerOfFact(f)) {
		if o.Event.ID < f.Event.ID {
			return true
		}
	}
	return false
}

// onDone has fn change what became of facts.
func onDone(fn func(*seeded, *store.FinishFact)) func(*seeded) {
	return func(x *seeded) {
		x.done = func(ctx context.Context, in store.FinishFact) (bool, error) {
			fn(x, &in)
			return x.Store.FinishFact(ctx, in)
		}
	}
}

func noticeBugs() map[string]func(*seeded) {
	messages := func(change func(m *store.Message)) func(*seeded) {
		return func(x *seeded) {
			x.state.messages.copy = func(m store.Message) store.Message {
				m = copyMessage(m)
				change(&m)
				return m
			}
		}
	}
	inNotice := func(change func(n *store.Notice)) func(*seeded) {
		return messages(func(m *store.Message) {
			if m.Notice != nil {
				change(m.Notice)
			}
		})
	}
	return map[string]func(*seeded){
		"notices need a challenge":          messages(func(m *store.Message) { m.Notice = nil }),
		"messages need no challenge":        messages(func(m *store.Message) { m.Notice = notNil(m.Notice) }),
		"notices lose whom they are for":    inNotice(func(n *store.Notice) { n.To.Value = n.To.Mask() }),
		"notices lose what is to be said":   inNotice(func(n *store.Notice) { n.Data = nil }),
		"notices lose when it happened":     inNotice(func(n *store.Notice) { n.At = time.Time{} }),
		"challenges lose what few have":     func(x *seeded) { x.state.challenges.copy = withoutExtra },
		"purge takes notices for orphans":   onPurge(func(m store.Message) bool { return m.Notice != nil }),
		"purge forgets what waits":          onHorizon(func(h *store.Horizon) { h.Waiting = time.Time{} }),
		"purge takes all that waits":        onHorizon(func(h *store.Horizon) { h.Waiting = h.Waiting.AddDate(1, 0, 0) }),
		"purge keeps what is not proven":    onHorizon(func(h *store.Horizon) { h.Unproven = time.Time{} }),
		"purge takes all that is unproven":  onHorizon(func(h *store.Horizon) { h.Unproven = h.Unproven.AddDate(1, 0, 0) }),
		"purge takes devices that work":     onDevices,
		"purge forgets facts":               onHorizon(func(h *store.Horizon) { h.Facts = time.Time{} }),
		"purge takes changes with sessions": onHorizon(func(h *store.Horizon) { h.Waiting = h.Sessions }),
	}
}

func notNil(n *store.Notice) *store.Notice {
	if n == nil {
		n = &store.Notice{}
	}
	return n
}

func withoutExtra(c challenge.Challenge) challenge.Challenge {
	c = copyChallenge(c)
	c.Extra = challenge.Extra{}
	return c
}

func onPurge(also func(store.Message) bool) func(*seeded) {
	return func(x *seeded) {
		x.purge = func(ctx context.Context, h store.Horizon) (int, error) {
			n, err := x.Store.Purge(ctx, h)
			x.poke(func(st *state) { n += st.messages.removeIf(h.Batch, also) })
			return n, err
		}
	}
}

// onDevices takes devices whatever they have proven.
func onDevices(x *seeded) {
	x.purge = func(ctx context.Context, h store.Horizon) (int, error) {
		n, err := x.Store.Purge(ctx, h)
		x.poke(func(st *state) {
			n += st.devices.removeIf(h.Batch, func(d store.Device) bool { return d.CreatedAt.Before(h.Unproven) })
		})
		return n, err
	}
}

func onHorizon(fn func(*store.Horizon)) func(*seeded) {
	return func(x *seeded) {
		x.purge = func(ctx context.Context, h store.Horizon) (int, error) {
			fn(&h)
			return x.Store.Purge(ctx, h)
		}
	}
}
