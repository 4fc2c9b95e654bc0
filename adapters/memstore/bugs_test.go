package memstore

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/store/storetest"
)

// bugEnv tells a copy of this test binary which bug to run the kit on.
const bugEnv = "MEMSTORE_TEST_BUG"

// errTried takes back what was only tried.
var errTried = errors.New("tried")

// bugs are mistakes that an adapter might make.
func bugs() map[string]func(*seeded) {
	all := map[string]func(*seeded){}
	for _, part := range []map[string]func(*seeded){
		chargeBugs(), settleBugs(), startBugs(), sessionBugs(), messageBugs(), unitBugs(),
		thenBugs(), reuseBugs(), factBugs(), noticeBugs(), peopleBugs(), findBugs(), bookBugs(),
	} {
		maps.Copy(all, part)
	}
	return all
}

func TestKitFindsEverySeededBug(t *testing.T) {
	for name := range bugs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestStoreWithSeededBug$", "-test.failfast", "-rapid.nofailfile", "-rapid.shrinktime=1ms")
			cmd.Env = append(os.Environ(), bugEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestStoreWithSeededBug/") {
				t.Errorf("the kit did not find it: %v\n%.2000s", err, out)
			}
		})
	}
}

func TestSeededStoreWithoutBugPasses(t *testing.T) {
	none := func(*seeded) {}
	storetest.Run(t, func(testing.TB) store.Store { return newSeeded(none) })
}

// TestStoreWithSeededBug is run by TestKitFindsEverySeededBug in a copy of the
// test binary, where it must fail.
func TestStoreWithSeededBug(t *testing.T) {
	bug, ok := bugs()[os.Getenv(bugEnv)]
	if !ok {
		t.Skip("run by TestKitFindsEverySeededBug")
	}
	storetest.Run(t, func(testing.TB) store.Store { return newSeeded(bug) })
	storetest.RunConcurrency(t, func(testing.TB) (a, b store.Store) {
		x := newSeeded(bug)
		return x, x
	})
}

func chargeBugs() map[string]func(*seeded) {
	return map[string]func(*seeded){
		"charge forgets expiry": onCharge(func(x *seeded, in *store.Charge) {
			if c, err := x.Store.Challenge(context.Background(), in.Tenant, in.Handle, 0); err == nil && !in.Now.Before(c.ExpiresAt) {
				in.Now = c.ExpiresAt.Add(-time.Microsecond)
			}
		}),
		"charge ignores tenants": onCharge(func(x *seeded, in *store.Charge) {
			x.poke(func(st *state) { in.Tenant = st.challenges.rows[in.Handle].Tenant })
		}),
		"charge ignores formats": onCharge(func(x *seeded, in *store.Charge) {
			x.poke(func(st *state) { in.Formats = append(in.Formats, st.challenges.rows[in.Handle].Format) })
		}),
		"charge ignores live":    onCharge(func(_ *seeded, in *store.Charge) { in.Live = 0 }),
		"charge takes no window": onCharge(func(_ *seeded, in *store.Charge) { in.Windows = nil }),
		"charge ignores locks":   onCharge(func(_ *seeded, in *store.Charge) { in.Throttle.Factor = 0 }),
		"charge never disables":  onCharge(func(_ *seeded, in *store.Charge) { in.Throttle.DisableAt = 0 }),
		"charge counts no failure": afterCharge(func(st *state, in store.Charge, err error) {
			if key := st.challenges.rows[in.Handle].Counter; err == nil {
				n, _ := st.counters.get(key)
				n.Failures--
				st.counters.put(key, n)
			}
		}),
		"charge costs an attempt on refusal": afterCharge(func(st *state, in store.Charge, err error) {
			if c, ok := st.challenges.get(in.Handle); ok && err != nil {
				c.Attempts++
				st.challenges.put(in.Handle, c)
			}
		}),
		"charge takes windows on refusal": afterCharge(func(st *state, in store.Charge, err error) {
			if err != nil {
				_ = st.take(in.Windows, kept(in.Now))
			}
		}),
		"charge reads, thinks and writes": func(x *seeded) {
			x.charge = func(ctx context.Context, in store.Charge) (store.Charged, error) {
				before, _ := x.Store.Challenge(ctx, in.Tenant, in.Handle, 0)
				for range 100 { // let the others have their turn
					runtime.Gosched()
				}
				out, err := x.Store.Charge(ctx, in)
				if err == nil {
					x.pokeChallenge(in.Handle, func(c *challenge.Challenge) { c.Attempts = before.Attempts + 1 })
				}
				return out, err
			}
		},
	}
}

