package fiberkit

import (
	"slices"

	"github.com/gofiber/fiber/v2"
)

// What pages of other origins may send and read (Fetch Standard, 3.2). Cookies
// are not among it: no answer says Access-Control-Allow-Credentials, so a page
// signs in with tokens or not at all.
const (
	corsMethods = "GET, POST, PUT, PATCH, DELETE"
	corsHeaders = "Authorization, Content-Type, Countersign-Tenant, Idempotency-Key"
	corsExposed = "Retry-After, WWW-Authenticate, Idempotent-Replay"
	corsMaxAge  = "600" // seconds for which a browser need not ask again
)

// share lets pages of the listed origins read the answer. Where there are such,
// every answer depends on who asks, also those that nobody else may read.
func (o Options) share(c *fiber.Ctx) {
	if len(o.Origins) == 0 {
		return
	}
	c.Vary(fiber.HeaderOrigin)
	if origin := c.Get(fiber.HeaderOrigin); slices.Contains(o.Origins, origin) {
		c.Set(fiber.HeaderAccessControlAllowOrigin, origin)
		c.Set(fiber.HeaderAccessControlExposeHeaders, corsExposed)
	}
}

// preflight answers a browser that asks what a page of a listed origin may send.
// It reports false for everything else, which goes its usual way.
func (o Options) preflight(c *fiber.Ctx) bool {
	if c.Method() != fiber.MethodOptions || c.Get(fiber.HeaderAccessControlRequestMethod) == "" ||
		!slices.Contains(o.Origins, c.Get(fiber.HeaderOrigin)) {
		return false
	}
	c.Vary(fiber.HeaderAccessControlRequestMethod, fiber.HeaderAccessControlRequestHeaders)
	c.Set(fiber.HeaderAccessControlAllowMethods, corsMethods)
	c.Set(fiber.HeaderAccessControlAllowHeaders, corsHeaders)
	c.Set(fiber.HeaderAccessControlMaxAge, corsMaxAge)
	c.Status(fiber.StatusNoContent)
	return true
}
