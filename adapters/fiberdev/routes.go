package fiberdev

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/domain/fault"
)

// Refusals of these routes.
var (
	errNoMessage = fault.New(fault.NotFound, "not_found", "No such message has come.")
	errRequest   = fault.New(fault.Invalid, "invalid_request", "Something in the request will not do.")
	errForeign   = fault.New(fault.Forbidden, "forbidden", "Forms of other sites are not accepted.")
)

const (
	longestWait = 30 * time.Second
	farthest    = 10 * 365 * 24 * time.Hour // that the clock moves at once
)

func (d dev) list(c *fiber.Ctx) error {
	f, err := filter(c)
	if err != nil {
		return err
	}
	return answer(c, d.Inbox.List(f))
}

// latest waits by the host's clock, whatever the moved one says, and not by the
// request's own time limit, which is shorter.
func (d dev) latest(c *fiber.Ctx) error {
	f, err := filter(c)
	if err != nil {
		return err
	}
	wait, err := span("?wait", c.Query("wait", "0s"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), max(0, min(wait, longestWait)))
	defer cancel()
	m, err := d.Inbox.Latest(ctx, f)
	if errors.Is(err, context.DeadlineExceeded) {
		return errNoMessage
	}
	if err != nil {
		return err
	}
	return answer(c, m)
}

func filter(c *fiber.Ctx) (f Filter, err error) {
	f.To, f.Channel, f.Kind = c.Query("to"), c.Query("channel"), c.Query("kind")
	if f.Kind != "" && f.Kind != "code" && f.Kind != "notice" {
		return f, bad("?kind", "Use code or notice.")
	}
	if number, ok := strings.CutPrefix(f.To, " "); ok && strings.Trim(number, "0123456789") == "" {
		f.To = "+" + number // a plus in an address bar means a space, and nobody remembers
	}
	if text := c.Query("since"); text != "" {
		if f.Since, err = time.Parse(time.RFC3339, strings.ReplaceAll(text, " ", "+")); err != nil {
			return f, bad("?since", "Use a time like 2026-01-31T12:00:00Z.")
		}
	}
	if text := c.Query("after"); text != "" {
		if f.After, err = strconv.ParseInt(text, 10, 64); err != nil {
			return f, bad("?after", "Use the seq of a message.")
		}
	}
	return f, nil
}

func (d dev) clear(c *fiber.Ctx) error {
	d.Inbox.Clear()
	c.Status(fiber.StatusNoContent)
	return nil
}

// moveBody moves the clock: exactly one of the two.
type moveBody struct {
	Advance string `json:"advance"` // "11m", or "-11m" to go back
	Reset   bool   `json:"reset"`
}

// clockBody is what the clock shows.
type clockBody struct {
	Now    time.Time `json:"now"`
	Offset string    `json:"offset"` // from the host's clock
}

func (d dev) tell(c *fiber.Ctx) error {
	return answer(c, clockBody{Now: d.Clock.Now(), Offset: d.Clock.Offset().String()})
}

func (d dev) move(c *fiber.Ctx) error {
	var in moveBody
	form, err := read(c, &in, func(v url.Values) { in = moveBody{Advance: v.Get("advance"), Reset: v.Get("reset") != ""} })
	if err != nil {
		return err
	}
	switch {
	case (in.Advance != "") == in.Reset:
		return bad("/advance", `Send either "advance" or "reset".`)
	case in.Reset:
		d.Clock.Reset()
	default:
		by, err := span("/advance", in.Advance)
		if err != nil {
			return err
		}
		d.Clock.Advance(by)
	}
	if form {
		return c.Redirect("/dev/inbox", fiber.StatusSeeOther)
	}
	return d.tell(c)
}

// chaosBody is the chaos of one channel; everything zero ends it.
type chaosBody struct {
	Channel     string `json:"channel"` // "": every channel without its own
	FailPercent int    `json:"fail_percent"`
	Delay       string `json:"delay"` // "2s"
	Status      int    `json:"status"`
}

func (d dev) chaos(c *fiber.Ctx) error {
	var in chaosBody
	form, err := read(c, &in, func(v url.Values) {
		in = chaosBody{Channel: v.Get("channel"), Delay: v.Get("delay"), FailPercent: number(v.Get("fail_percent")), Status: number(v.Get("status"))}
	})
	if err != nil {
		return err
	}
	if in.Channel != "" && !slices.Contains(d.Channels, in.Channel) {
		return bad("/channel", "There is no such channel. There are: "+strings.Join(d.Channels, ", ")+".")
	}
	want := Chaos{FailPercent: in.FailPercent, Status: in.Status}
	if in.Delay != "" {
		if want.Delay, err = span("/delay", in.Delay); err != nil {
			return err
		}
	}
	if err := d.Inbox.SetChaos(in.Channel, want); err != nil {
		return bad("", err.Error())
	}
	if form {
		return c.Redirect("/dev/inbox", fiber.StatusSeeOther)
	}
	in.Delay = want.Delay.String()
	return answer(c, in)
}

func (d dev) clearForm(c *fiber.Ctx) error {
	if foreign(c) {
		return errForeign
	}
	d.Inbox.Clear()
	return c.Redirect("/dev/inbox", fiber.StatusSeeOther)
}

// read takes JSON, or a form of our own page. Other sites' pages can send forms
// to this machine but no JSON, so where a form comes from is looked at.
func read(c *fiber.Ctx, into any, form func(url.Values)) (isForm bool, err error) {
	if fiberkit.MediaType(c) != fiber.MIMEApplicationForm {
		return false, fiberkit.Decode(c, into)
	}
	if foreign(c) {
		return true, errForeign
	}
	body, err := fiberkit.Body(c)
	if err != nil {
		return true, err
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return true, fiberkit.ErrMalformed
	}
	form(values)
	return true, nil
}

// foreign reports whether a form was not sent by our own page, as far as the
// browser says so: every browser of today says at least one of these.
func foreign(c *fiber.Ctx) bool {
	if site := c.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin"
	}
	origin, err := url.Parse(c.Get(fiber.HeaderOrigin))
	return err != nil || !strings.EqualFold(origin.Host, fiberkit.Host(c))
}

func span(pointer, text string) (time.Duration, error) {
	by, err := time.ParseDuration(text)
	if err != nil || by.Abs() > farthest {
		return 0, bad(pointer, "Use a span like 90s, 11m or 24h.")
	}
	return by, nil
}

// number reads a form's field; what is no number is out of every bound.
func number(text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

func bad(pointer, detail string) error {
	return errRequest.With(fault.Field{Pointer: pointer, Code: "invalid_value", Detail: detail})
}

func answer[T any](c *fiber.Ctx, v T) error {
	body, err := fiberkit.Encode(v)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(body)
}
