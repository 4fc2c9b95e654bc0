// Package fiberapi serves the HTTP API: one table of operations, from which the
// routes, the OpenAPI document and the pages that explain it are all made.
package fiberapi

import (
	"context"
	"io"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/app/accounts"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/devices"
	"github.com/countersign/countersign/app/idempotency"
	"github.com/countersign/countersign/app/invitations"
	"github.com/countersign/countersign/app/keys"
	"github.com/countersign/countersign/app/passwords"
	"github.com/countersign/countersign/app/registration"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/token"
)

// Needs is what the API is made of. All of it is required.
type Needs struct {
	Challenges  *challenges.Service
	Sessions    *sessions.Service
	Programs    *keys.Service
	Devices     *devices.Service
	Accounts    *accounts.Service
	Passwords   *passwords.Service
	Invitations *invitations.Service
	SignUp      *registration.Service
	Idempotency *idempotency.Service
	Tenants     *tenants.Book
	Channels    *channels.Registry
	Locales     message.Composer
	Keys        token.Publisher
	Address     *fiberkit.Resolver
	Random      io.Reader
	QR          func(content string) (svg string, err error)
	Ready       func(ctx context.Context) map[string]error // by dependency; nil: works
	Brand       string                                     // what people call this deployment
	PublicURL   string                                     // issuer of tokens, "https://login.example.com"
	Version     string
}

// API is the HTTP API. It is safe for concurrent use.
type API struct {
	Needs

	operations []operation
	described  func() (description, error) // made when somebody first asks
	links      func() (linkPages, error)   // likewise
}

// description is what the API says about itself.
type description struct {
	document []byte            // openapi.json
	page     []byte            // /docs
	problems map[string][]byte // /docs/problems/{code}, by code
}

// New makes the API. What it says about itself is made when somebody first asks:
// it takes longer than all the rest of a start.
func New(n Needs) *API {
	n.PublicURL = strings.TrimSuffix(n.PublicURL, "/")
	a := &API{Needs: n}
	a.operations = a.table()
	a.described = sync.OnceValues(a.describe)
	a.links = sync.OnceValues(readLinkPages)
	return a
}

// Mount registers every route.
func (a *API) Mount(app *fiber.App) {
	for _, o := range a.operations {
		path := strings.NewReplacer("{", ":", "}", "").Replace(o.path)
		if o.method == fiber.MethodGet {
			app.Head(path, a.handler(o))
		}
		app.Add(o.method, path, a.handler(o))
	}
}

// Document is the OpenAPI 3.1 document, JSON. It fails only if the table of
// operations contradicts itself.
func (a *API) Document() ([]byte, error) {
	d, err := a.described()
	return d.document, err
}

func (a *API) table() []operation {
	var all []operation
	for _, part := range [][]operation{
		a.challengeOperations(), a.signInOperations(), a.passwordOperations(), a.signUpOperations(), a.identifierOperations(), a.federationOperations(), a.linkOperations(), a.tokenOperations(), a.accountOperations(), a.deviceOperations(),
		a.sessionOperations(), a.invitationOperations(), a.keyOperations(), a.publicOperations(),
	} {
		all = append(all, part...)
	}
	return all
}