func settleBugs() map[string]func(*seeded) {
	return map[string]func(*seeded){
		"settle twice": onSettle(func(x *seeded, in *store.Settlement) {
			x.pokeChallenge(in.Handle, func(c *challenge.Challenge) {
				if c.Status == challenge.Verified {
					c.Status = challenge.Pending
				}
			})
		}),
		"settle accepts decoys": onSettle(func(x *seeded, in *store.Settlement) {
			x.pokeChallenge(in.Handle, func(c *challenge.Challenge) { c.Decoy = false })
		}),
		"settle ignores tenants": onSettle(func(x *seeded, in *store.Settlement) {
			x.poke(func(st *state) { in.Tenant = st.challenges.rows[in.Handle].Tenant })
		}),
		"settle reuses sign-ins": onSettle(func(x *seeded, in *store.Settlement) {
			x.poke(func(st *state) {
				if s, ok := st.signIns.get(in.UseSignIn); ok {
					s.UsedAt = time.Time{}
					st.signIns.put(s.ID, s)
				}
			})
		}),
		"settle ignores versions": onSettle(func(x *seeded, in *store.Settlement) {
			if in.Device != nil {
				change := *in.Device
				in.Device = &change
				x.poke(func(st *state) { change.Version = st.devices.rows[change.ID].Version })
			}
		}),
		"settle gives nothing back":     onSettle(func(_ *seeded, in *store.Settlement) { in.GiveBack = nil }),
		"settle clears no counter":      onSettle(func(_ *seeded, in *store.Settlement) { in.Counter = "" }),
		"settle records nothing":        onSettle(func(_ *seeded, in *store.Settlement) { in.Events = nil }),
		"settle proves no identifier":   onSettle(func(_ *seeded, in *store.Settlement) { in.Verify = nil }),
		"settle forgets once-keys":      onSettle(func(_ *seeded, in *store.Settlement) { in.Once = nil }),
		"settle strengthens no session": onSettle(func(_ *seeded, in *store.Settlement) { in.Strengthen = nil }),
		"settle keeps old recovery sheets": onSettle(func(x *seeded, in *store.Settlement) {
			if d := in.Recovery; d != nil {
				in.Recovery = nil
				x.poke(func(st *state) { st.devices.put(d.ID, *d) })
			}
		}),
		"settle begins the session even if refused": func(x *seeded) {
			x.settle = func(ctx context.Context, in store.Settlement) error {
				err := x.Store.Settle(ctx, in)
				if err != nil && in.Session != nil {
					x.poke(func(st *state) { st.sessions.put(in.Session.ID, *in.Session) })
				}
				return err
			}
		},
	}
}

func startBugs() map[string]func(*seeded) {
	return map[string]func(*seeded){
		"start keeps what was refused": onRefusedStart(func(st *state, in store.Start) { st.challenges.put(in.Challenge.Handle, in.Challenge) }),
		"start charges on refusal":     onRefusedStart(func(st *state, in store.Start) { _ = st.take(in.Windows, kept(in.Now)) }),
		"start names the first window": func(x *seeded) {
			x.start = func(ctx context.Context, in store.Start) error {
				for _, w := range in.Windows {
					err := x.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
						return errors.Join(tx.Challenges().Take(ctx, []limit.Charge{w}, in.Now), errTried)
					})
					if !errors.Is(err, errTried) || errors.Is(err, limit.ErrExceeded) || errors.Is(err, limit.ErrCooldown) {
						return err
					}
				}
				return x.Store.Start(ctx, in)
			}
		},
		"start loses the message": func(x *seeded) {
			x.start = func(ctx context.Context, in store.Start) error { in.Message = nil; return x.Store.Start(ctx, in) }
		},
	}
}

