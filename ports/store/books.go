package store

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/rule"
)

// Keys of one unit of work: credentials of other programs.
type Keys interface {
	// Get finds a key by its id, whatever the tenant: apikey.ErrNotFound. Who only
	// wants to know whose it is asks Credentials.
	Get(ctx context.Context, id string) (apikey.Key, error)
	// List gives a tenant's keys, oldest first. It locks nothing.
	List(ctx context.Context, tenant string) ([]apikey.Key, error)
	// Add adds a key.
	Add(ctx context.Context, k apikey.Key) error
	// Save replaces a key that Get found: apikey.ErrNotFound for another tenant's.
	Save(ctx context.Context, k apikey.Key) error
}

// Rules of one unit of work: the entries of block and allow lists that were
// added while the server ran.
type Rules interface {
	// List gives a tenant's entries, oldest first; all tenants' if it is "". It
	// locks nothing.
	List(ctx context.Context, tenant string) ([]rule.Entry, error)
	// Add adds an entry.
	Add(ctx context.Context, e rule.Entry) error
	// Delete removes an entry: rule.ErrNotFound.
	Delete(ctx context.Context, tenant, id string) error
}

// Refs finds devices by what their channel calls them. Within a tenant and a
// channel no two have the same, unless it is "": who would make it so hears
// device.ErrLinked, from Devices.Add, Devices.Save and Store.Settle.
type Refs interface {
	// Find finds a device: device.ErrNotFound.
	Find(ctx context.Context, tenant, channel, ref string) (Device, error)
}

// Receipts tells which message a carrier's report is about.
type Receipts interface {
	// Find finds what was noted when the message was sent: ErrNoReceipt.
	Find(ctx context.Context, channel, id string) (Receipt, error)
	// Delete forgets it: ErrNoReceipt, so that only one of several succeeds.
	Delete(ctx context.Context, channel, id string) error
}

// Receipt is what a carrier called a message that it took.
type Receipt struct {
	Channel   string // the instance that sent it
	ID        string // what the carrier calls it
	Tenant    string
	Handle    string // the challenge whose code went out; "" for a notice
	Number    int    // which message of its challenge
	ExpiresAt time.Time
}

// ErrNoReceipt means that we know of no such message, or not any more.
var ErrNoReceipt = fault.New(fault.NotFound, "no_receipt", "We know of no such message.")

// Journal keeps what happened, and what was answered.
type Journal interface {
	// Record adds facts.
	Record(ctx context.Context, events ...event.Event) error
	// Queue puts recorded facts on their way to those who listen; see Feed.
	Queue(ctx context.Context, facts ...Fact) error
	// Events gives the newest facts first (by id), at most q.Limit (0: all). It
	// locks nothing.
	Events(ctx context.Context, q EventQuery) ([]event.Event, error)
	// Recall finds the answer under an idempotency key: ErrNoAnswer.
	Recall(ctx context.Context, key string, now time.Time) (Answer, error)
	// Remember keeps an answer under its key, replacing the one that is there.
	Remember(ctx context.Context, a Answer) error
}

// EventQuery picks facts.
type EventQuery struct {
	Tenant string
	User   string // "": everybody's, in the whole tenant
	Before string // those whose id is smaller; "": from the newest
	After  string // those whose id is greater
	Limit  int
}

// Answer is what a request was answered, so that its repetition is answered
// alike. Body holds tokens, so it is sealed.
type Answer struct {
	Key       string // keyed hash of tenant, caller, route and Idempotency-Key
	Request   []byte // hash of the request's body, sealed
	Status    int    // HTTP status; 0 while the first request is still at work
	Body      []byte // sealed
	ExpiresAt time.Time
}

// ErrNoAnswer means that nothing is remembered under a key.
var ErrNoAnswer = fault.New(fault.NotFound, "no_answer", "Nothing is remembered.")
