package fiberapi

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/devices"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
)

// deviceBody is a device as its owner sees it.
type deviceBody struct {
	ID          string     `json:"id"`
	Channel     string     `json:"channel"`
	Name        string     `json:"name"`
	Destination string     `json:"destination,omitempty" doc:"The address, for channels that send."`
	Confirmed   bool       `json:"confirmed" doc:"Whether it has answered its challenge."`
	CreatedAt   time.Time  `json:"created_at"`
	LastUsedAt  *time.Time `json:"last_used_at" nullable:"true" doc:"null until it was used."`
}

// devicesBody is one page of devices, in the order in which they were made.
type devicesBody struct {
	Devices []deviceBody `json:"devices" nullable:"false"`
	Next    string       `json:"next,omitempty" doc:"There may be more: send this as after."`
}

// enrollBody is the wish to bind a device.
type enrollBody struct {
	Channel string `json:"channel" doc:"What sort of device it is." example:"totp"`
	Name    string `json:"name,omitempty" maxLength:"64" doc:"What its owner calls it." example:"My phone"`
	To      string `json:"to,omitempty" doc:"Its address, for channels that send."`
	Locale  string `json:"locale,omitempty" doc:"BCP 47 tag of the language to write in."`
}

// enrolledBody is a device that waits for its proof.
type enrolledBody struct {
	Device    deviceBody    `json:"device"`
	Challenge challengeBody `json:"challenge" doc:"To be answered by the new device. Secrets stand in prompt.show, now and never again."`
}

// askBody says how to ask a device.
type askBody struct {
	Locale string `json:"locale,omitempty" doc:"BCP 47 tag of the language to write in."`
}

// renameBody is a new name.
type renameBody struct {
	Name string `json:"name" maxLength:"64"`
}

// codesBody is a new sheet of recovery codes.
type codesBody struct {
	Codes []string `json:"codes" nullable:"false" doc:"Each is good once. Shown now and never again; the old ones are dead."`
}

const deviceTag = "My devices"

var pageSize = parameter{name: "limit", about: "How many at most.", number: true, least: 1, most: 100, usual: 50}

func (a *API) deviceOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodGet, path: "/v1/me/devices", id: "listDevices", tag: deviceTag, caller: person, status: fiber.StatusOK,
			summary: "List one's own devices, oldest first", faults: []*fault.Error{challenges.ErrRequest},
			query: []parameter{pageSize, {name: "after", about: "Only those that come after this one: next of the page before."}},
		}, a.devices),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/me/devices", id: "enrollDevice", tag: deviceTag, caller: person, fresh: true, status: fiber.StatusCreated,
			summary: "Bind a new device", about: "It counts once it has answered the challenge. An address that waits for its proof is the same device again.",
			faults: []*fault.Error{
				challenges.ErrRequest, challenges.ErrUnavailable, channels.ErrNotConfigured, limit.ErrExceeded, limit.ErrCooldown,
				device.ErrLinked, devices.ErrTooMany, rule.ErrBlocked,
			},
		}, a.enroll),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/me/devices/{id}/challenge", id: "challengeDevice", tag: deviceTag, caller: person, status: fiber.StatusAccepted,
			summary: "Ask a device", about: "One that is not confirmed yet starts over; one that is renews the proof of this session, like a step-up.",
			faults: []*fault.Error{
				device.ErrNotFound, challenges.ErrUnavailable, channels.ErrNotConfigured, limit.ErrExceeded, limit.ErrCooldown,
			},
		}, a.ask),
		handle(operation{
			method: fiber.MethodPatch, path: "/v1/me/devices/{id}", id: "renameDevice", tag: deviceTag, caller: person, status: fiber.StatusOK,
			summary: "Rename a device", faults: []*fault.Error{device.ErrNotFound, challenges.ErrRequest},
		}, a.rename),
		handle(operation{
			method: fiber.MethodDelete, path: "/v1/me/devices/{id}", id: "removeDevice", tag: deviceTag, caller: person, fresh: true, status: fiber.StatusNoContent,
			summary: "Remove a device", faults: []*fault.Error{device.ErrNotFound, device.ErrLast},
		}, a.remove),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/me/recovery-codes", id: "newRecoveryCodes", tag: deviceTag, caller: person, fresh: true, status: fiber.StatusCreated,
			summary: "Make a new sheet of recovery codes", about: "The old codes are dead.",
			faults: []*fault.Error{user.ErrNoSecondThing, channels.ErrNotConfigured, challenges.ErrUnavailable},
		}, a.recoveryCodes),
	}
}

