package browser_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/test/containers"
)

// patience bounds one call.
const patience = 30 * time.Second

// chromium is a browser that is told what to do by the DevTools protocol, over
// two pipes: there is no port that somebody else could connect to.
type chromium struct {
	t    *testing.T
	to   *os.File
	next atomic.Int64
	gone chan struct{} // closed when it says no more

	mu      sync.Mutex // guards waiting
	waiting map[int64]chan reply
}

type reply struct {
	ID     int64           `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// start runs a browser with a profile of its own until the test ends.
func start(t *testing.T) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	containers.Require(t, "chromium", err == nil, "install the package chromium")
	fromUs, to := pipe(t)
	from, toUs := pipe(t)
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{fromUs, toUs} // 3 and 4
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	_, _ = fromUs.Close(), toUs.Close()
	b := &chromium{t: t, to: to, gone: make(chan struct{}), waiting: map[int64]chan reply{}}
	go b.listen(from)
	t.Cleanup(func() {
		_ = to.Close() // with nobody to talk to it ends
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		<-b.gone
	})
	return b
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatalf("make a pipe: %v", err)
	}
	return r, w
}

// listen hands replies to whoever waits. Messages end with a zero byte.
func (b *chromium) listen(from io.ReadCloser) {
	defer close(b.gone)
	defer from.Close()
	for in := bufio.NewReader(from); ; {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var r reply
		if json.Unmarshal(text[:len(text)-1], &r) != nil || r.ID == 0 {
			continue // an event
		}
		b.mu.Lock()
		ch := b.waiting[r.ID]
		delete(b.waiting, r.ID)
		b.mu.Unlock()
		if ch != nil {
			ch <- r
		}
	}
}

func (b *chromium) try(session, method string, params any) (json.RawMessage, error) {
	id, ch := b.next.Add(1), make(chan reply, 1)
	text, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params, "sessionId": session})
	if session == "" {
		text, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	}
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.waiting[id] = ch
	b.mu.Unlock()
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return nil, err
	}
	select {
	case r := <-ch:
		if r.Error != nil {
			return nil, errors.New(r.Error.Message)
		}
		return r.Result, nil
	case <-b.gone:
		return nil, errors.New("the browser is gone")
	case <-time.After(patience):
		return nil, fmt.Errorf("no reply within %s", patience)
	}
}

// page is one tab.
type page struct {
	*chromium

	session string
}

// open loads a page in a tab of its own, and waits until its scripts can be called.
func (b *chromium) open(url string) *page {
	b.t.Helper()
	p := &page{chromium: b}
	var target struct{ TargetID string }
	p.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	p.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	p.session = attached.SessionID
	p.call("Page.enable", struct{}{}, nil)
	p.call("Page.navigate", map[string]any{"url": url}, nil)
	p.call("Runtime.evaluate", map[string]any{"awaitPromise": true, "expression": loaded}, nil)
	return p
}

// loaded waits for the page: until then the tab may still show the one before.
const loaded = `new Promise(done => {
	const look = () => location.protocol !== "about:" && document.readyState === "complete" ? done() : setTimeout(look, 10);
	look();
})`

// call asks the browser, which must do it, and reads the result.
func (p *page) call(method string, params, result any) {
	p.t.Helper()
	raw, err := p.try(p.session, method, params)
	if err == nil && result != nil {
		err = json.Unmarshal(raw, result)
	}
	if err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
}

// run evaluates a call of the page's scripts and gives what it comes to, or how
// it failed, as the page would see it.
func (p *page) run(script string, args ...any) (json.RawMessage, error) {
	p.t.Helper()
	list, err := json.Marshal(args)
	if err != nil {
		p.t.Fatal(err)
	}
	var out struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	p.call("Runtime.evaluate", map[string]any{
		"expression": "(" + script + ")(..." + string(list) + ")", "awaitPromise": true, "returnByValue": true, "userGesture": true,
	}, &out)
	if out.ExceptionDetails != nil {
		return nil, errors.New(out.ExceptionDetails.Exception.Description)
	}
	return out.Result.Value, nil
}
