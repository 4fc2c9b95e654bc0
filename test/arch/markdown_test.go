package arch_test

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	inlineLink    = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?[^)]*\)`)
	referenceLink = regexp.MustCompile(`(?m)^ {0,3}\[[^\]^]+\]:\s*<?([^\s>]+)>?`)
	htmlLink      = regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	codeSpan      = regexp.MustCompile("`[^`\n]*`")
	heading       = regexp.MustCompile(`(?m)^#{1,6}\s+(.+?)\s*#*$`)
	unsluggish    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// block is what stands between two fences.
type block struct {
	line     int // of the opening fence, from 1
	language string
	text     string
}

// split takes a document apart into prose and fenced blocks.
func split(doc string) (prose string, blocks []block) {
	var out, code strings.Builder
	fence := ""
	for i, line := range strings.Split(doc, "\n") {
		mark := strings.TrimLeft(line, " ")
		ticks := mark[:len(mark)-len(strings.TrimLeft(mark, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
			blocks = append(blocks, block{line: i + 1, language: strings.TrimSpace(mark[len(ticks):])})
			code.Reset()
		case fence != "" && len(ticks) >= len(fence) && strings.TrimSpace(mark[len(ticks):]) == "":
			fence = ""
			blocks[len(blocks)-1].text = code.String()
		case fence != "":
			code.WriteString(line + "\n")
		default:
			out.WriteString(line + "\n")
		}
	}
	return out.String(), blocks
}

// links gives the targets of all links in a document that lead into the repository.
func links(doc string) (out []string) {
	prose, _ := split(doc)
	prose = codeSpan.ReplaceAllString(prose, "")
	for _, kind := range []*regexp.Regexp{inlineLink, referenceLink, htmlLink} {
		for _, m := range kind.FindAllStringSubmatch(prose, -1) {
			u, err := url.Parse(m[1])
			if err == nil && u.Scheme == "" && u.Host == "" {
				out = append(out, m[1])
			}
		}
	}
	return out
}

// anchors are the names of a document's headings, as forges make them.
func anchors(doc string) map[string]bool {
	prose, _ := split(doc)
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(prose, -1) {
		name := unsluggish.ReplaceAllString(strings.ToLower(m[1]), "")
		name = strings.ReplaceAll(name, " ", "-")
		unique := name
		for n := 1; out[unique]; n++ {
			unique = fmt.Sprintf("%s-%d", name, n)
		}
		out[unique] = true
	}
	return out
}

// checkLinks says which links of a document lead nowhere. read gives a file of
// the repository, or an error; a folder is a file without content.
func checkLinks(file, doc string, read func(string) (string, error)) (found []string) {
	for _, link := range links(doc) {
		u, err := url.Parse(link)
		if err != nil {
			continue // links gives none of these
		}
		target, text := file, doc
		if u.Path != "" {
			target = path.Join(path.Dir(file), u.Path)
			if strings.HasPrefix(u.Path, "/") {
				target = strings.TrimPrefix(path.Clean(u.Path), "/")
			}
			if text, err = read(target); err != nil || target == ".." || strings.HasPrefix(target, "../") {
				found = append(found, fmt.Sprintf("%s: the link to %s leads nowhere", file, link))
				continue
			}
		}
		if u.Fragment != "" && strings.HasSuffix(target, ".md") && !anchors(text)[u.Fragment] {
			found = append(found, fmt.Sprintf("%s: %s has no heading #%s", file, target, u.Fragment))
		}
	}
	return found
}

// documents gives every Markdown file of the repository by its path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, file := range tracked(t) {
		if path.Ext(file) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(top(t), file))
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		out[file] = string(text)
	}
	if len(out) < 3 {
		t.Fatalf("only %d documents were found: this test would pass whatever they say", len(out))
	}
	return out
}

func TestMarkdownLinks(t *testing.T) {
	read := func(name string) (string, error) {
		file := filepath.Join(top(t), filepath.FromSlash(name))
		if i, err := os.Stat(file); err != nil || i.IsDir() {
			return "", err
		}
		text, err := os.ReadFile(file)
		return string(text), err
	}
	for file, doc := range documents(t) {
		report(t, checkLinks(file, doc, read))
	}
}

func TestMarkdownChecksCatchWhatTheyAreFor(t *testing.T) {
	files := map[string]string{"docs/b.md": "# One two: `three`!\n\n## Same\n## Same\n", "docs": "", "pic.svg": ""}
	read := func(name string) (string, error) {
		text, ok := files[name]
		if !ok {
			return "", os.ErrNotExist
		}
		return text, nil
	}
	for doc, want := range map[string]string{
		"[x](b.md)":                       "",
		"[x](./b.md#one-two-three)":       "",
		"[x](b.md#same-1)":                "",
		"[x](b.md#four)":                  "no heading #four",
		"[x](b.md \"title\")":             "",
		"[x](c.md)":                       "c.md leads nowhere",
		"[x](../docs)":                    "",
		"[x](../../etc/passwd)":           "leads nowhere",
		"[x](/docs/b.md)":                 "",
		"[x][y]\n\n[y]: c.md":             "c.md leads nowhere",
		"![x](../pic.svg)":                "",
		`<img src="pic.png">`:             "pic.png leads nowhere",
		"[x](https://example.com/c.md)":   "",
		"[x](mailto:a@example.com)":       "",
		"`[x](c.md)`":                     "",
		"```\n[x](c.md)\n```\n":           "",
		"```\n```\n[x](c.md)\n":           "c.md leads nowhere",
		"## Here\n\n[x](#here) [y](#hey)": "no heading #hey",
	} {
		found := checkLinks("docs/a.md", doc, read)
		if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || !strings.Contains(found[0], want)) {
			t.Errorf("%q led to %q, not to %q", doc, found, want)
		}
	}
}