// devices lists one more than was asked for, to know whether there is more.
func (a *API) devices(c *call, _ nothing) (devicesBody, error) {
	n, err := c.number(pageSize)
	if err != nil {
		return devicesBody{}, err
	}
	after := strings.ToLower(c.Query("after"))
	if after != "" && !uuidForm.MatchString(after) {
		return devicesBody{}, challenges.ErrRequest.With(fault.Field{Pointer: "?after", Code: "invalid_id", Detail: "Use next of the page before."})
	}
	all, err := a.Devices.List(c.ctx, *c.user, after, n+1)
	if err != nil {
		return devicesBody{}, err
	}
	out := devicesBody{Devices: []deviceBody{}}
	if len(all) > n {
		all = all[:n]
		out.Next = all[n-1].ID
	}
	for _, d := range all {
		out.Devices = append(out.Devices, ownDevice(d))
	}
	return out, nil
}

func (a *API) enroll(c *call, in enrollBody) (enrolledBody, error) {
	if in.Channel == "" {
		return enrolledBody{}, required("/channel")
	}
	done, err := a.Devices.Enroll(c.ctx, *c.user, devices.EnrollInput{
		Channel: in.Channel, Name: in.Name, To: in.To, Locale: c.locale(in.Locale), Client: c.client(), IP: a.Address.Client(c.Ctx),
	})
	if err != nil {
		return enrolledBody{}, err
	}
	asked, err := a.challengeBody(done.Challenge)
	return enrolledBody{Device: ownDevice(done.Device), Challenge: asked}, err
}

func (a *API) ask(c *call, in askBody) (challengeBody, error) {
	id, err := c.uuid(device.ErrNotFound)
	if err != nil {
		return challengeBody{}, err
	}
	view, err := a.Devices.Challenge(c.ctx, *c.user, id, c.locale(in.Locale), c.client())
	if err != nil {
		return challengeBody{}, err
	}
	return a.challengeBody(view)
}

func (a *API) rename(c *call, in renameBody) (deviceBody, error) {
	id, err := c.uuid(device.ErrNotFound)
	if err != nil {
		return deviceBody{}, err
	}
	d, err := a.Devices.Rename(c.ctx, *c.user, id, in.Name)
	return ownDevice(d), err
}

func (a *API) remove(c *call, _ nothing) (nothing, error) {
	id, err := c.uuid(device.ErrNotFound)
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, a.Devices.Remove(c.ctx, *c.user, id)
}

func (a *API) recoveryCodes(c *call, _ nothing) (codesBody, error) {
	codes, err := a.Devices.RecoveryCodes(c.ctx, *c.user)
	return codesBody{Codes: codes}, err
}

func ownDevice(d device.Device) deviceBody {
	return deviceBody{
		ID: d.ID, Channel: d.Channel, Name: d.Name, Destination: d.Address, Confirmed: d.Confirmed(),
		CreatedAt: d.CreatedAt.UTC(), LastUsedAt: when(d.LastUsedAt),
	}
}

// masked is a device's address for somebody who is not signed in yet.
func (a *API) masked(d device.Device) string {
	via, err := a.Channels.Get(d.Channel)
	if err != nil || d.Address == "" {
		return ""
	}
	return contact.Contact{Kind: contact.Kind(via.Address), Value: d.Address}.Mask()
}
