package app

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/countersign/countersign/adapters/configfile"
	"github.com/countersign/countersign/adapters/webhook"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/signature"
)

// Webhook is an endpoint elsewhere that is told what happens.
type Webhook struct {
	Name         string         `yaml:"name" max:"100" doc:"What its place in the queue is called: events that wait do so under it. If missing, its host and a hash of the rest of its URL."`
	URL          string         `yaml:"url" doc:"Where events are posted to."`
	Secret       channel.Secret `yaml:"secret" secret:"file" doc:"What events are signed with: whsec_ and base64 of 24 to 64 bytes. While it is being replaced, the new and the old one with a space between."`
	Events       []string       `yaml:"events" doc:"Which events it is told of: names, groups such as user.*, or * for all."`
	AllowPrivate bool           `yaml:"allow_private" doc:"Whether it may have an address that is not public, and plain http. Development allows both."`
}

// SetDefaults makes a webhook that is told everything.
func (w *Webhook) SetDefaults() { w.Events = []string{"*"} }

// listenerForm is what names of listeners look like.
var listenerForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$`)

// name is what its place in the queue is called.
func (w Webhook) name() string {
	if w.Name != "" {
		return w.Name
	}
	return webhook.DefaultName(w.URL)
}

// checkWebhooks reports what is wrong with the webhooks. Development lets them
// have private addresses.
func (c *Config) checkWebhooks() (errs []error) {
	seen := map[string]bool{}
	for i, w := range c.Webhooks {
		problem := func(path, text, hint string) {
			errs = append(errs, configfile.Problem{Path: fmt.Sprintf("webhooks[%d].%s", i, path), Text: text, Hint: hint})
		}
		if w.URL == "" {
			problem("url", "is missing: say where events are posted to", "")
			continue
		}
		if err := webhook.CheckURL(w.URL, w.AllowPrivate || c.Mode == Development); err != nil {
			problem("url", err.Error(), "")
		}
		if _, err := signature.ParseKeys(w.Secret.Reveal()); err != nil {
			problem("secret", "is missing, or not whsec_ and base64 of 24 to 64 bytes", `Make one with: echo "whsec_$(openssl rand -base64 32)"`)
		}
		switch name := w.name(); {
		case w.Name != "" && !listenerForm.MatchString(w.Name):
			problem("name", "is not a name such as crm: use small letters, digits, dots, dashes and underscores", "")
		case seen[name]:
			problem("name", fmt.Sprintf("is %q, as another webhook's is", name), "Name each of them, with a name that can stay.")
		default:
			seen[name] = true
		}
		for j, pattern := range w.Events {
			if text, hint := unknownEvents(pattern); text != "" {
				problem(fmt.Sprintf("events[%d]", j), text, hint)
			}
		}
		if len(w.Events) == 0 {
			problem("events", "is empty", `Leave it out to be told of everything.`)
		}
	}
	return errs
}

// unknownEvents says what is wrong with a pattern that means no event.
func unknownEvents(pattern string) (text, hint string) {
	if slices.ContainsFunc(event.Types(), func(t event.Type) bool { return t.Matches(pattern) }) {
		return "", ""
	}
	names := []string{"*"}
	for _, t := range event.Types() {
		names = append(names, string(t))
		if group := t.Group() + ".*"; !slices.Contains(names, group) {
			names = append(names, group)
		}
	}
	return fmt.Sprintf("no event is called %q", pattern), configfile.DidYouMean(pattern, names)
}
