package fiberapi

import (
	"net/http"
	"regexp"

	"github.com/danielgtaylor/huma/v2"
)

// Names of the security schemes.
const (
	accessScheme  = "access"
	pendingScheme = "pending"
	keyScheme     = "key"
)

func securitySchemes() map[string]*huma.SecurityScheme {
	bearer := func(format, about string) *huma.SecurityScheme {
		return &huma.SecurityScheme{Type: "http", Scheme: "bearer", BearerFormat: format, Description: about}
	}
	return map[string]*huma.SecurityScheme{
		accessScheme:  bearer("JWT", "The access_token of somebody who is signed in."),
		pendingScheme: bearer("csp_…", "The pending_token of a sign-in that waits: for a second factor, a new password, a missing identifier."),
		keyScheme:     bearer("csk_…", "An API key of another program; made with: countersign apikey new."),
	}
}

// security says which credential an operation takes; several are alternatives.
func security(who caller) []map[string][]string {
	switch who {
	case person:
		return []map[string][]string{{accessScheme: {}}}
	case anyone:
		return []map[string][]string{{}, {pendingScheme: {}}, {accessScheme: {}}, {keyScheme: {}}}
	case waiting:
		return []map[string][]string{{pendingScheme: {}}}
	case inviter:
		return []map[string][]string{{accessScheme: {}}, {keyScheme: {}}}
	case program, operator:
		return []map[string][]string{{keyScheme: {}}}
	case nobody, public:
	}
	return []map[string][]string{}
}

// sharedParameters are the headers that many operations read.
func sharedParameters() map[string]*huma.Param {
	most := 255
	return map[string]*huma.Param{
		"Tenant": {
			Name: "Countersign-Tenant", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "Whose users this is about; if left out, the tenant of the host, else default.",
		},
		"IdempotencyKey": {
			Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &most},
			Description: "Name of this request. The same name and body within 24 hours are answered alike, and nothing is done twice. " +
				"Refusals with 401, 429 and 5xx are not kept.",
		},
	}
}

func parameters(o operation) []*huma.Param {
	var out []*huma.Param
	for _, name := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(o.path, -1) {
		out = append(out, &huma.Param{Name: name[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	for _, q := range o.query {
		s := &huma.Schema{Type: huma.TypeString}
		if q.number {
			least, most := float64(q.least), float64(q.most)
			s = &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most, Default: q.usual}
		}
		out = append(out, &huma.Param{Name: q.name, In: "query", Description: q.about, Schema: s})
	}
	if o.caller != nobody {
		out = append(out, &huma.Param{Ref: tenantIn})
	}
	if named(o) {
		out = append(out, &huma.Param{Ref: keyIn})
	}
	return out
}

func describeStatus(status int) string { return http.StatusText(status) }
