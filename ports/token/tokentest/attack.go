package tokentest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/token"
)

func shape(t *testing.T, b *bench) {
	key := b.keys.Keys().Active
	text := b.sign(t, claims())
	head, err := decode[map[string]any](strings.Split(text, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	same(t, head, map[string]any{"alg": string(key.Algorithm), "typ": "at+jwt", "kid": key.ID})
	same(t, payload(t, text), map[string]any{
		"iss": issuer, "sub": "user-1", "aud": audience, "jti": "token-1", "sid": "session-1", "tid": "default",
		"amr": []any{"otp", "sms"}, "acr": "aal1", "auth_time": float64(start.Unix() - 60),
		"iat": float64(start.Unix()), "nbf": float64(start.Unix()), "exp": float64(start.Unix() + 600),
	})
	if again := b.sign(t, claims()); key.Algorithm == token.EdDSA && again != text {
		t.Error("the same claims gave another token")
	}
}

func publishes(t *testing.T, b *bench) {
	text, jwks := b.sign(t, claims()), b.JWKS()
	if err := verify(jwks, text); err != nil {
		t.Error(err)
	}
	if verify(jwks, text[:len(text)-8]+"AAAAAAAA") == nil {
		t.Error("the independent verifier accepts anything")
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "oth"} {
			if _, ok := k[private]; ok {
				t.Errorf("the key set holds the private member %q", private)
			}
		}
	}
}

// goodHead and goodBody are what our own tokens hold; forged ones differ in one thing.
func goodHead(k token.Key) string {
	return fmt.Sprintf(`{"alg":%q,"typ":"at+jwt","kid":%q}`, k.Algorithm, k.ID)
}

func goodBody() string {
	return fmt.Sprintf(`{"iss":%q,"sub":"u","aud":%q,"exp":%d,"iat":%d,"nbf":%d,"jti":"j","sid":"s","tid":"default","amr":[],"acr":"aal1","auth_time":1}`,
		issuer, audience, start.Unix()+600, start.Unix(), start.Unix())
}

func forged(t *testing.T, b *bench) {
	k := b.keys.Keys().Active
	head, body := goodHead(k), goodBody()
	if _, err := b.Read(forge(t, k, head, body), start); err != nil {
		t.Fatalf("the forger does not know our form: %v", err)
	}
	for what, text := range badHeads(t, k, head, body) {
		b.refuse(t, what, text, start, token.ErrInvalid)
	}
	for what, c := range map[string][2]string{
		"no exp":           {`"exp":`, `"exq":`},
		"exp of null":      {fmt.Sprintf(`"exp":%d`, start.Unix()+600), `"exp":null`},
		"exp as text":      {fmt.Sprintf(`"exp":%d`, start.Unix()+600), `"exp":"9999999999"`},
		"exp with a point": {fmt.Sprintf(`"exp":%d`, start.Unix()+600), `"exp":9999999999.5`},
		"no nbf":           {`"nbf":`, `"nbg":`},
		"no iat":           {`"iat":`, `"iau":`},
		"no iss":           {`"iss":`, `"ist":`},
		"no aud":           {`"aud":`, `"aue":`},
		"no sub":           {`"sub":"u"`, `"sub":""`},
		"no jti":           {`"jti":"j"`, `"jti":""`},
		"not closed":       {`"auth_time":1}`, `"auth_time":1`},
		"two objects":      {`"auth_time":1}`, `"auth_time":1}{}`},
	} {
		changed := strings.Replace(body, c[0], c[1], 1)
		if changed == body {
			t.Fatalf("%s: nothing was changed", what)
		}
		b.refuse(t, what, forge(t, k, head, changed), start, token.ErrInvalid)
	}
	for _, odd := range []string{"null", "[]", "1", `""`, "", "{}"} {
		b.refuse(t, "payload "+odd, forge(t, k, head, odd), start, token.ErrInvalid)
	}
	stranger := newKey(t, k.Algorithm)
	b.refuse(t, "stranger's signature, our kid", forge(t, stranger, head, body), start, token.ErrInvalid)
}

func badHeads(t *testing.T, k token.Key, head, body string) map[string]string {
	t.Helper()
	cases := map[string]string{
		"alg none":           encode(`{"alg":"none","typ":"at+jwt","kid":"`+k.ID+`"}`) + "." + encode(body) + ".",
		"alg None":           encode(`{"alg":"None","typ":"at+jwt","kid":"`+k.ID+`"}`) + "." + encode(body) + ".",
		"HS256, public key":  hs256(t, k, []byte(publicBytes(t, k)), body),
		"HS256, empty key":   hs256(t, k, nil, body),
		"HS256, key's name":  hs256(t, k, []byte(k.ID), body),
		"signature is empty": encode(head) + "." + encode(body) + ".",
		"payload not signed": strings.Join(strings.Split(forge(t, k, head, body), ".")[:2], "."),
	}
	other := token.ES256
	if k.Algorithm == token.ES256 {
		other = token.EdDSA
	}
	for what, h := range map[string]string{
		"typ JWT":         strings.Replace(head, "at+jwt", "JWT", 1),
		"typ receipt":     strings.Replace(head, "at+jwt", token.TypeReceipt, 1),
		"typ logout":      strings.Replace(head, "at+jwt", "logout+jwt", 1),
		"typ is a number": strings.Replace(head, `"at+jwt"`, "1", 1),
		"no typ":          strings.Replace(head, `"typ":"at+jwt",`, "", 1),
		"other alg":       strings.Replace(head, string(k.Algorithm), string(other), 1),
		"no alg":          strings.Replace(head, `"alg"`, `"alh"`, 1),
		"no kid":          strings.Replace(head, `"kid"`, `"kie"`, 1),
		"kid is a list":   strings.Replace(head, `"`+k.ID+`"`, `["`+k.ID+`"]`, 1),
		"kid is a path":   strings.Replace(head, k.ID, "../../dev/null", 1),
		"kid is SQL":      strings.Replace(head, k.ID, "' OR 1=1 --", 1),
		"kid is a URL":    strings.Replace(head, k.ID, "https://evil.example.com/", 1),
		"kid is 10 kB":    strings.Replace(head, k.ID, strings.Repeat("k", 10_000), 1),
		"jku":             strings.Replace(head, "{", `{"jku":"https://evil.example.com/",`, 1),
		"x5u":             strings.Replace(head, "{", `{"x5u":"https://evil.example.com/",`, 1),
		"x5c":             strings.Replace(head, "{", `{"x5c":["AAAA"],`, 1),
		"jwk":             strings.Replace(head, "{", `{"jwk":{"kty":"OKP"},`, 1),
		"crit":            strings.Replace(head, "{", `{"crit":["exp"],`, 1),
		"zip":             strings.Replace(head, "{", `{"zip":"DEF",`, 1),
		"b64":             strings.Replace(head, "{", `{"b64":false,`, 1),
	} {
		cases[what] = forge(t, k, h, body)
	}
	return cases
}

// hs256 is the classic confusion: what everybody knows, used as a shared secret.
func hs256(tb testing.TB, k token.Key, secret []byte, body string) string {
	tb.Helper()
	text := encode(strings.Replace(goodHead(k), string(k.Algorithm), "HS256", 1)) + "." + encode(body)
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(text))
	return text + "." + encode(string(m.Sum(nil)))
}

