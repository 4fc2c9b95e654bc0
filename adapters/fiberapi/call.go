package fiberapi

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/keys"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/tenant"
)

// call is one request on its way through an operation.
type call struct {
	*fiber.Ctx

	api     *API
	ctx     context.Context //nolint:containedctx // lives as long as the request
	tenant  string
	user    *sessions.Caller
	pending *session.SignIn
	key     *apikey.Key
	trapped bool // a field was filled in that people do not see

	status int    // of success, if it is not the operation's
	media  string // likewise
}

// pendingPrefix begins every pending token.
const pendingPrefix = "csp_"

// identify finds out whose users the request is about, and who asks. A bad
// credential is refused even where none is needed: whoever sends one believes
// to be somebody.
func (c *call) identify(who caller) (err error) {
	if who == nobody {
		return nil
	}
	if c.tenant, err = c.api.tenantOf(c.Ctx); err != nil || who == public {
		return err
	}
	text := fiberkit.Bearer(c.Ctx)
	switch {
	case text == "" && who != anyone:
		return session.ErrUnauthenticated
	case text == "" && c.Get(fiber.HeaderAuthorization) != "":
		return session.ErrInvalid
	case text == "":
		return nil
	case (who == anyone || who == waiting) && strings.HasPrefix(text, pendingPrefix):
		waits, err := c.api.Sessions.Pending(c.ctx, c.tenant, text)
		c.pending = &waits
		return err
	case who == waiting:
		return session.ErrPendingInvalid
	case who != person && strings.HasPrefix(text, keys.Prefix):
		key, err := c.api.Programs.Authenticate(c.ctx, c.tenant, text)
		c.key = &key
		if err == nil && (who == inviter || who == operator) && !key.May(apikey.Admin) {
			err = apikey.ErrScope
		}
		return err
	case who == program || who == operator:
		return apikey.ErrInvalid
	}
	user, err := c.api.Sessions.Authenticate(c.ctx, c.tenant, text)
	c.user = &user
	return err
}

// tenantOf resolves the tenant by name, else by the host that was asked.
func (a *API) tenantOf(c *fiber.Ctx) (string, error) {
	named, host := c.Get("Countersign-Tenant"), fiberkit.Host(c)
	slug, err := a.Tenants.Resolve(named, "https://"+host)
	if err == nil && named == "" && slug == tenant.Default {
		return a.Tenants.Resolve("", "http://"+host)
	}
	return slug, err
}

// name tells callers apart, so that nobody is answered what another one was.
func (c *call) name() string {
	switch {
	case c.user != nil:
		return "user " + c.user.User.ID
	case c.pending != nil:
		return "pending " + c.pending.ID
	case c.key != nil:
		return "key " + c.key.ID
	}
	return "address " + c.address()
}

// address is the client's network address as limits see it.
func (c *call) address() string { return c.api.Address.Key(c.Ctx) }

// client is what asks, in words.
func (c *call) client() string { return describeAgent(c.Get(fiber.HeaderUserAgent)) }

// asked is the offered language that a body asks for, or "".
func (c *call) asked(body string) string {
	if body == "" {
		return ""
	}
	return c.api.Locales.Match(body)
}

// locale is the language to ask in: what the body says, else the user's own,
// which the use cases know, else what the browser prefers.
func (c *call) locale(body string) string {
	known := c.pending != nil || c.user != nil && c.user.User.Locale != ""
	switch header := c.Get(fiber.HeaderAcceptLanguage); {
	case body != "":
		return c.asked(body)
	case header != "" && !known:
		return c.api.Locales.Match(header)
	}
	return ""
}

// decode reads the body. Forms are for the clients of RFC 7009 and RFC 7662,
// which must not be refused for parameters that we do not know.
func (c *call) decode(o operation, into any) error {
	if o.trap {
		var err error
		c.trapped, err = fiberkit.DecodeBut(c.Ctx, into, c.api.Tenants.Policy(c.tenant).Rules.Honeypot)
		return err
	}
	if !o.form || fiberkit.MediaType(c.Ctx) != fiber.MIMEApplicationForm {
		return fiberkit.Decode(c.Ctx, into)
	}
	body, err := fiberkit.Body(c.Ctx)
	if err != nil {
		return err
	}
	values, err := url.ParseQuery(string(body))
	if err != nil || len(values["token"]) > 1 {
		return fiberkit.ErrMalformed
	}
	only, err := json.Marshal(map[string]string{"token": values.Get("token")})
	if err != nil {
		return err
	}
	return fiberkit.Strict(only, into)
}

// Forms of the names in a path. What has another form names nothing, and
// storage is not asked for it.
var (
	uuidForm   = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	handleForm = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
)

// uuid is the id in the path, or missing.
func (c *call) uuid(missing *fault.Error) (string, error) {
	id := strings.ToLower(c.Params("id"))
	if !uuidForm.MatchString(id) {
		return "", missing
	}
	return id, nil
}

// handle is the challenge's handle in the path.
func (c *call) handle() (string, error) {
	handle := c.Params("id")
	if !handleForm.MatchString(handle) {
		return "", challenge.ErrNotFound
	}
	return handle, nil
}

// number reads a query parameter within its bounds.
func (c *call) number(p parameter) (int, error) {
	text := c.Query(p.name)
	if text == "" {
		return p.usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < p.least || n > p.most {
		return 0, challenges.ErrRequest.With(fault.Field{
			Pointer: "?" + p.name, Code: "out_of_range",
			Detail: "Use a number from " + strconv.Itoa(p.least) + " to " + strconv.Itoa(p.most) + ".",
		})
	}
	return n, nil
}

// required is what a request hears that lacks a field.
func required(pointer string) error {
	return challenges.ErrRequest.With(fault.Field{Pointer: pointer, Code: "field_required", Detail: "This field is required."})
}

// requireEach refuses, all at once, the fields that are empty: pairs of a pointer
// and a value.
func requireEach(pairs ...string) error {
	var bad []fault.Field
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			bad = append(bad, fault.Field{Pointer: pairs[i], Code: "field_required", Detail: "This field is required."})
		}
	}
	if bad == nil {
		return nil
	}
	return challenges.ErrRequest.With(bad...)
}

// whole rounds a span up to whole seconds.
func whole(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func wholeText(d time.Duration) string { return strconv.Itoa(whole(d)) }
