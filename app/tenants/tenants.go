// Package tenants finds out whose users a request is about, and what they decided.
package tenants

import (
	"cmp"
	"maps"
	"slices"

	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
)

// Book is every tenant with what it decided. It does not change and is safe for
// concurrent use.
type Book struct {
	entries map[string]Entry
	origins map[string]string // whose they are
}

// Entry is one tenant.
type Entry struct {
	tenant.Tenant
	Policy policy.Policy
	Brand  Brand
	Locale string // of people who prefer no language that is offered; "": the default tenant's
}

// Brand is how people know a tenant. What is empty is the default tenant's.
type Brand struct {
	Name    string
	Support string // where people find help: a URL, an address or a number
}

// NewBook lists the tenants. The default one is added if it is missing.
func NewBook(entries ...Entry) *Book {
	b := &Book{entries: make(map[string]Entry, len(entries)+1), origins: map[string]string{}}
	b.entries[tenant.Default] = Entry{Tenant: tenant.Tenant{Slug: tenant.Default}, Policy: policy.Default()}
	for _, e := range entries {
		b.entries[e.Slug] = e
		for _, origin := range e.Origins {
			b.origins[origin] = e.Slug
		}
	}
	return b
}

// Resolve finds the tenant that is named, else the one that the origin belongs
// to, else the default one. Naming one that is not there is tenant.ErrUnknown.
func (b *Book) Resolve(named, origin string) (string, error) {
	if named == "" {
		return cmp.Or(b.origins[origin], tenant.Default), nil
	}
	if !b.Has(named) {
		return "", tenant.ErrUnknown
	}
	return named, nil
}

// Has reports whether there is a tenant of that name.
func (b *Book) Has(slug string) bool {
	_, ok := b.entries[slug]
	return ok
}

// Slugs lists the tenants: the default one, then the others by name.
func (b *Book) Slugs() []string {
	out := []string{tenant.Default}
	for _, slug := range slices.Sorted(maps.Keys(b.entries)) {
		if slug != tenant.Default {
			out = append(out, slug)
		}
	}
	return out
}

// Origins lists the web origins of all tenants, sorted.
func (b *Book) Origins() []string { return slices.Sorted(maps.Keys(b.origins)) }

// Policy is what a tenant decided. Tenants that are not there decide as the
// default one does.
func (b *Book) Policy(slug string) policy.Policy { return b.entry(slug).Policy }

// Brand is how people know a tenant.
func (b *Book) Brand(slug string) Brand {
	own, usual := b.entry(slug).Brand, b.entries[tenant.Default].Brand
	return Brand{Name: cmp.Or(own.Name, usual.Name), Support: cmp.Or(own.Support, usual.Support)}
}

// Locale is the language of a tenant's people who prefer none that is offered;
// "" leaves it to whoever offers languages.
func (b *Book) Locale(slug string) string {
	return cmp.Or(b.entry(slug).Locale, b.entries[tenant.Default].Locale)
}

func (b *Book) entry(slug string) Entry {
	if e, ok := b.entries[slug]; ok {
		return e
	}
	return b.entries[tenant.Default]
}

// Returns reports whether a browser may be sent to an address: see tenant.Tenant.
func (b *Book) Returns(slug, address string) bool {
	e, ok := b.entries[slug]
	if !ok {
		e = b.entries[tenant.Default]
	}
	return e.Tenant.Returns(address)
}
