package configfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

const (
	// fileSuffix behind the key of a secret names the file that holds it.
	fileSuffix = "_file"
	// maxSecret is the size of the largest secret file, in bytes.
	maxSecret = 64 << 10
	// othersRead is the permission bit for everybody else.
	othersRead fs.FileMode = 0o004
)

// secretFile fills a secret from the file that n names. Neither the content
// nor anything about it gets into a message.
func (d *decoder) secretFile(parent, n *node, v reflect.Value, f field, path string) {
	path = join(path, f.name)
	if parent.child(f.name) != nil {
		d.add(n.key, path, "both "+f.name+" and "+f.name+fileSuffix+" are given", "Remove one of them.")
		return
	}
	if n.kind != scalar || n.text == "" || wantText(n, v.Type()) != nil {
		d.expected(n, path+fileSuffix, "the name of a file", "")
		return
	}
	name := n.text
	if n.at.layer == fromFile && !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(d.file), name)
	}
	content, text, hint := readSecret(name, d.strict)
	if text != "" {
		d.add(n.at, path+fileSuffix, text, hint)
		return
	}
	d.value(&node{kind: scalar, text: content, at: n.at, key: n.key}, v, f, path)
}

// readSecret returns the content of a file without the white space around it,
// or what is wrong with the file and what to do.
func readSecret(name string, strict bool) (content, text, hint string) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "there is no file " + name, "Create it, or correct the name."
	case err != nil:
		return "", cannotRead(name, err), "Let the user that runs this process read it."
	case !info.Mode().IsRegular():
		return "", name + " is not a regular file", "Name the file itself."
	case strict && info.Mode()&othersRead != 0:
		return "", "everybody on this machine can read " + name, "Run: chmod o-rwx " + name
	}
	file, err := os.Open(name)
	if err != nil {
		return "", cannotRead(name, err), "Let the user that runs this process read it."
	}
	defer file.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	switch {
	case err != nil:
		return "", cannotRead(name, err), ""
	case len(data) > maxSecret:
		return "", fmt.Sprintf("%s is larger than %d bytes", name, maxSecret), "Check that it is the right file."
	}
	if content = strings.TrimSpace(string(data)); content == "" {
		return "", name + " is empty", "Write the secret into it."
	}
	return content, "", ""
}

// cannotRead says why, without the operation and the name that the error of
// the operating system repeats.
func cannotRead(name string, err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return "cannot read " + name + " (" + err.Error() + ")"
}
