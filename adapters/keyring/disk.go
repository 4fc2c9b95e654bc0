package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	maxFile   = 1 << 20 // bytes; 255 roots and as many signing keys are a tenth of it
	othersMay = 0o077
)

// FileError says in one sentence why a key file cannot be used, and what to do.
type FileError struct {
	Verb    string // read or write
	Path    string
	Problem string // "there is no such file"
	Remedy  string // a full sentence without its stop
	cause   error
}

// Error gives the sentence.
func (e *FileError) Error() string {
	return fmt.Sprintf("Cannot %s the key file %s: %s. %s", e.Verb, e.Path, e.Problem, e.Remedy)
}

// Unwrap returns what the system said, if it did.
func (e *FileError) Unwrap() error { return e.cause }

// Options say how to read a key file.
type Options struct {
	Strict bool      // refuse a file that others on the machine can read; for production
	Random io.Reader // for nonces; must be safe for concurrent use
}

// Read reads a key file and makes its ring. What is wrong with the file is a
// *FileError.
func Read(path string, o Options) (*Ring, error) {
	f, err := Load(path, o)
	if err != nil {
		return nil, err
	}
	return New(f, o.Random)
}

// Load reads a key file, in order to change it. All refusals are *FileError.
func Load(path string, o Options) (*File, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, unreachable(path, err)
	}
	defer func() { _ = h.Close() }() // it was only read
	info, err := h.Stat()
	if err != nil {
		return nil, unreachable(path, err)
	}
	// Windows has no such bits: there the folder's access list protects the file.
	if mode := info.Mode().Perm(); o.Strict && mode&othersMay != 0 && runtime.GOOS != "windows" {
		return nil, &FileError{
			Verb: "read", Path: path,
			Problem: fmt.Sprintf("others on this machine may use it (mode %04o)", mode),
			Remedy:  "Close it with: chmod 600 " + path,
		}
	}
	text, err := io.ReadAll(io.LimitReader(h, maxFile+1))
	if err != nil {
		return nil, unreachable(path, err)
	}
	f, err := parse(text)
	if err != nil {
		return nil, &FileError{
			Verb: "read", Path: path, Problem: err.Error(),
			Remedy: "Put it right or restore it from a back-up: a new file would lose what is sealed under this one",
		}
	}
	return f, nil
}

func unreachable(path string, err error) error {
	e := &FileError{Verb: "read", Path: path, cause: err, Problem: reason(err)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Problem = "there is no such file"
		e.Remedy = "Make one with: countersign keys new --file " + path
	case errors.Is(err, fs.ErrPermission):
		e.Problem = "this user may not read it"
		e.Remedy = "Give it to the user that runs countersign"
	default:
		e.Remedy = "Check the setting keys.file"
	}
	return e
}

// reason leaves out the path, which the sentence has already.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// parse reads and checks the content. Its errors never show a secret.
func parse(text []byte) (*File, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	f := new(File)
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("it is not the JSON of a key file (%w)", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	if err := f.validate(); err != nil {
		return nil, err
	}
	return f, nil
}

// Create writes a new key file, readable by its owner only, and refuses to
// touch one that is there. What the disk refuses is a *FileError.
func (f *File) Create(path string) error {
	// The empty file keeps the name from others until the full one takes its place.
	h, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &FileError{
			Verb: "write", Path: path, cause: err, Problem: "there is one already",
			Remedy: "Choose another name, or change this one with: countersign keys rotate --file " + path,
		}
	}
	if err == nil {
		err = h.Close()
	}
	if err != nil {
		return unwritable(path, err)
	}
	if err := f.Replace(path); err != nil {
		_ = os.Remove(path)
		return err
	}
	return nil
}

// Replace writes the key file in one step over the one that is there: whoever
// reads it meanwhile sees all of the old one or all of the new one. What the
// disk refuses is a *FileError.
func (f *File) Replace(path string) error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	// A link stays a link; what it points to changes.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if err := swap(path, append(text, '\n')); err != nil {
		return unwritable(path, err)
	}
	return nil
}

func unwritable(path string, err error) error {
	return &FileError{
		Verb: "write", Path: path, cause: err, Problem: reason(err),
		Remedy: "Check that the folder exists, has room, and belongs to this user",
	}
}

// swap writes beside the file, so that the rename stays on one file system,
// and syncs the folder too: a rename is only durable with it.
func swap(path string, text []byte) (err error) {
	folder := filepath.Dir(path)
	h, err := os.CreateTemp(folder, ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(h.Name())
		}
	}()
	_, err = h.Write(text)
	if err = errors.Join(err, h.Sync(), h.Close()); err != nil {
		return err
	}
	if err = os.Rename(h.Name(), path); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
