// Package fiberkit makes one HTTP server with settings that are safe, and says
// no in the way that the HTTP contract prescribes. It knows no use case.
package fiberkit

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/domain/fault"
)

// Options says how the server behaves.
type Options struct {
	Log     *slog.Logger
	NewID   func() string                                              // request ids
	Address *Resolver                                                  // who the client is
	Watch   func(route, method string, status int, took time.Duration) // nil: nobody counts
	Now     func() time.Time
	Docs    string        // URL before DocsPath, "https://login.example.com"; "": relative
	Origins []string      // whose pages may call us, as browsers send them; none: no page of another origin may
	Read    time.Duration // in which a whole request must have arrived; 0: 5 s
}

// Bounds of every request. What takes longer or is larger is nobody's sign-in.
const (
	MaxBody       = 64 << 10
	readTimeout   = 5 * time.Second
	writeTimeout  = 15 * time.Second
	idleTimeout   = 60 * time.Second
	handleTimeout = 10 * time.Second
	headerBytes   = 8 << 10
)

// Refusals that come before any route.
var (
	ErrNotFound    = fault.New(fault.NotFound, "not_found", "There is no such thing.")
	ErrMethod      = fault.New(fault.Malformed, "malformed_request", "This method is not served here.")
	ErrMalformed   = fault.New(fault.Malformed, "malformed_request", "The request cannot be understood.")
	ErrUnknown     = fault.New(fault.Malformed, "unknown_field", "The request has a field that we do not know.")
	ErrTooLarge    = fault.New(fault.TooLarge, "too_large", "The request is larger than 64 KiB.")
	ErrUnsupported = fault.New(fault.Unsupported, "unsupported_media_type", "Send the body as application/json.")
)

// New makes the server. Immutable is set because Fiber otherwise lends strings
// of a buffer that the next request overwrites, which mixes up identities.
func New(o Options) *fiber.App {
	if o.Read <= 0 {
		o.Read = readTimeout
	}
	app := fiber.New(fiber.Config{
		Immutable: true, BodyLimit: MaxBody, ReadBufferSize: headerBytes,
		ReadTimeout: o.Read, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		DisableStartupMessage: true, DisableDefaultDate: false, EnableTrustedProxyCheck: true,
		StrictRouting: true, CaseSensitive: true, ServerHeader: "",
		ErrorHandler: func(c *fiber.Ctx, err error) error { return o.fail(c, err) },
	})
	app.Use(o.around)
	return app
}

// Where the middleware leaves what belongs to a request.
const (
	requestID = "request-id"
	docsBase  = "docs-base"
)

// around does for every request what no handler should have to think of.
func (o Options) around(c *fiber.Ctx) error {
	began := o.Now()
	o.begin(c)
	ctx, cancel := context.WithTimeout(context.Background(), handleTimeout)
	defer cancel()
	c.SetUserContext(ctx)
	err := o.serve(c)
	if err != nil {
		err = o.fail(c, err)
	}
	o.note(c, began)
	return err
}

// begin gives a request its name, and the headers that every answer has.
func (o Options) begin(c *fiber.Ctx) {
	c.Locals(requestID, o.NewID())
	c.Locals(docsBase, o.Docs)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	o.share(c)
}

// serve runs the rest, and turns a panic into an accident like any other.
func (o Options) serve(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			o.Log.Error("a handler panicked", "request", ID(c), "panic", r, "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	if ambiguous(c) {
		c.Context().SetConnectionClose()
		return ErrMalformed
	}
	if o.preflight(c) {
		return nil
	}
	return c.Next()
}

// ambiguous reports whether a request says in two ways where it ends, so that a
// proxy may believe the other one (RFC 9112, 6.1). The parsed headers hold only
// one of them, so it looks at the bytes.
func ambiguous(c *fiber.Ctx) bool {
	length, chunks := false, false
	for line := range bytes.Lines(c.Request().Header.RawHeaders()) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		length = length || bytes.EqualFold(name, []byte(fiber.HeaderContentLength))
		chunks = chunks || bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding))
	}
	return length && chunks
}

func (o Options) note(c *fiber.Ctx, began time.Time) {
	took := o.Now().Sub(began)
	route := c.Route().Path
	if o.Watch != nil {
		o.Watch(route, c.Method(), c.Response().StatusCode(), took)
	}
	o.Log.Debug("request", "request", ID(c), "method", c.Method(), "route", route, "status", c.Response().StatusCode(), "took", took)
}

// ID is the id of the request.
func ID(c *fiber.Ctx) string {
	id, _ := c.Locals(requestID).(string)
	return id
}

// Bearer is the credential of an Authorization header, or "".
func Bearer(c *fiber.Ctx) string {
	scheme, token, ok := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
