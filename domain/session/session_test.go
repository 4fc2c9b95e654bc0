package session

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

const grace = 10 * time.Second

func third() Session {
	return Session{Generation: 3, RotatedAt: noon, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
}

func TestRotationAcceptsTheNewestTokenAndForgivesALostAnswer(t *testing.T) {
	end := func(s *Session) { s.Revoke(noon, SignedOut) }
	live := func(*Session) {}
	for name, x := range map[string]struct {
		change     func(*Session)
		generation uint32
		at         time.Duration
		want       error
		next       uint32
		reason     Reason
	}{
		"newest":                       {live, 3, time.Minute, nil, 4, ""},
		"newest at the last moment":    {live, 3, time.Hour - 1, nil, 4, ""},
		"newest when it expires":       {live, 3, time.Hour, ErrInvalid, 3, ""},
		"the one before, within grace": {live, 2, grace - 1, nil, 3, ""},
		"the one before, after grace":  {live, 2, grace, ErrReused, 3, Reused},
		"an older one, within grace":   {live, 1, 0, ErrReused, 3, Reused},
		"none":                         {live, 0, 0, ErrReused, 3, Reused},
		"the next":                     {live, 4, 0, ErrInvalid, 3, ""},
		"the largest":                  {live, 1<<32 - 1, 0, ErrInvalid, 3, ""},
		"newest of an ended session":   {end, 3, 0, ErrRevoked, 3, SignedOut},
		"older of an ended session":    {end, 1, 0, ErrRevoked, 3, SignedOut},
		"older of an expired session":  {live, 1, time.Hour, ErrInvalid, 3, ""},
	} {
		s := third()
		x.change(&s)
		err := s.Rotate(x.generation, noon.Add(x.at), grace)
		if !errors.Is(err, x.want) || s.Generation != x.next || s.Reason != x.reason {
			t.Errorf("%s: %v, generation %d, reason %q; want %v, %d, %q", name, err, s.Generation, s.Reason, x.want, x.next, x.reason)
		}
		if errors.Is(err, ErrReused) != (s.Reason == Reused) || errors.Is(err, ErrReused) && !errors.Is(err, ErrRevoked) {
			t.Errorf("%s: %v, and the session ended for %q", name, err, s.Reason)
		}
		if s.RevokedAt.IsZero() != (s.Reason == "") {
			t.Errorf("%s: revoked at %v for %q", name, s.RevokedAt, s.Reason)
		}
	}
}

func TestASpentTokenIsNeverGoodAgain(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, now := third(), noon
		rt.Repeat(map[string]func(*rapid.T){
			"rotate": func(rt *rapid.T) {
				g := rapid.Uint32Range(1, 8).Draw(rt, "generation")
				before := s
				err := s.Rotate(g, now, grace)
				if err == nil && (g+1 < before.Generation || g > before.Generation || !before.Alive(now)) {
					rt.Fatalf("generation %d was accepted at %d", g, before.Generation)
				}
				if s.Generation < before.Generation || s.Generation > before.Generation+1 {
					rt.Fatalf("generation went from %d to %d", before.Generation, s.Generation)
				}
				if !before.RevokedAt.IsZero() && (s.RevokedAt != before.RevokedAt || s.Reason != before.Reason || err == nil) {
					rt.Fatal("an ended session changed")
				}
			},
			"wait": func(rt *rapid.T) {
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, grace, 20 * time.Minute}).Draw(rt, "wait"))
			},
		})
	})
}

func TestEndingASessionTwiceChangesNothing(t *testing.T) {
	s := third()
	s.Revoke(noon, SignedOut)
	s.Revoke(noon.Add(time.Hour), UserClosed)
	if s.Reason != SignedOut || !s.RevokedAt.Equal(noon) || s.Alive(noon) {
		t.Errorf("ended for %q at %v", s.Reason, s.RevokedAt)
	}
}

func TestASignInIsContinuedOnceAndInTime(t *testing.T) {
	for name, x := range map[string]struct {
		s    SignIn
		want error
	}{
		"in time":          {SignIn{ExpiresAt: noon.Add(1)}, nil},
		"late":             {SignIn{ExpiresAt: noon}, ErrPendingExpired},
		"used":             {SignIn{ExpiresAt: noon.Add(1), UsedAt: noon}, ErrPendingInvalid},
		"used before late": {SignIn{ExpiresAt: noon, UsedAt: noon.Add(-1)}, ErrPendingInvalid},
	} {
		if err := x.s.Refusal(noon); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
	}
}
