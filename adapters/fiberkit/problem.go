package fiberkit

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/domain/fault"
)

// Problem is the body of a refusal (RFC 9457) with the members of our contract.
type Problem struct {
	Type         string  `json:"type" doc:"Where the code is explained."`
	Title        string  `json:"title" doc:"What happened, in one sentence."`
	Status       int     `json:"status" doc:"The HTTP status."`
	Detail       string  `json:"detail,omitempty" doc:"What to do about it."`
	Instance     string  `json:"instance" doc:"The id of the request, to be found in the logs."`
	Code         string  `json:"code" doc:"Stable name of the refusal."`
	Fields       []Field `json:"fields,omitempty" doc:"What is wrong with which part of the request."`
	AttemptsLeft *int    `json:"attempts_left,omitempty" doc:"How many answers will still be evaluated."`
	RetryAfter   int     `json:"retry_after,omitempty" doc:"Seconds to wait; the same as the Retry-After header."`
}

// Field is what is wrong with one part of a request.
type Field struct {
	Pointer string `json:"pointer" doc:"RFC 6901 pointer into the body."`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// ProblemType is the media type of refusals.
const ProblemType = "application/problem+json"

// DocsPath is where problem types are explained.
const DocsPath = "/docs/problems/"

// accident is what the caller hears of an error that nobody foresaw.
var accident = fault.New("", "internal_error", "Something went wrong on our side. Nothing was lost; try again.")

// Status is the HTTP status of a kind of refusal.
func Status(k fault.Kind) int {
	switch k {
	case fault.Malformed:
		return fiber.StatusBadRequest
	case fault.Invalid:
		return fiber.StatusUnprocessableEntity
	case fault.Unauthenticated:
		return fiber.StatusUnauthorized
	case fault.Forbidden:
		return fiber.StatusForbidden
	case fault.NotFound:
		return fiber.StatusNotFound
	case fault.Conflict:
		return fiber.StatusConflict
	case fault.Gone:
		return fiber.StatusGone
	case fault.TooLarge:
		return fiber.StatusRequestEntityTooLarge
	case fault.Unsupported:
		return fiber.StatusUnsupportedMediaType
	case fault.Throttled:
		return fiber.StatusTooManyRequests
	case fault.Unavailable:
		return fiber.StatusServiceUnavailable
	}
	return fiber.StatusInternalServerError
}

// statusOf is the HTTP status of a fault. A method that is not served is the
// one case in which HTTP knows better than the kind.
func statusOf(f *fault.Error) int {
	if f == ErrMethod {
		return fiber.StatusMethodNotAllowed
	}
	return Status(f.Kind)
}

// fail answers with a problem. Accidents are logged with their cause, which the
// caller never sees.
func (o Options) fail(c *fiber.Ctx, err error) error {
	if ID(c) == "" { // refused before any handler ran
		o.begin(c)
	}
	f, ok := fault.Of(err)
	if !ok {
		f, ok = ofFiber(err)
	}
	if !ok {
		o.Log.Error("a request failed", "request", ID(c), "route", c.Route().Path, "error", err)
		f = accident
	} else if f.Kind == fault.Unavailable {
		o.Log.Error("a dependency is down", "request", ID(c), "route", c.Route().Path, "error", err)
	}
	return Write(c, f)
}

// Write answers with the problem that a fault is.
func Write(c *fiber.Ctx, f *fault.Error) error {
	p := Describe(c, f)
	if p.RetryAfter > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(p.RetryAfter))
	}
	if f.Kind == fault.Unauthenticated && c.GetRespHeader(fiber.HeaderWWWAuthenticate) == "" {
		c.Set(fiber.HeaderWWWAuthenticate, challenge(f))
	}
	body, err := Encode(p)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, ProblemType)
	return c.Status(p.Status).Send(body)
}

// Describe says what the problem is that a fault makes of a request.
func Describe(c *fiber.Ctx, f *fault.Error) Problem {
	base, _ := c.Locals(docsBase).(string)
	p := Problem{
		Type: base + DocsPath + f.Code, Title: f.Text, Status: statusOf(f), Instance: ID(c), Code: f.Code,
	}
	if f.Counts {
		p.AttemptsLeft = &f.Left
	}
	if f.Kind == fault.Throttled || f.Kind == fault.Unavailable {
		p.RetryAfter = max(1, int((f.After+time.Second-1)/time.Second))
	}
	for _, field := range f.Fields {
		p.Fields = append(p.Fields, Field(field))
	}
	return p
}

// challenge is the WWW-Authenticate header of a refusal: whoever showed no
// credential is not told of an error (RFC 6750, 3.1).
func challenge(f *fault.Error) string {
	if f.Code == "unauthenticated" {
		return "Bearer"
	}
	return `Bearer error="invalid_token"`
}

// Encode writes JSON in which URLs stay readable.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ofFiber translates what the server itself refuses.
func ofFiber(err error) (*fault.Error, bool) {
	e, ok := errors.AsType[*fiber.Error](err)
	if !ok {
		return nil, false
	}
	switch e.Code {
	case fiber.StatusNotFound:
		return ErrNotFound, true
	case fiber.StatusMethodNotAllowed:
		return ErrMethod, true
	case fiber.StatusRequestEntityTooLarge:
		return ErrTooLarge, true
	case fiber.StatusUnsupportedMediaType:
		return ErrUnsupported, true
	case fiber.StatusRequestTimeout:
		return ErrMalformed.Saying("The request took too long to arrive."), true
	case fiber.StatusRequestHeaderFieldsTooLarge:
		return ErrMalformed.Saying("The headers are larger than 8 KiB."), true
	}
	return ErrMalformed, e.Code < fiber.StatusInternalServerError
}
