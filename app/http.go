package app

import (
	"io"
	"log/slog"

	"github.com/gofiber/fiber/v2"
	"go.uber.org/fx"

	"github.com/countersign/countersign/adapters/fiberapi"
	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/adapters/meter"
	"github.com/countersign/countersign/adapters/qrcode"
	"github.com/countersign/countersign/adapters/system"
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
	"github.com/countersign/countersign/ports/store"
	portsystem "github.com/countersign/countersign/ports/system"
	"github.com/countersign/countersign/ports/token"
)

// surface is what the HTTP server is made of.
type surface struct {
	fx.In

	Loaded      Loaded
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
	Composer    message.Composer
	Keys        token.Publisher
	Store       store.Store
	IDs         portsystem.IDs
	Random      io.Reader
	Meter       *meter.Meter
	Log         *slog.Logger
	Dev         *dev
}

func newServer(s surface) (*fiber.App, *readiness, error) {
	ready := &readiness{}
	address := fiberkit.NewResolver(s.Loaded.TrustedProxies)
	api := fiberapi.New(fiberapi.Needs{
		Challenges: s.Challenges, Sessions: s.Sessions, Programs: s.Programs, Devices: s.Devices, Accounts: s.Accounts, Passwords: s.Passwords, SignUp: s.SignUp,
		Invitations: s.Invitations, Idempotency: s.Idempotency, Tenants: s.Tenants, Channels: s.Channels, Locales: s.Composer, Keys: s.Keys,
		Address: address, Random: s.Random, QR: qrcode.SVG, Ready: ready.check(s.Store), Brand: s.Loaded.Brand.Name,
		PublicURL: s.Loaded.PublicURL, Version: Version,
	})
	web := fiberkit.New(fiberkit.Options{
		Log: s.Log, NewID: s.IDs.New, Address: address, Watch: s.Meter.Request,
		Now: system.Clock{}.Now, Docs: s.Loaded.PublicURL, Origins: s.Tenants.Origins(),
	})
	api.Mount(web)
	if s.Dev != nil {
		if err := s.Dev.mount(web, s.Channels, s.Loaded.Brand.Name); err != nil {
			return nil, nil, err
		}
	}
	return web, ready, nil
}
