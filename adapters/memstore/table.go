package memstore

import (
	"maps"
	"slices"
)

// undo collects what takes a unit of work back.
type undo struct{ steps []func() }

func (u *undo) add(step func()) { u.steps = append(u.steps, step) }

// end forgets the log, after taking everything back unless keep is set.
func (u *undo) end(keep bool) {
	if !keep {
		u.back(0)
	}
	clear(u.steps)
	u.steps = u.steps[:0]
}

// back takes back what was done since there were mark steps.
func (u *undo) back(mark int) {
	for _, step := range slices.Backward(u.steps[mark:]) {
		step()
	}
	u.steps = u.steps[:mark]
}

// table keeps rows by key, and finds them by what they belong to. It copies
// rows on their way in and out; a row inside is never changed, only replaced.
type table[V any] struct {
	log   *undo
	copy  func(V) V
	owner func(V) string // what a row belongs to; "" is nothing
	rows  map[string]V
	owned map[string]map[string]struct{} // keys by owner
}

func newTable[V any](log *undo, clone func(V) V, owner func(V) string) *table[V] {
	return &table[V]{
		log: log, copy: clone, owner: owner,
		rows: map[string]V{}, owned: map[string]map[string]struct{}{},
	}
}

func (t *table[V]) get(key string) (V, bool) {
	v, ok := t.rows[key]
	if !ok {
		return v, false
	}
	return t.copy(v), true
}

func (t *table[V]) put(key string, v V) {
	v = t.copy(v)
	old, had := t.rows[key]
	t.log.add(func() {
		t.drop(key)
		if had {
			t.set(key, old)
		}
	})
	t.drop(key)
	t.set(key, v)
}

func (t *table[V]) remove(key string) {
	old, had := t.rows[key]
	if !had {
		return
	}
	t.log.add(func() { t.set(key, old) })
	t.drop(key)
}

func (t *table[V]) set(key string, v V) {
	t.rows[key] = v
	owner := t.owner(v)
	if owner == "" {
		return
	}
	if t.owned[owner] == nil {
		t.owned[owner] = map[string]struct{}{}
	}
	t.owned[owner][key] = struct{}{}
}

func (t *table[V]) drop(key string) {
	v, ok := t.rows[key]
	if !ok {
		return
	}
	delete(t.rows, key)
	owner := t.owner(v)
	delete(t.owned[owner], key)
	if len(t.owned[owner]) == 0 {
		delete(t.owned, owner)
	}
}

// of copies the rows that belong to owner.
func (t *table[V]) of(owner string) []V {
	out := make([]V, 0, len(t.owned[owner]))
	for key := range t.owned[owner] {
		out = append(out, t.copy(t.rows[key]))
	}
	return out
}

// pick copies the rows that suit.
func (t *table[V]) pick(suits func(V) bool) []V {
	var out []V
	for _, v := range t.rows {
		if suits(v) {
			out = append(out, t.copy(v))
		}
	}
	return out
}

// removeOf removes the rows that belong to owner.
func (t *table[V]) removeOf(owner string) {
	for _, key := range slices.Collect(maps.Keys(t.owned[owner])) {
		t.remove(key)
	}
}

// removeIf removes the rows that old picks, at most most of them, or all if
// most is 0, and says how many there were.
func (t *table[V]) removeIf(most int, old func(V) bool) int {
	var keys []string
	for key, v := range t.rows {
		if most > 0 && len(keys) == most {
			break
		}
		if old(v) {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		t.remove(key)
	}
	return len(keys)
}
