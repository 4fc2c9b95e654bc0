package providers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/countersign/countersign/ports/channel"
)

// Bot is Telegram's Bot API for one bot. Start it. It is safe for concurrent use.
type Bot struct {
	Token  string
	Secret string // that setWebhook was called with

	URL    string // where it is, since it was started
	server *httptest.Server

	mu      sync.Mutex // guards the rest
	sent    []BotMessage
	blocked []string
	wait    int
}

// BotMessage is what a chat has got.
type BotMessage struct {
	Chat     string            `json:"chat_id"`
	Text     string            `json:"text"`
	Protect  bool              `json:"protect_content"`
	Mode     string            `json:"parse_mode"` // "" shows the text as it is
	Entities []json.RawMessage `json:"entities"`
	Preview  struct {
		Off bool `json:"is_disabled"`
	} `json:"link_preview_options"`
}

// Start begins to serve. Close it.
func (b *Bot) Start() *Bot {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{bot}/{method}", b.call)
	b.server = httptest.NewServer(mux)
	b.URL = b.server.URL
	return b
}

// Close stops serving.
func (b *Bot) Close() { b.server.Close() }

// Block is somebody who does not want to hear from the bot any more.
func (b *Bot) Block(chat string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blocked = append(b.blocked, chat)
}

// Wait makes it ask for patience, in seconds.
func (b *Bot) Wait(seconds int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wait = seconds
}

// Sent is what was sent, newest last.
func (b *Bot) Sent() []BotMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sent)
}

func (b *Bot) call(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch method := r.PathValue("method"); {
	case r.PathValue("bot") != "bot"+b.Token:
		sorry(w, http.StatusNotFound, "Not Found")
	case method == "getMe":
		say(w, http.StatusOK, map[string]any{"ok": true, "result": map[string]any{"id": 1, "is_bot": true}})
	case method != "sendMessage":
		sorry(w, http.StatusNotFound, "Not Found: method not found")
	case b.wait > 0:
		say(w, http.StatusTooManyRequests, map[string]any{
			"ok": false, "error_code": 429, "description": "Too Many Requests: retry later", "parameters": map[string]int{"retry_after": b.wait},
		})
	default:
		b.deliver(w, r)
	}
}

func (b *Bot) deliver(w http.ResponseWriter, r *http.Request) {
	var m BotMessage
	err := json.NewDecoder(r.Body).Decode(&m)
	switch {
	case err != nil || m.Text == "":
		sorry(w, http.StatusBadRequest, "Bad Request: message text is empty")
	case strings.Trim(m.Chat, "0123456789") != "" || m.Chat == "":
		sorry(w, http.StatusBadRequest, "Bad Request: chat not found")
	case slices.Contains(b.blocked, m.Chat):
		sorry(w, http.StatusForbidden, "Forbidden: bot was blocked by the user")
	default:
		b.sent = append(b.sent, m)
		say(w, http.StatusOK, map[string]any{"ok": true, "result": map[string]any{"message_id": len(b.sent)}})
	}
}

func sorry(w http.ResponseWriter, status int, why string) {
	say(w, status, map[string]any{"ok": false, "error_code": status, "description": why})
}

// Greeted is the update that Telegram sends when somebody follows a link to the bot
// and presses its button.
func (b *Bot) Greeted(link string, chat int64) (channel.Inbound, error) {
	u, err := url.Parse(link)
	if err != nil || u.Host != "t.me" || u.Query().Get("start") == "" {
		return channel.Inbound{}, fmt.Errorf("%q is no link to a bot", link)
	}
	return b.Update(map[string]any{
		"message_id": 1, "text": "/start " + u.Query().Get("start"), "chat": map[string]any{"id": chat, "type": "private"},
		"from": map[string]any{"id": chat, "is_bot": false, "first_name": "Ada"},
	}), nil
}

// Update is an update about a message.
func (b *Bot) Update(message map[string]any) channel.Inbound {
	body := must(json.Marshal(map[string]any{"update_id": 1, "message": message}))
	return channel.Inbound{
		Method: http.MethodPost, Header: map[string][]string{"X-Telegram-Bot-Api-Secret-Token": {b.Secret}}, Body: body,
	}
}
