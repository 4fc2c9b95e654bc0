package app

import (
	"io/fs"
	"os"

	"github.com/countersign/countersign/adapters/templates"
	"github.com/countersign/countersign/domain/tenant"
)

// composer reads all texts, ours and those that replace them. Whatever is wrong
// with them stops the start, with file and line.
func (c *Config) composer() (*templates.Composer, error) {
	slugs := []string{tenant.Default}
	for _, t := range c.Tenants {
		slugs = append(slugs, t.Slug)
	}
	var overlay fs.FS
	if c.Templates.Dir != "" {
		overlay = os.DirFS(c.Templates.Dir)
	}
	texts, err := templates.New(templates.Options{
		Default: c.Locales.Default, Offered: c.Locales.Offered, Overlay: overlay, Folder: c.Templates.Dir, Tenants: slugs,
	})
	return texts, configuration(err)
}
