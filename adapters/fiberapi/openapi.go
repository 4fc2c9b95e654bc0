package fiberapi

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/app/idempotency"
	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/store"
)

const (
	schemas  = "#/components/schemas/"
	tenantIn = "#/components/parameters/Tenant"
	keyIn    = "#/components/parameters/IdempotencyKey"
)

const introduction = "Countersign asks people to prove what they claim to hold: an address, a phone, an authenticator app. " +
	"Everything is proved by a challenge: start one, let the person answer it, read the outcome.\n\n" +
	"Bodies are JSON with at most 64 KiB; unknown and repeated members are refused. Refusals are problem details (RFC 9457) with a stable `code`. " +
	"Spans are whole seconds, times are RFC 3339 in UTC."

// writer turns the table of operations into an OpenAPI 3.1 document.
type writer struct {
	doc      *huma.OpenAPI
	registry huma.Registry
}

// describe makes everything that explains the API, once.
func (a *API) describe() (d description, err error) {
	w := &writer{registry: huma.NewMapRegistry(schemas, schemaName)}
	w.doc = &huma.OpenAPI{
		OpenAPI: "3.1.0", Paths: map[string]*huma.PathItem{},
		Info: &huma.Info{Title: "Countersign", Version: a.Version, Description: introduction},
		Components: &huma.Components{
			Schemas: w.registry, SecuritySchemes: securitySchemes(), Parameters: sharedParameters(),
		},
	}
	if a.PublicURL != "" {
		w.doc.Servers = []*huma.Server{{URL: a.PublicURL}}
	}
	seen := map[string]bool{}
	for _, o := range a.operations {
		if seen[o.id] || seen[o.method+o.path] {
			return d, fmt.Errorf("describe the API: %s %s stands in the table twice", o.method, o.path)
		}
		seen[o.id], seen[o.method+o.path] = true, true
		w.doc.AddOperation(w.operation(o))
		if !slices.ContainsFunc(w.doc.Tags, func(t *huma.Tag) bool { return t.Name == o.tag }) {
			w.doc.Tags = append(w.doc.Tags, &huma.Tag{Name: o.tag})
		}
	}
	if d.document, err = fiberkit.Encode(w.doc); err != nil {
		return d, fmt.Errorf("write the API's description: %w", err)
	}
	d.page, d.problems, err = a.render(w.doc)
	return d, err
}

// schemaName calls a schema like its type, without what marks it as a body.
func schemaName(t reflect.Type, hint string) string {
	name := strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "Body")
	if name == "Start" || name == "Verify" || name == "Resend" || name == "Refresh" {
		name += "Challenge"
	}
	return strings.Replace(name, "RefreshChallenge", "RefreshToken", 1)
}

func (w *writer) operation(o operation) *huma.Operation {
	op := &huma.Operation{
		Method: o.method, Path: o.path, OperationID: o.id, Tags: []string{o.tag}, Summary: o.summary, Description: o.about,
		Responses: map[string]*huma.Response{}, Security: security(o.caller), Parameters: parameters(o),
	}
	if o.in != nil {
		op.RequestBody = &huma.RequestBody{Required: w.hasRequired(o.in), Content: map[string]*huma.MediaType{
			fiber.MIMEApplicationJSON: {Schema: w.registry.Schema(o.in, true, "")},
		}}
		if o.form {
			op.RequestBody.Content[fiber.MIMEApplicationForm] = &huma.MediaType{Schema: w.registry.Schema(o.in, true, "")}
		}
	}
	op.Responses[strconv.Itoa(o.status)] = w.success(o)
	if o.onward {
		op.Responses[strconv.Itoa(fiber.StatusSeeOther)] = &huma.Response{Description: "The browser is sent on."}
	}
	if o.page && o.method == fiber.MethodPost && o.media != "" {
		op.Responses[strconv.Itoa(o.status)].Content[fiber.MIMEApplicationJSON] = &huma.MediaType{Schema: w.registry.Schema(reflect.TypeFor[outcomeBody](), true, "")}
	}
	for status, codes := range refusals(o) {
		op.Responses[strconv.Itoa(status)] = w.refusal(status, codes)
	}
	return op
}

