package argon2

// Watch calls fn around every hash that h makes.
func (h *Hasher) Watch(fn func(hash func() []byte) []byte) {
	kdf := h.kdf
	h.kdf = func(secret, salt []byte, passes, memory uint32, lanes uint8, length uint32) []byte {
		return fn(func() []byte { return kdf(secret, salt, passes, memory, lanes, length) })
	}
}
