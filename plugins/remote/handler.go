package remote

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/signature"
)

// mostAsked is how many bytes of a request are read, and patience how long the
// channel may take: what it does not say by then is said too late.
const (
	mostAsked = 256 << 10
	patience  = 10 * time.Second
)

// Handler lets a channel be asked from elsewhere by those who know the secret: one
// or more of "whsec_<base64>", separated by white space. The clock is now. It is
// safe for concurrent use if the channel is.
func Handler(ch channel.Channel, secret channel.Secret, now func() time.Time) (http.Handler, error) {
	keys, err := signature.ParseKeys(secret.Reveal())
	if err != nil {
		return nil, err
	}
	d := desk{ch: ch, secret: secret, keys: keys, now: now}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /begin", d.serve(d.begin))
	mux.HandleFunc("POST /verify", d.serve(d.verify))
	if sender, ok := channel.As[channel.Sender](ch); ok {
		mux.HandleFunc("POST /send", d.serve(func(ctx context.Context, body []byte) (any, error) {
			var m channel.Message
			if err := read(body, &m); err != nil {
				return nil, err
			}
			return sender.Send(ctx, m)
		}))
	}
	return mux, nil
}

type desk struct {
	ch     channel.Channel
	secret channel.Secret
	keys   []signature.Key
	now    func() time.Time
}

// errForm means that a request is none of ours, although somebody who knows the
// secret has signed it.
var errForm = errors.New("the request has another form")

func read(body []byte, into any) error {
	if json.Unmarshal(body, into) != nil {
		return errForm
	}
	return nil
}

func (d desk) begin(ctx context.Context, body []byte) (any, error) {
	var c channel.Challenge
	if err := read(body, &c); err != nil {
		return nil, err
	}
	return d.ch.Begin(ctx, c)
}

func (d desk) verify(ctx context.Context, body []byte) (any, error) {
	var v verification
	if err := read(body, &v); err != nil {
		return nil, err
	}
	return d.ch.Verify(ctx, v.Challenge, v.State, v.Response)
}

// serve answers what is signed, and signs what it answers. Whatever goes wrong is
// told by a status alone.
func (d desk) serve(do func(context.Context, []byte) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostAsked))
		switch {
		case err != nil:
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		case signature.Verify(d.secret.Reveal(), r.Header, body, d.now()) != nil:
			w.WriteHeader(http.StatusUnauthorized)
			return
		case r.Header.Get(Header) != Version:
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		said, err := do(ctx, body)
		if err != nil {
			fail(w, err)
			return
		}
		text, err := json.Marshal(said)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		maps.Copy(w.Header(), signature.Sign(d.keys, r.Header.Get(signature.ID), text, d.now()))
		w.Header().Set(Header, Version)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // whoever asked may have gone
	}
}

// fail says in a status what an error means, so that the other side makes the same
// error of it.
func fail(w http.ResponseWriter, err error) {
	busy, throttled := errors.AsType[*channel.ThrottledError](err)
	switch {
	case throttled:
		if s := int(busy.After.Round(time.Second) / time.Second); s > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(s))
		}
		w.WriteHeader(http.StatusTooManyRequests)
	case errors.Is(err, errForm):
		w.WriteHeader(http.StatusBadRequest)
	case errors.Is(err, channel.ErrUndeliverable):
		w.WriteHeader(http.StatusGone)
	case errors.Is(err, channel.ErrRefused):
		w.WriteHeader(http.StatusForbidden)
	case errors.Is(err, channel.ErrUnavailable):
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
}
