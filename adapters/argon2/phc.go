package argon2

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/countersign/countersign/ports/seal"
)

// The bounds of what a hash holds, in bytes: 64 of salt and of tag, and less
// than that for all else.
const (
	leastSalt, mostSalt = 8, 64
	leastTag, mostTag   = 16, 64
	mostText            = 256
)

// phc is the content of a hash in PHC string form.
type phc struct {
	cost      Cost
	key       seal.KeyID // of the pepper; 0 is none
	salt, tag []byte
}

// base is the alphabet that the form asks for: without padding.
var base = base64.RawStdEncoding.Strict()

// String writes $argon2id$v=19$m=19456,t=2,p=1,keyid=AQ$salt$tag.
func (p phc) String() string {
	var key string
	if p.key != 0 {
		key = ",keyid=" + base.EncodeToString([]byte{byte(p.key)})
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d%s$%s$%s", argon2.Version, p.cost.Memory, p.cost.Passes, p.cost.Lanes, key,
		base.EncodeToString(p.salt), base.EncodeToString(p.tag))
}

// parse reads what String wrote, with any cost that is within bounds. What it
// would not have written like that it does not read: there is one way to write
// a hash, so no two strings are the same one.
func parse(text string) (phc, bool) {
	if len(text) > mostText {
		return phc{}, false
	}
	parts := strings.Split(text, "$")
	if len(parts) != 6 {
		return phc{}, false
	}
	p, ok := parameters(parts[3])
	salt, err := base.DecodeString(parts[4])
	if err != nil || len(salt) < leastSalt || len(salt) > mostSalt {
		return phc{}, false
	}
	tag, err := base.DecodeString(parts[5])
	if err != nil || len(tag) < leastTag || len(tag) > mostTag {
		return phc{}, false
	}
	p.salt, p.tag = salt, tag
	if !ok || !p.cost.bounded() || p.String() != text {
		return phc{}, false
	}
	return p, true
}

// parameters reads "m=19456,t=2,p=1,keyid=AQ". It does not mind a missing one,
// which has no cost within bounds, or a wrong order.
func parameters(text string) (p phc, ok bool) {
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		if name == "keyid" {
			id, err := base.DecodeString(value)
			if err != nil || len(id) != 1 {
				return phc{}, false
			}
			p.key = seal.KeyID(id[0])
			continue
		}
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return phc{}, false
		}
		switch name {
		case "m":
			p.cost.Memory = uint32(n)
		case "t":
			p.cost.Passes = uint32(n)
		case "p":
			p.cost.Lanes = uint8(min(n, mostLanes+1))
		default:
			return phc{}, false
		}
	}
	return p, true
}
