package fiberapi

import (
	"errors"
	"reflect"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/app/idempotency"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/fault"
)

// caller says who may ask for an operation.
type caller int

const (
	nobody   caller = iota // no tenant, no credential: it is about the deployment
	public                 // no credential is looked at
	anyone                 // without a credential, or with a pending token, an access token or an API key
	waiting                // with a pending token
	person                 // with an access token
	program                // with an API key
	inviter                // with an access token, or an API key that may do everything
	operator               // with an API key that may do everything
)

// operation is one row of the table that everything is made of.
type operation struct {
	method  string
	path    string // "/v1/challenges/{id}"
	id      string // operationId
	tag     string
	summary string // one line
	about   string // more, in Markdown; may be empty
	caller  caller
	fresh   bool // may ask for a step-up
	form    bool // also reads application/x-www-form-urlencoded
	trap    bool // may carry the field that people do not see
	page    bool // answers a browser with a page, whatever the status
	onward  bool // may also send the browser on
	status  int  // of success
	media   string
	cache   string // Cache-Control of success; "" is no-store
	query   []parameter
	faults  []*fault.Error // beside those that follow from the rest
	in, out reflect.Type   // nil: no body
	serve   func(c *call) ([]byte, error)
}

// parameter is one query parameter. Numbers have bounds.
type parameter struct {
	name, about string
	number      bool
	least, most int
	usual       int
}

// nothing is the type of a body that is not there.
type nothing struct{}

// handle completes an operation with what it does. Decoding and encoding exist
// here only.
func handle[In, Out any](o operation, do func(c *call, in In) (Out, error)) operation {
	o.in, o.out = bodyType[In](), bodyType[Out]()
	o.serve = func(c *call) ([]byte, error) {
		var in In
		if o.method != fiber.MethodGet && o.method != fiber.MethodDelete {
			if err := c.decode(o, &in); err != nil {
				return nil, err
			}
		}
		out, err := do(c, in)
		if err != nil || o.out == nil {
			return nil, err
		}
		return fiberkit.Encode(out)
	}
	return o
}

func bodyType[T any]() reflect.Type {
	if t := reflect.TypeFor[T](); t != reflect.TypeFor[nothing]() {
		return t
	}
	return nil
}

// handler makes an operation into a handler of the router.
func (a *API) handler(o operation) fiber.Handler {
	return func(f *fiber.Ctx) error {
		c := &call{Ctx: f, api: a, ctx: f.UserContext()}
		if err := c.identify(o.caller); err != nil {
			return err
		}
		if key := f.Get("Idempotency-Key"); key != "" && o.method == fiber.MethodPost && !o.page {
			return a.once(c, o, key)
		}
		body, err := o.serve(c)
		if to, ok := errors.AsType[seeOther](err); ok {
			f.Status(fiber.StatusSeeOther).Set(fiber.HeaderLocation, string(to))
			return nil
		}
		if err != nil {
			return demand(f, err)
		}
		if o.page {
			f.Status(max(c.status, o.status)).Set(fiber.HeaderContentType, firstText(c.media, o.media))
			return f.Send(body)
		}
		return send(f, o, idempotency.Answer{Status: o.status, Body: body})
	}
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// once answers a request that names itself. Refusals are remembered like
// successes, but not those that another try may turn into a success: who asks,
// how often, and accidents.
func (a *API) once(c *call, o operation, key string) error {
	request, err := fiberkit.Body(c.Ctx)
	if err != nil {
		return err
	}
	answer, replayed, err := a.Idempotency.Once(c.ctx, idempotency.Request{
		Tenant: c.tenant, Route: o.method + " " + c.Path(), Caller: c.name(), Key: key, Body: request,
	}, func() (idempotency.Answer, error) {
		body, err := o.serve(c)
		if err == nil {
			return idempotency.Answer{Status: o.status, Body: body}, nil
		}
		f, ok := fault.Of(err)
		if !ok || f.Kind == fault.Unauthenticated || f.Kind == fault.Throttled || f.Kind == fault.Unavailable {
			return idempotency.Answer{}, err
		}
		p := fiberkit.Describe(c.Ctx, f)
		body, err = fiberkit.Encode(p)
		return idempotency.Answer{Status: p.Status, Body: body}, err
	})
	if err != nil {
		return demand(c.Ctx, err)
	}
	if replayed {
		c.Set("Idempotent-Replay", "true")
	}
	return send(c.Ctx, o, answer)
}

func send(c *fiber.Ctx, o operation, a idempotency.Answer) error {
	c.Status(a.Status)
	if len(a.Body) == 0 {
		return nil
	}
	switch {
	case a.Status >= fiber.StatusBadRequest:
		c.Set(fiber.HeaderContentType, fiberkit.ProblemType)
	case o.media != "":
		c.Set(fiber.HeaderContentType, o.media)
	default:
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	}
	if o.cache != "" {
		c.Set(fiber.HeaderCacheControl, o.cache)
	}
	return c.Send(a.Body)
}

// demand tells whoever has to prove themselves again what would do (RFC 9470, 3).
func demand(c *fiber.Ctx, err error) error {
	if need, ok := errors.AsType[*sessions.StepUpError](err); ok {
		c.Set(fiber.HeaderWWWAuthenticate, `Bearer error="insufficient_user_authentication", error_description="`+
			stepUpText+`", acr_values="`+need.Need.ACR+`", max_age=`+wholeText(need.Need.MaxAge))
	}
	return err
}

const stepUpText = "A fresher or stronger proof is needed"