func sessionBugs() map[string]func(*seeded) {
	nothing := func(*state, *store.Rotate, session.Session) {}
	keep := func(*state, session.Session, error) {}
	return map[string]func(*seeded){
		"rotate knows no grace": onRotate(func(_ *state, in *store.Rotate, _ session.Session) { in.Grace = 0 }, keep),
		"rotate lets the blocked in": onRotate(func(st *state, _ *store.Rotate, s session.Session) {
			if u, ok := st.users.get(s.User); ok {
				u.Status = user.Active
				st.users.put(u.ID, u)
			}
		}, keep),
		"rotate does not keep the end of a family": onRotate(nothing, func(st *state, s session.Session, err error) {
			if errors.Is(err, session.ErrRevoked) {
				st.sessions.put(s.ID, s)
			}
		}),
		"session counts recovery sheets": func(x *seeded) {
			x.session = func(ctx context.Context, tenant, id string) (store.Signed, error) {
				out, err := x.Store.Session(ctx, tenant, id)
				x.poke(func(st *state) { out.Devices = len(st.devices.of(join(tenant, out.User.ID))) })
				return out, err
			}
		},
		"identify ignores tenants": func(x *seeded) {
			x.identify = func(ctx context.Context, _ string, c contact.Contact) (user.Account, error) {
				a, err := x.Store.Identify(ctx, "default", c)
				return a, err
			}
		},
		"read ignores live": func(x *seeded) {
			x.read = func(ctx context.Context, tenant, handle string, _ int) (challenge.Challenge, error) {
				return x.Store.Challenge(ctx, tenant, handle, 0)
			}
		},
	}
}

func messageBugs() map[string]func(*seeded) {
	return map[string]func(*seeded){
		"claim ignores leases": onClaim(func(m *store.Message, _ time.Time) { m.Leased = time.Time{} }),
		"claim forgets the late": onClaim(func(m *store.Message, now time.Time) {
			if !now.Before(m.Deadline) {
				m.NextAt = now.Add(time.Hour)
			}
		}),
		"claim ignores due times": onClaim(func(m *store.Message, _ time.Time) { m.NextAt = time.Time{} }),
		"finish ignores fences": onFinish(func(x *seeded, in *store.Finish) {
			x.poke(func(st *state) { in.Fence = st.messages.rows[in.ID].Fence })
		}),
		"finish of an old message shows": onFinish(func(x *seeded, in *store.Finish) {
			x.poke(func(st *state) { in.Number = st.challenges.rows[in.Handle].Sends })
		}),
		"finish gives nothing back": onFinish(func(_ *seeded, in *store.Finish) { in.GiveBack = nil }),
		"finish retries at once":    onFinish(func(_ *seeded, in *store.Finish) { in.RetryAt = in.Now }),
		"purge ignores batches": func(x *seeded) {
			x.purge = func(ctx context.Context, h store.Horizon) (int, error) { h.Batch = 0; return x.Store.Purge(ctx, h) }
		},
	}
}

func unitBugs() map[string]func(*seeded) {
	return map[string]func(*seeded){
		"a failed unit of work is kept": func(x *seeded) {
			x.do = func(ctx context.Context, fn func(context.Context, store.Tx) error) error {
				var failed error
				err := x.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error { failed = fn(ctx, tx); return nil })
				return errors.Join(err, failed)
			}
		},
		"users share memory with callers":    func(x *seeded) { x.state.users.copy = func(u user.User) user.User { return u } },
		"sessions share memory with callers": func(x *seeded) { x.state.sessions.copy = func(s session.Session) session.Session { return s } },
		"times keep their zone": func(x *seeded) {
			x.state.challenges.copy = func(c challenge.Challenge) challenge.Challenge { return c }
		},
		"cancelled contexts are ignored": func(x *seeded) {
			x.charge = func(_ context.Context, in store.Charge) (store.Charged, error) {
				return x.Store.Charge(context.Background(), in)
			}
		},
	}
}
