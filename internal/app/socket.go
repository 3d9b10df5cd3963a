package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// The daemon answers on a local socket: HTTP/1.1, POST /do with a Request, and events as JSON lines; the last line is
// the end. Only its user may connect: the socket has mode 0600. A request lasts as long as its client listens: one
// that goes away cuts its request short, which ends in good order (a sync settles what it has in hand and is resumed
// by the next one; the daemon's own flows are not touched).

// maxRequest bounds a request's body.
const maxRequest = 1 << 20

// maxPath is the longest path that a socket can have everywhere.
const maxPath = 100

// shorter is another way to a path that is too long for a socket: by the open folder that it is in. done must be
// called when the way is not needed any more.
func shorter(path string) (way string, done func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		way := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
		if _, err := os.Stat(filepath.Dir(way)); err == nil && len(way) <= maxPath {
			return way, func() { _ = dir.Close() }, nil
		}
		_ = dir.Close()
	}
	return "", nil, lockstep.Faultf(lockstep.CodeFile, "the path of the socket is longer than %d bytes: %s; set `socket:` to a shorter one", maxPath, path)
}

// listener is a socket that was reached by a shorter way.
type listener struct {
	net.Listener
	done func()
}

func (l listener) Close() error {
	err := l.Listener.Close()
	l.done()
	return err
}

// Listen makes the socket. One that a process left behind is replaced; one on which somebody answers is not
// (CodeStoreLocked).
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, lockstep.NewFault(lockstep.CodeFile, err)
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, lockstep.NewFault(lockstep.CodeFile, err)
	case info.Mode()&fs.ModeSocket == 0:
		return nil, lockstep.Faultf(lockstep.CodeFile, "%s is there, and is not a socket", path)
	case answers(path):
		return nil, lockstep.Faultf(lockstep.CodeStoreLocked, "another lockstep answers on %s", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, lockstep.NewFault(lockstep.CodeFile, err)
		}
	}
	way, done, err := shorter(path)
	if err != nil {
		return nil, err
	}
	old := syscall.Umask(0o177) // no moment in which others could connect
	l, err := net.Listen("unix", way)
	syscall.Umask(old)
	if err != nil {
		done()
		return nil, lockstep.NewFault(lockstep.CodeFile, err)
	}
	return listener{l, done}, nil
}

// answers tells whether somebody listens on a socket.
func answers(path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := connect(ctx, path)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func connect(ctx context.Context, path string) (net.Conn, error) {
	way, done, err := shorter(path)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	return d.DialContext(ctx, "unix", way)
}

// line is one line of an answer: an event, or the end.
type line struct {
	*Event
	End         bool    `json:"end,omitempty"`
	Interrupted bool    `json:"interrupted,omitempty"` // with End: the daemon stopped meanwhile
	Faults      []Fault `json:"faults,omitempty"`      // with End: the error
}

// Serve answers requests with run's answers until ctx ends, then waits for those under way, which end with ctx, too.
func Serve(ctx context.Context, run Runner, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /do", func(w http.ResponseWriter, r *http.Request) { answer(run, w, r) })
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		done <- srv.Shutdown(last)
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return lockstep.NewFault(lockstep.CodeDaemon, err)
	}
	return <-done
}

func answer(run Runner, w http.ResponseWriter, r *http.Request) {
	var req Request
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	in.DisallowUnknownFields()
	err := in.Decode(&req)
	if err == nil {
		// Reading to the end, or nobody notices when the client goes away.
		if _, more := in.Token(); !errors.Is(more, io.EOF) {
			err = errors.Join(errors.New("more than one request"), more)
		}
	}
	if err != nil {
		status := http.StatusBadRequest
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "the request cannot be read: "+err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	w.WriteHeader(http.StatusOK)
	out := &lines{enc: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	stop := out.flushing()
	err = run.Do(r.Context(), req, func(e Event) error { return out.put(line{Event: &e}) })
	stop()
	end := line{End: true, Interrupted: errors.Is(err, context.Canceled)}
	for _, one := range split(err) {
		if !errors.Is(one, context.Canceled) {
			end.Faults = append(end.Faults, *faultIn(one, lockstep.FaultOf(one), func(s string) string { return s }))
		}
	}
	if out.put(end) == nil {
		_ = out.flush() // who does not listen any more needs no end
	}
}

// lines writes events, and flushes them soon, but not each by itself: a verify can tell of a million records.
type lines struct {
	mu    sync.Mutex
	enc   *json.Encoder
	flush func() error
	dirty bool
}

func (l *lines) put(v line) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = true
	return l.enc.Encode(v)
}

// flushing flushes what was put, every now and then, until stop.
func (l *lines) flushing() (stop func()) {
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			l.mu.Lock()
			if l.dirty {
				l.dirty = l.flush() != nil
			}
			l.mu.Unlock()
		}
	})
	return func() {
		close(end)
		wg.Wait()
	}
}

// Dial is the daemon that answers on a socket; false where none does.
func Dial(path string) (Runner, bool) {
	if !answers(path) {
		return nil, false
	}
	return &remote{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx, path) },
		DisableKeepAlives: true,
	}}}, true
}

// remote is a daemon.
type remote struct {
	path string
	http *http.Client
}

func (r *remote) Close() error {
	r.http.CloseIdleConnections()
	return nil
}

func (r *remote) Do(ctx context.Context, req Request, emit func(Event) error) error {
	resp, err := r.post(ctx, req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	in := json.NewDecoder(resp.Body)
	for {
		var l line
		switch err := in.Decode(&l); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return lockstep.Faultf(lockstep.CodeDaemon, "the running lockstep went away in the middle of an answer")
		case l.End:
			return l.err()
		case l.Event != nil:
			if err := emit(*l.Event); err != nil {
				return err
			}
		}
	}
}

// err is the error that an end tells of.
func (l line) err() error {
	var all []error
	for i := range l.Faults {
		all = append(all, toldFault(&l.Faults[i]))
	}
	if l.Interrupted {
		all = append(all, fmt.Errorf("the running lockstep stopped: %w", context.Canceled))
	}
	if len(all) == 1 {
		return all[0]
	}
	return errors.Join(all...)
}
