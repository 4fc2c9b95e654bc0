package channeltest_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

type none struct{}

func (none) Validate() error { return nil }

// loose takes whatever it is given, which is a bug.
type loose map[string]int

func (loose) Validate() error { return nil }

// token is a channel that computes: a little TOTP.
func token(b bug) channel.Plugin {
	d := channel.Descriptor{Type: "token", Title: "Token", Summary: "Computes.", Factor: channel.Possession, MaxAAL: 2, AMR: []string{"otp"}}
	if b == "unknown config key accepted" {
		return channel.Define(d, func() loose { return loose{} }, func(_ context.Context, _ loose, env channel.Env) (channel.Channel, error) {
			return gadget{b, env}, nil
		})
	}
	return channel.Define(d, func() none { return none{} }, func(_ context.Context, _ none, env channel.Env) (channel.Channel, error) {
		return gadget{b, env}, nil
	})
}

type gadget struct {
	bug bug
	env channel.Env
}

type gadgetData struct {
	Secret []byte `json:"secret"`
	Step   int64  `json:"step"`
}

func (d gadgetData) code(step int64) string {
	mac := hmac.New(sha256.New, d.Secret)
	fmt.Fprint(mac, step)
	return hex.EncodeToString(mac.Sum(nil))[:10]
}

func (g gadget) Begin(_ context.Context, c channel.Challenge) (channel.Opening, error) {
	prompt := channel.EnterCode(channel.Shape{Length: 10, Alphabet: channel.Crockford})
	if c.Purpose != channel.Enroll {
		return channel.Opening{Prompt: prompt}, nil
	}
	secret := make([]byte, 16)
	source := g.env.Random
	if g.bug == "chance not injected" {
		source = rand.Reader
	}
	if _, err := io.ReadFull(source, secret); err != nil {
		return channel.Opening{}, err
	}
	if g.bug == "setup secret logged" {
		g.env.Log.Info("enrolled", "secret", hex.EncodeToString(secret))
	}
	state, err := json.Marshal(gadgetData{Secret: secret})
	return channel.Opening{Prompt: prompt.Showing(hex.EncodeToString(secret)), State: state}, err
}

func (g gadget) Verify(_ context.Context, c channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	known := []byte(c.Credential)
	if c.Purpose == channel.Enroll {
		known = s
	}
	var d gadgetData
	if err := json.Unmarshal(known, &d); err != nil || len(d.Secret) == 0 {
		if g.bug == "panics on a broken credential" {
			panic(known[0])
		}
		return channel.Verdict{}, fmt.Errorf("stored device is unreadable")
	}
	step := g.env.Now().Unix() / 30
	if !hmac.Equal([]byte(r.Code), []byte(d.code(step))) {
		if g.bug == "refusal with a credential" {
			return channel.Verdict{Outcome: channel.Rejected, Reason: channel.Mismatch, Credential: known}, nil
		}
		return channel.Reject(channel.Mismatch), nil
	}
	if step <= d.Step && g.bug != "step not compared" {
		return channel.Reject(channel.Replayed), nil
	}
	if g.bug != "step not stored" {
		d.Step = step
	}
	next, err := json.Marshal(d)
	switch g.bug {
	case "credential changed in place":
		if c.Purpose == channel.Authenticate {
			next = append(c.Credential[:0], next...)
		}
	case "state changed in place":
		clear(known)
	}
	return channel.Verdict{Outcome: channel.Verified, Credential: next}, err
}

// Import makes a device of a secret.
func (g gadget) Import(secret []byte) (channel.Credential, error) {
	switch {
	case g.bug == "import logs the secret":
		g.env.Log.Info("import", "secret", string(secret))
	case g.bug == "import refuses everything":
		return nil, errors.New("no")
	}
	if len(secret) < 16 && g.bug != "import takes anything" {
		if g.bug == "import shows the secret" {
			return nil, fmt.Errorf("%q is too short", secret)
		}
		return nil, errors.New("too short")
	}
	if g.bug == "import shares memory" {
		return secret, nil
	}
	return json.Marshal(gadgetData{Secret: secret})
}

// tokenSuite plays a person who notes every secret they are shown.
func tokenSuite(_ *testing.T, b bug) channeltest.Suite {
	var d gadgetData
	return channeltest.Suite{Plugin: token(b), Respond: func(tb testing.TB, s channeltest.Scene) channel.Response {
		if len(s.Prompt.Show) > 0 {
			secret, err := hex.DecodeString(s.Prompt.Show[0])
			if err != nil {
				tb.Fatal(err)
			}
			d.Secret = secret
		}
		return channel.Response{Code: d.code(s.Clock.Now().Unix() / 30)}
	}}
}

// sheet is a channel of codes that are crossed out when used.
func sheet(b bug) channel.Plugin {
	d := channel.Descriptor{Type: "sheet", Title: "Sheet", Summary: "Crosses out.", Factor: channel.Possession, MaxAAL: 1, AMR: []string{"otp"}, Backup: true}
	return channel.Define(d, func() none { return none{} }, func(_ context.Context, _ none, env channel.Env) (channel.Channel, error) {
		return paper{b, env}, nil
	})
}

type paper struct {
	bug bug
	env channel.Env
}

func (p paper) Begin(_ context.Context, c channel.Challenge) (channel.Opening, error) {
	o := channel.Opening{Prompt: channel.EnterCode(channel.Shape{Length: 16, Alphabet: channel.Crockford})}
	if c.Purpose != channel.Enroll {
		return o, nil
	}
	raw := make([]byte, 8*4)
	if _, err := io.ReadFull(p.env.Random, raw); err != nil {
		return o, err
	}
	var sums []string
	for i := range 4 {
		code := hex.EncodeToString(raw[8*i : 8*i+8])
		o.Prompt.Show = append(o.Prompt.Show, code)
		sums = append(sums, fmt.Sprintf("%x", sha256.Sum256([]byte("pepper"+code))))
	}
	o.State = channel.State(strings.Join(sums, " "))
	o.Credential = channel.Credential(o.State)
	if p.bug == "bound at once to nothing" {
		o.Credential = channel.Credential("0")
	}
	return o, nil
}

func (p paper) Verify(_ context.Context, c channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	known := []byte(c.Credential)
	if c.Purpose == channel.Enroll {
		known = s
	}
	sums := strings.Fields(string(known))
	at := slices.Index(sums, fmt.Sprintf("%x", sha256.Sum256([]byte("pepper"+r.Code))))
	if at < 0 {
		return channel.Reject(channel.Mismatch), nil
	}
	if p.bug == "recovery code reusable" {
		return channel.Verdict{Outcome: channel.Verified, Credential: bytes.Clone(known)}, nil
	}
	return channel.Verdict{Outcome: channel.Verified, Credential: channel.Credential(strings.Join(slices.Delete(sums, at, at+1), " "))}, nil
}

// sheetSuite plays a person who keeps the last sheet.
func sheetSuite(_ *testing.T, b bug) channeltest.Suite {
	var codes []string
	return channeltest.Suite{Plugin: sheet(b), Respond: func(tb testing.TB, s channeltest.Scene) channel.Response {
		if len(s.Prompt.Show) > 0 {
			codes = s.Prompt.Show
		}
		if len(codes) == 0 {
			tb.Fatal("all codes are used")
		}
		code := codes[0]
		codes = codes[1:]
		return channel.Response{Code: code}
	}}
}
