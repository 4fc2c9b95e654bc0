package providers

import (
	"crypto/ecdsa"
	"encoding/base64"
	"maps"
	"net/http"
	"strings"
)

func (p *OIDC) discover(w http.ResponseWriter, _ *http.Request) {
	method := "client_secret_basic"
	if p.Post {
		method = "client_secret_post"
	}
	say(w, http.StatusOK, map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"jwks_uri": p.URL + "/keys", "userinfo_endpoint": p.URL + "/userinfo", "introspection_endpoint": p.URL + "/introspect",
		"token_endpoint_auth_methods_supported": []string{method},
	})
}

func (p *OIDC) keys(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched++
	keys := append([]map[string]string{}, p.extra...)
	if public, ok := p.key.Public().(*ecdsa.PublicKey); ok {
		point := must(public.Bytes())[1:]
		encode := base64.RawURLEncoding.EncodeToString
		keys = append(keys, map[string]string{
			"kty": "EC", "crv": "P-256", "kid": p.id, "use": "sig", "alg": "ES256", "x": encode(point[:32]), "y": encode(point[32:]),
		})
	}
	w.Header().Set("Cache-Control", p.cache)
	say(w, http.StatusOK, map[string]any{"keys": keys})
}

// userinfo answers every access token, whoever it was made for, as providers do.
func (p *OIDC) userinfo(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]; !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	all := maps.Clone(p.person)
	maps.Copy(all, p.info)
	say(w, http.StatusOK, all)
}

func (p *OIDC) introspect(w http.ResponseWriter, r *http.Request) {
	if !p.authentic(r) {
		say(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	p.mu.Lock()
	client, ok := p.access[r.PostFormValue("token")]
	p.mu.Unlock()
	if !ok {
		say(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	claims := p.Claims(map[string]any{"active": true, "client_id": client, "token_type": "Bearer"})
	say(w, http.StatusOK, claims)
}
