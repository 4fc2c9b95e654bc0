package fiberapi

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/keys"
	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/fault"
)

// newKeyBody is an API key to be made.
type newKeyBody struct {
	Name      string   `json:"name" maxLength:"64" doc:"What it is for." example:"shop"`
	Scopes    []string `json:"scopes" enum:"verify,admin" nullable:"false" doc:"verify: have addresses verified and transactions approved. admin: everything."`
	ExpiresIn *int     `json:"expires_in,omitempty" minimum:"60" maximum:"315360000" doc:"Seconds that it lasts; if left out, until it is revoked."`
}

// keyBody is an API key without its secret.
type keyBody struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes" enum:"verify,admin" nullable:"false"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty" doc:"Absent if it does not run out."`
	RevokedAt  *time.Time `json:"revoked_at,omitempty" doc:"Absent while it lasts."`
	LastUsedAt *time.Time `json:"last_used_at,omitempty" doc:"To the hour; absent until it was used."`
}

// keysBody lists API keys.
type keysBody struct {
	Keys []keyBody `json:"api_keys" nullable:"false"`
}

// madeKeyBody is a key with its text.
type madeKeyBody struct {
	Key  string  `json:"key" doc:"The credential: csk_… Shown now and never again."`
	Made keyBody `json:"api_key"`
}

const keyTag = "API keys"

// longestKey is how long a key may last that has an end.
const longestKey = 10 * 365 * 24 * time.Hour

func (a *API) keyOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodGet, path: "/v1/admin/api-keys", id: "listKeys", tag: keyTag, caller: operator, status: fiber.StatusOK,
			summary: "List the API keys of the tenant, oldest first",
		}, a.listKeys),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/admin/api-keys", id: "createKey", tag: keyTag, caller: operator, status: fiber.StatusCreated,
			summary: "Make an API key", about: "The first one is made by the command line: `countersign apikey new`.", faults: []*fault.Error{keys.ErrRequest},
		}, a.createKey),
		handle(operation{
			method: fiber.MethodDelete, path: "/v1/admin/api-keys/{id}", id: "revokeKey", tag: keyTag, caller: operator, status: fiber.StatusNoContent,
			summary: "End an API key, at once", faults: []*fault.Error{apikey.ErrNotFound},
		}, a.revokeKey),
	}
}

func keyOf(k apikey.Key) keyBody {
	b := keyBody{
		ID: k.ID, Name: k.Name, Scopes: []string{}, CreatedAt: k.CreatedAt.UTC(), ExpiresAt: when(k.ExpiresAt),
		RevokedAt: when(k.RevokedAt), LastUsedAt: when(k.LastUsedAt),
	}
	for _, s := range k.Scopes {
		b.Scopes = append(b.Scopes, string(s))
	}
	return b
}

func (a *API) listKeys(c *call, _ nothing) (keysBody, error) {
	all, err := a.Programs.List(c.ctx, c.tenant)
	out := keysBody{Keys: make([]keyBody, len(all))}
	for i, k := range all {
		out.Keys[i] = keyOf(k)
	}
	return out, err
}

func (a *API) createKey(c *call, in newKeyBody) (madeKeyBody, error) {
	w := keys.Wish{Tenant: c.tenant, Name: in.Name, By: c.name()}
	for _, s := range in.Scopes {
		w.Scopes = append(w.Scopes, apikey.Scope(s))
	}
	if in.ExpiresIn != nil {
		if *in.ExpiresIn < 60 || *in.ExpiresIn > whole(longestKey) {
			return madeKeyBody{}, keys.ErrRequest.With(fault.Field{Pointer: "/expires_in", Code: "out_of_range", Detail: "Use 60 seconds to ten years, in seconds."})
		}
		w.Life = time.Duration(*in.ExpiresIn) * time.Second
	}
	k, text, err := a.Programs.Create(c.ctx, w)
	if err != nil {
		return madeKeyBody{}, err
	}
	return madeKeyBody{Key: text, Made: keyOf(k)}, nil
}

func (a *API) revokeKey(c *call, _ nothing) (nothing, error) {
	id, err := c.uuid(apikey.ErrNotFound)
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, a.Programs.Revoke(c.ctx, c.tenant, id, c.name())
}
