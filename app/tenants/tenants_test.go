package tenants_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
)

func book() *tenants.Book {
	shut := policy.Default()
	shut.SignUp.Allowed = false
	return tenants.NewBook(
		tenants.Entry{Tenant: tenant.Tenant{Slug: tenant.Default, Origins: []string{"https://a.example.com"}}, Policy: policy.Default(),
			Brand: tenants.Brand{Name: "Example", Support: "help@example.com"}, Locale: "en"},
		tenants.Entry{Tenant: tenant.Tenant{Slug: "t2", Origins: []string{"https://b.example.com"}}, Policy: shut, Brand: tenants.Brand{Name: "Two"}, Locale: "de"},
		tenants.Entry{Tenant: tenant.Tenant{Slug: "t1"}, Policy: policy.Default()},
	)
}

func TestATenantIsFoundByNameThenByOrigin(t *testing.T) {
	b := book()
	for _, x := range []struct{ named, origin, want string }{
		{"t1", "https://b.example.com", "t1"}, {"", "https://b.example.com", "t2"}, {"", "https://a.example.com", tenant.Default},
		{"", "http://b.example.com", tenant.Default}, {"", "", tenant.Default}, {tenant.Default, "https://b.example.com", tenant.Default},
	} {
		if got, err := b.Resolve(x.named, x.origin); err != nil || got != x.want {
			t.Errorf("%+v: %q, %v", x, got, err)
		}
	}
	if _, err := b.Resolve("t3", ""); !errors.Is(err, tenant.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(b.Slugs(), []string{tenant.Default, "t1", "t2"}) || !slices.Equal(b.Origins(), []string{"https://a.example.com", "https://b.example.com"}) {
		t.Errorf("slugs %v, origins %v", b.Slugs(), b.Origins())
	}
}

func TestATenantDecidesForItself(t *testing.T) {
	b := book()
	if b.Policy("t2").SignUp.Allowed || !b.Policy("t1").SignUp.Allowed || !b.Policy("nobody").SignUp.Allowed {
		t.Error("a tenant has another one's policy")
	}
	for slug, want := range map[string]tenants.Brand{
		"t1": {Name: "Example", Support: "help@example.com"}, "t2": {Name: "Two", Support: "help@example.com"},
	} {
		if got := b.Brand(slug); got != want {
			t.Errorf("%s is known as %+v", slug, got)
		}
	}
	if b.Locale("t1") != "en" || b.Locale("t2") != "de" {
		t.Errorf("locales %q, %q", b.Locale("t1"), b.Locale("t2"))
	}
}

func TestThereIsAlwaysADefaultTenant(t *testing.T) {
	b := tenants.NewBook()
	if !b.Has(tenant.Default) || b.Has("t2") || b.Policy(tenant.Default).Challenge.Attempts == 0 || b.Locale("x") != "" {
		t.Errorf("an empty book has %v", b.Slugs())
	}
}
