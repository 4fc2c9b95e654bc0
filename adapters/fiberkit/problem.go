package fiberkit

import (
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

// fail answers with a problem. Accidents are logged with their cause, which the
// caller never sees.
func (o Options) fail(c *fiber.Ctx, err error) error {
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
	p := Problem{
		Type: DocsPath + f.Code, Title: f.Text, Status: Status(f.Kind), Instance: ID(c), Code: f.Code,
	}
	if f.Counts {
		p.AttemptsLeft = &f.Left
	}
	if f.Kind == fault.Throttled || f.Kind == fault.Unavailable {
		p.RetryAfter = max(1, int((f.After+time.Second-1)/time.Second))
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(p.RetryAfter))
	}
	for _, field := range f.Fields {
		p.Fields = append(p.Fields, Field(field))
	}
	if f.Kind == fault.Unauthenticated && c.GetRespHeader(fiber.HeaderWWWAuthenticate) == "" {
		c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, ProblemType)
	return c.Status(p.Status).Send(body)
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
	}
	return ErrMalformed, e.Code < fiber.StatusInternalServerError
}
