package providers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// Gateway is Telegram's Gateway for one account. Start it. It is safe for
// concurrent use.
type Gateway struct {
	Token string

	URL    string // where it is, since it was started
	server *httptest.Server

	mu   sync.Mutex // guards the rest
	sent []GatewayMessage
	says string
}

// GatewayMessage is what somebody was sent.
type GatewayMessage struct {
	ID       string `json:"-"`
	Phone    string `json:"phone_number"`
	Code     string `json:"code"`
	TTL      int    `json:"ttl"`
	Sender   string `json:"sender_username"`
	Callback string `json:"callback_url"`
}

// Start begins to serve. Close it.
func (g *Gateway) Start() *Gateway {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sendVerificationMessage", g.send)
	g.server = httptest.NewServer(mux)
	g.URL = g.server.URL
	return g
}

// Close stops serving.
func (g *Gateway) Close() { g.server.Close() }

// Say makes it answer with an error; "" ends that.
func (g *Gateway) Say(word string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.says = word
}

// Sent is what was sent, newest last.
func (g *Gateway) Sent() []GatewayMessage {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.sent)
}

var (
	internationally = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	gatewayCode     = regexp.MustCompile(`^[0-9]{4,8}$`)
)

func (g *Gateway) send(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var m GatewayMessage
	err := json.NewDecoder(r.Body).Decode(&m)
	why := g.says
	switch {
	case why != "":
	case r.Header.Get("Authorization") != "Bearer "+g.Token:
		why = "ACCESS_TOKEN_INVALID"
	case err != nil || !internationally.MatchString(m.Phone):
		why = "PHONE_NUMBER_INVALID"
	case !gatewayCode.MatchString(m.Code):
		why = "CODE_INVALID"
	case m.TTL < 30 || m.TTL > 3600:
		why = "TTL_INVALID"
	}
	if why != "" {
		say(w, http.StatusOK, map[string]any{"ok": false, "error": why})
		return
	}
	m.ID = fmt.Sprintf("request-%d", len(g.sent)+1)
	g.sent = append(g.sent, m)
	say(w, http.StatusOK, map[string]any{"ok": true, "result": map[string]any{"request_id": m.ID, "phone_number": m.Phone}})
}

// Report is what it sends to the callback URL about a message.
func (g *Gateway) Report(id, status string, at time.Time) channel.Inbound {
	body := must(json.Marshal(map[string]any{"request_id": id, "delivery_status": map[string]any{"status": status, "updated_at": at.Unix()}}))
	stamp := strconv.FormatInt(at.Unix(), 10)
	key := sha256.Sum256([]byte(g.Token))
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(stamp + "\n" + string(body)))
	return channel.Inbound{
		Method: http.MethodPost, Body: body,
		Header: map[string][]string{"X-Request-Timestamp": {stamp}, "X-Request-Signature": {hex.EncodeToString(h.Sum(nil))}},
	}
}
