package channel

// dots stand for what must not be read.
const dots = "••••"

// Secret is a configured password or key. However it is printed, logged or
// encoded, it comes out as dots, even from an unexported field. The zero
// Secret is empty. Do not compare Secrets with ==.
type Secret struct {
	hidden *string // a pointer, because fmt prints fields it may not call String on
}

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal gives the text away, to be handed to a provider and to nobody else.
func (s Secret) Reveal() string {
	if s.hidden == nil {
		return ""
	}
	return *s.hidden
}

// IsZero reports whether nothing is hidden.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// String gives dots, or nothing if nothing is hidden.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return dots
}

// GoString gives dots.
func (s Secret) GoString() string { return `channel.Secret("` + s.String() + `")` }

// UnmarshalText hides what a configuration contains.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// MarshalText gives dots, to every encoding.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON gives dots.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }
