package challenges

import (
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// CounterOf names the failures in a row of whoever answers for an address. It
// also names the address in the evidence of a session.
func CounterOf(tenant string, c contact.Contact) string { return counterOf(tenant, aim{to: c}) }

// PasswordCounter names the wrong passwords in a row of somebody known.
func PasswordCounter(user string) string { return "password:" + user }

// CounterOfDevice names the failures in a row of a device; "" if its channel is
// no longer configured.
func (s *Service) CounterOfDevice(d store.Device) string { return s.counterOfDevice(d) }

// CountersOf names all failures in a row that can keep a person out: those of
// their password, of their addresses, also of addresses that are only devices, and
// of their devices,
// and of their password. Each is named once.
func (s *Service) CountersOf(a user.Account, devices []store.Device) []string {
	seen := map[string]bool{"": true}
	var out []string
	add := func(key string) {
		if !seen[key] {
			seen[key] = true
			out = append(out, key)
		}
	}
	add(PasswordCounter(a.ID))
	for _, i := range a.Identifiers {
		if i.Kind != contact.Username {
			add(CounterOf(a.Tenant, i.Contact))
		}
	}
	add(PasswordCounter(a.ID))
	for _, d := range devices {
		add(s.counterOfDevice(d))
	}
	return out
}

// RecipientCharges is what one message to an address costs it, whatever the
// message says.
func RecipientCharges(tenant string, to contact.Contact, p policy.Policy) []limit.Charge {
	return charges("recipient", tenant, string(to.Kind)+to.Value, p.Limits.Recipient)
}

// TenantCharges is what anything that sends costs a whole tenant.
func TenantCharges(tenant string, p policy.Policy) []limit.Charge {
	return charges("tenant", tenant, "", p.Limits.Tenant)
}

// CallerCharges is a limit on what one caller does, under a name of its own.
func CallerCharges(name, tenant, caller string, rules ...limit.Rule) []limit.Charge {
	return charges(name, tenant, caller, rules)
}
