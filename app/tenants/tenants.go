// Package tenants finds out whose users a request is about, and what they decided.
package tenants

import (
	"slices"

	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
)

// Book is every tenant with its policy. It does not change and is safe for
// concurrent use.
type Book struct {
	entries map[string]Entry
}

// Entry is one tenant.
type Entry struct {
	tenant.Tenant
	Policy policy.Policy
}

// NewBook lists the tenants. The default one is added if it is missing.
func NewBook(entries ...Entry) *Book {
	b := &Book{entries: make(map[string]Entry, len(entries)+1)}
	b.entries[tenant.Default] = Entry{Tenant: tenant.Tenant{Slug: tenant.Default}, Policy: policy.Default()}
	for _, e := range entries {
		b.entries[e.Slug] = e
	}
	return b
}

// Resolve finds the tenant that is named, else the one that the host belongs
// to, else the default one. Naming one that is not there is tenant.ErrUnknown.
func (b *Book) Resolve(named, origin string) (string, error) {
	if named != "" {
		if _, ok := b.entries[named]; !ok {
			return "", tenant.ErrUnknown
		}
		return named, nil
	}
	for slug, e := range b.entries {
		if slices.Contains(e.Origins, origin) {
			return slug, nil
		}
	}
	return tenant.Default, nil
}

// Policy is what a tenant decided. Tenants that are not there decide as the
// default one does.
func (b *Book) Policy(slug string) policy.Policy {
	if e, ok := b.entries[slug]; ok {
		return e.Policy
	}
	return b.entries[tenant.Default].Policy
}
