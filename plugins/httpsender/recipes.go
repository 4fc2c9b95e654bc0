package httpsender

import (
	"embed"
	"io/fs"
	"path/filepath"
	"strings"
)

// kitchen holds a folder for each recipe; what else is in them is for the tests.
//
//go:embed recipes/*/recipe.yaml
var kitchen embed.FS

// recipeNames lists the recipes that are built in, in order.
func recipeNames() []string {
	files, err := fs.Glob(kitchen, "recipes/*/recipe.yaml")
	if err != nil {
		return nil
	}
	for i, f := range files {
		files[i] = filepath.Base(strings.TrimSuffix(f, "/recipe.yaml"))
	}
	return files
}

// builtIn reads a recipe that is built in.
func builtIn(name string) (*recipe, error) {
	file := "recipes/" + name + "/recipe.yaml"
	content, err := kitchen.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return readRecipe(file, content)
}