func (w *writer) hasRequired(t reflect.Type) bool {
	return len(w.registry.Schema(t, false, "").Required) > 0
}

func (w *writer) success(o operation) *huma.Response {
	r := &huma.Response{Description: describeStatus(o.status)}
	switch {
	case o.out != nil:
		r.Content = map[string]*huma.MediaType{fiber.MIMEApplicationJSON: {Schema: w.registry.Schema(o.out, true, "")}}
	case o.media != "":
		media, _, _ := strings.Cut(o.media, ";")
		r.Content = map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: huma.TypeString}}}
	case o.status != fiber.StatusNoContent && o.status != fiber.StatusSeeOther:
		r.Content = map[string]*huma.MediaType{fiber.MIMEApplicationJSON: {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}}
	}
	if named(o) {
		r.Headers = map[string]*huma.Param{"Idempotent-Replay": {
			Description: "true if this is the answer that the first request with the same Idempotency-Key got.",
			Schema:      &huma.Schema{Type: huma.TypeString},
		}}
	}
	return r
}

// refusal describes one status with the codes that it comes with.
func (w *writer) refusal(status int, codes []string) *huma.Response {
	enum := make([]any, len(codes))
	for i, c := range codes {
		enum[i] = c
	}
	r := &huma.Response{
		Description: describeStatus(status),
		Content: map[string]*huma.MediaType{fiberkit.ProblemType: {Schema: &huma.Schema{AllOf: []*huma.Schema{
			w.registry.Schema(reflect.TypeFor[fiberkit.Problem](), true, ""),
			{Properties: map[string]*huma.Schema{"code": {Type: huma.TypeString, Enum: enum}}},
		}}}},
	}
	switch status {
	case fiber.StatusUnauthorized:
		r.Headers = map[string]*huma.Param{fiber.HeaderWWWAuthenticate: {Description: "What would do (RFC 6750, RFC 9470).", Schema: &huma.Schema{Type: huma.TypeString}}}
	case fiber.StatusTooManyRequests, fiber.StatusServiceUnavailable:
		r.Headers = map[string]*huma.Param{fiber.HeaderRetryAfter: {Description: "Seconds to wait.", Schema: &huma.Schema{Type: huma.TypeInteger}}}
	}
	return r
}

// refusals lists the codes that an operation may answer, by status.
func refusals(o operation) map[int][]string {
	all := slices.Clone(o.faults)
	if o.caller != nobody {
		all = append(all, tenant.ErrUnknown, store.ErrUnavailable)
	}
	switch o.caller {
	case person, anyone, waiting, program, inviter, operator:
		all = append(all, session.ErrUnauthenticated, session.ErrInvalid, session.ErrRevoked)
	case nobody, public:
	}
	if o.caller == anyone || o.caller == waiting {
		all = append(all, session.ErrPendingInvalid, session.ErrPendingExpired)
	}
	if o.caller == inviter || o.caller == operator {
		all = append(all, apikey.ErrScope)
	}
	if o.fresh {
		all = append(all, session.ErrStepUp)
	}
	if o.in != nil || named(o) {
		all = append(all, fiberkit.ErrMalformed, fiberkit.ErrUnknown, fiberkit.ErrTooLarge, fiberkit.ErrUnsupported)
	}
	if named(o) {
		all = append(all, idempotency.ErrConflict)
	}
	out := map[int][]string{fiber.StatusInternalServerError: {internalError}}
	for _, f := range all {
		status := fiberkit.Status(f.Kind)
		out[status] = append(out[status], f.Code)
	}
	for status, codes := range out {
		slices.Sort(codes)
		out[status] = slices.Compact(codes)
	}
	return out
}

// named reports whether requests of an operation may name themselves.
func named(o operation) bool {
	return o.method == fiber.MethodPost && o.caller != nobody && !o.page
}
