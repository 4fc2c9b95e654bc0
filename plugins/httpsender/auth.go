package httpsender

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// signer shows the gateway who we are, in the recipe's way. Keys are read once,
// so that one that cannot be used is known at the start.
func (s *sender) signer() (func(*http.Request, []byte) error, error) {
	a, from := s.recipe.Request.Auth, s.settings()
	switch {
	case a.Basic != nil:
		user, err := a.Basic.Username.fill(from)
		if err != nil {
			return nil, fmt.Errorf("basic: %w", err)
		}
		password, err := a.Basic.Password.fill(from)
		return func(r *http.Request, _ []byte) error { r.SetBasicAuth(user, password); return nil }, err
	case a.Bearer != nil:
		bearer, err := a.Bearer.fill(from)
		if err == nil && !plain(bearer) {
			err = errors.New("bearer: has characters that no header takes")
		}
		return func(r *http.Request, _ []byte) error { r.Header.Set("Authorization", "Bearer "+bearer); return nil }, err
	case a.SigV4 != nil:
		return s.sigV4()
	case a.JWT != nil:
		return s.bearerJWT()
	default:
		return func(*http.Request, []byte) error { return nil }, nil
	}
}

// aws signs requests as Amazon's services want it: Signature Version 4. Recipes
// that use it have a path of plain characters and no query, so that there is
// nothing about which encodings could differ.
type aws struct {
	access, secret, session, region, service string
	now                                      func() time.Time
}

func (s *sender) sigV4() (func(*http.Request, []byte) error, error) {
	v, from := s.recipe.Request.Auth.SigV4, s.settings()
	k := aws{now: s.env.Now}
	var errs []error
	for into, t := range map[*string]text{&k.access: v.AccessKey, &k.secret: v.SecretKey, &k.region: v.Region, &k.service: v.Service} {
		filled, err := t.fill(from)
		*into = filled
		errs = append(errs, err)
	}
	if v.SessionToken != nil {
		filled, err := v.SessionToken.fill(from)
		if err != nil && !absent(err) {
			errs = append(errs, err)
		}
		k.session = filled
	}
	return k.sign, errors.Join(errs...)
}

func (k aws) sign(r *http.Request, body []byte) error {
	at := k.now().UTC()
	r.Header.Set("X-Amz-Date", at.Format("20060102T150405Z"))
	if k.session != "" {
		r.Header.Set("X-Amz-Security-Token", k.session)
	}
	headers, signed := canonicalHeaders(r)
	sum := sha256.Sum256(body)
	canonical := strings.Join([]string{
		r.Method, r.URL.EscapedPath(), r.URL.RawQuery, headers, signed, hex.EncodeToString(sum[:]),
	}, "\n")
	scope := at.Format("20060102") + "/" + k.region + "/" + k.service + "/aws4_request"
	sum = sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + k.secret)
	for _, step := range append(strings.Split(scope, "/"), strings.Join([]string{
		"AWS4-HMAC-SHA256", at.Format("20060102T150405Z"), scope, hex.EncodeToString(sum[:]),
	}, "\n")) {
		key = mac256(key, step)
	}
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		k.access, scope, signed, hex.EncodeToString(key)))
	return nil
}

// canonicalHeaders lists host, type and what is Amazon's, and their names.
func canonicalHeaders(r *http.Request) (lines, signed string) {
	values := map[string]string{"host": r.URL.Host}
	for name, v := range r.Header {
		if name = strings.ToLower(name); name == "content-type" || strings.HasPrefix(name, "x-amz-") {
			values[name] = strings.Join(strings.Fields(strings.Join(v, ",")), " ")
		}
	}
	list := make([]string, 0, len(values))
	for name := range values {
		list = append(list, name)
	}
	slices.Sort(list)
	var b strings.Builder
	for _, name := range list {
		b.WriteString(name + ":" + values[name] + "\n")
	}
	return b.String(), strings.Join(list, ";")
}

func mac256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// bearerJWT makes a token for each request (RFC 7519), signed with RS256.
func (s *sender) bearerJWT() (func(*http.Request, []byte) error, error) {
	v, from := s.recipe.Request.Auth.JWT, s.settings()
	raw, err := v.Key.fill(from)
	if err != nil {
		return nil, fmt.Errorf("jwt_rs256: %w", err)
	}
	key, err := privateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("jwt_rs256: %w", err)
	}
	claims := map[string]any{}
	for name, t := range v.Claims {
		if claims[name], err = t.fill(from); err != nil {
			return nil, fmt.Errorf("jwt_rs256: %s: %w", name, err)
		}
	}
	return func(r *http.Request, _ []byte) error {
		token, err := s.mint(key, claims, v.Life)
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return err
	}, nil
}

// privateKey reads an RSA key in PEM. The error does not quote it.
func privateKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the key is not PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("the key is no RSA private key")
	}
	return key, nil
}

func (s *sender) mint(key *rsa.PrivateKey, claims map[string]any, life time.Duration) (string, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(s.env.Random, id); err != nil {
		return "", errors.New("no randomness")
	}
	now := s.env.Now()
	all := map[string]any{"iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": hex.EncodeToString(id)}
	maps.Copy(all, claims)
	payload, err := json.Marshal(all)
	if err != nil {
		return "", errors.New("the claims are no JSON")
	}
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", errors.New("the key does not sign")
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