func publicBytes(tb testing.TB, k token.Key) string {
	tb.Helper()
	public, _, err := token.NewPublicJWK(k.Private.Public())
	if err != nil {
		tb.Fatal(err)
	}
	x, errX := base64.RawURLEncoding.DecodeString(public.X)
	y, errY := base64.RawURLEncoding.DecodeString(public.Y)
	if errX != nil || errY != nil {
		tb.Fatal(errX, errY)
	}
	return string(x) + string(y)
}

func altered(t *testing.T, b *bench) {
	text := b.sign(t, claims())
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(digits, text[len(text)-1])
	for spare := 1; spare < 4; spare++ { // 64 bytes leave four bits of the last digit without meaning
		b.refuse(t, "last character with stray bits", text[:len(text)-1]+digits[last^spare:last^spare+1], start, token.ErrInvalid)
	}
	for _, i := range []int{0, strings.IndexByte(text, '.') + 1, len(text) / 2, len(text) - 2} {
		other := "A"
		if text[i] == 'A' {
			other = "B"
		}
		b.refuse(t, fmt.Sprintf("character %d changed", i), text[:i]+other+text[i+1:], start, token.ErrInvalid)
		for _, extra := range []string{"\n", "\r", " ", "=", ".", "\x00", "\xff"} {
			b.refuse(t, fmt.Sprintf("%q before character %d", extra, i), text[:i]+extra+text[i:], start, token.ErrInvalid)
		}
	}
	parts := strings.Split(text, ".")
	for what, bad := range map[string]string{
		"nothing": "", "dots": "..", "half": text[:len(text)/2], "cut by one": text[:len(text)-1],
		"padding": text + "=", "padding twice": text + "==", "newline": text + "\n", "return": text + "\r",
		"space": text + " ", "four parts": text + ".", "five parts": text + "..", "Bearer": "Bearer " + text,
		"two parts": parts[0] + "." + parts[1], "swapped": parts[1] + "." + parts[0] + "." + parts[2],
		"twice": text + text, "many dots": strings.Repeat("a.", 500_000), "1 MiB": strings.Repeat("a", 1<<20),
		"deep": encode(strings.Repeat("[", 5_000)) + ".e30.AAAA",
	} {
		b.refuse(t, what, bad, start, token.ErrInvalid)
	}
}
