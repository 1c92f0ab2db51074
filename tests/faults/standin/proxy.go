package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// fault is what happens to requests that match, counted from when it was set. At 0: to each, or to the first
// Times ones; At n: to the n-th, and with Times to so many from there on.
type fault struct {
	Method, Path string // method: GET, POST, …, write (not GET), watch, list; path: a regular expression of path and query
	At, Times    int
	// Requests: kill (the answer is lost and process Pid dies after the server has done it), lose (only the
	// answer is lost), drop (nothing reaches the server), status (Status with RetryAfter comes back instead),
	// delay (Millis). Watches: freeze (events wait until the fault goes), slow (each event waits up to Millis),
	// twice (each event comes twice), gone (an ERROR 410 after Millis), cut (the connection breaks after Millis), hang
	// (the connection stands, but after Millis nothing comes any more).
	Action             string
	Status, RetryAfter int
	Millis, Pid        int
	Body               string // of status; empty: a Status object

	path *regexp.Regexp
	seen int
}

type proxy struct {
	upstream *url.URL
	name     string
	reverse  *httputil.ReverseProxy

	mu      sync.Mutex
	changed *sync.Cond
	faults  []*fault
	writes  []string // "POST /path", since the last reset
	tripped []string // actions that happened
	random  *rand.Rand
}

const goneEvent = `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old","code":410}}` + "\n"

func runProxy(arguments []string) error {
	flags := flag.NewFlagSet("proxy", flag.ExitOnError)
	var to connection
	to.addFlags(flags)
	listen := flags.String("listen", "127.0.0.1:7001", "for the operator, plain HTTP")
	control := flags.String("control", "127.0.0.1:7002", "where tests give orders")
	name := flags.String("name", "a", "added to the user agent, so that the audit log tells replicas apart")
	seed := flags.Int64("seed", 1, "of delays")
	_ = flags.Parse(arguments)
	upstream, err := url.Parse(to.server)
	if err != nil {
		return err
	}
	transport, err := to.transport()
	if err != nil {
		return err
	}
	transport.DisableCompression = true
	p := &proxy{upstream: upstream, name: *name, random: rand.New(rand.NewSource(*seed))}
	p.changed = sync.NewCond(&p.mu)
	p.reverse = &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: p.rewrite, ModifyResponse: p.modify,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }}
	go func() { panic(http.ListenAndServe(*control, p.orders())) }()
	return http.ListenAndServe(*listen, p)
}

func (p *proxy) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(p.upstream)
	r.Out.Header.Set("User-Agent", r.In.Header.Get("User-Agent")+" replica/"+p.name)
}

func isWatch(r *http.Request) bool { return r.URL.Query().Get("watch") == "1" }

func (f *fault) matches(r *http.Request) bool {
	fits := false
	switch f.Method {
	case "", r.Method:
		fits = true
	case "write":
		fits = r.Method != "GET"
	case "watch":
		fits = isWatch(r)
	case "list":
		fits = r.Method == "GET" && !isWatch(r)
	}
	return fits && f.path.MatchString(r.URL.RequestURI())
}

// take gives the fault that this request runs into, if it does.
func (p *proxy) take(r *http.Request, ofWatch bool) *fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		watches := strings.Contains(" freeze slow twice gone cut hang ", " "+f.Action+" ")
		if watches != ofWatch || !f.matches(r) {
			continue
		}
		if !ofWatch {
			f.seen++
			first := max(f.At, 1)
			once := f.At > 0 && f.Times == 0
			if f.seen < first || (once && f.seen > first) || (f.Times > 0 && f.seen >= first+f.Times) {
				continue
			}
		} else if f.Times > 0 {
			if f.seen++; f.seen > f.Times {
				continue
			}
		}
		p.tripped = append(p.tripped, f.Action)
		return f
	}
	return nil
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != "GET" {
		p.mu.Lock()
		p.writes = append(p.writes, r.Method+" "+r.URL.Path)
		p.mu.Unlock()
	}
	f := p.take(r, false)
	if f == nil {
		p.reverse.ServeHTTP(w, r)
		return
	}
	switch f.Action {
	case "drop":
		panic(http.ErrAbortHandler)
	case "delay":
		time.Sleep(time.Duration(f.Millis) * time.Millisecond)
		p.reverse.ServeHTTP(w, r)
	case "status":
		f.refuse(w)
	default: // kill, lose
		p.reverse.ServeHTTP(discarded{http.Header{}}, r)
		if f.Action == "kill" {
			_ = syscall.Kill(f.Pid, syscall.SIGKILL)
		}
		panic(http.ErrAbortHandler)
	}
}

// discarded swallows an answer.
type discarded struct{ header http.Header }

func (d discarded) Header() http.Header             { return d.header }
func (d discarded) Write(bytes []byte) (int, error) { return len(bytes), nil }
func (d discarded) WriteHeader(int)                 {}

func (f *fault) refuse(w http.ResponseWriter) {
	body := f.Body
	if body == "" {
		body = fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","message":"the proxy says no","code":%d}`, f.Status)
	}
	w.Header().Set("Content-Type", "application/json")
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, body)
}

// modify puts a pump between the server's events and the watcher.
func (p *proxy) modify(answer *http.Response) error {
	if answer.StatusCode == 200 && isWatch(answer.Request) {
		reader, writer := io.Pipe()
		source := answer.Body
		answer.Body = &pumped{reader, source}
		go p.pump(answer.Request, source, writer)
	}
	return nil
}

type pumped struct {
	io.Reader
	source io.Closer
}

func (b *pumped) Close() error {
	if c, ok := b.Reader.(io.Closer); ok {
		_ = c.Close()
	}
	return b.source.Close()
}

func (p *proxy) pump(r *http.Request, source io.ReadCloser, out *io.PipeWriter) {
	defer source.Close()
	var hung atomic.Bool
	if f := p.take(r, true); f != nil {
		time.AfterFunc(time.Duration(f.Millis)*time.Millisecond, func() {
			switch f.Action {
			case "gone":
				_, _ = io.WriteString(out, goneEvent)
				_ = out.Close()
			case "cut":
				_ = out.CloseWithError(io.ErrUnexpectedEOF)
			case "hang":
				hung.Store(true)
			}
		})
	}
	lines := bufio.NewReaderSize(source, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			_ = out.CloseWithError(err)
			return
		}
		if hung.Load() {
			continue
		}
		copies := p.waitForTurn(r)
		if _, err := io.WriteString(out, strings.Repeat(line, copies)); err != nil {
			return
		}
	}
}

// waitForTurn holds an event as long as the faults of now say; gives how often it is to be told.
func (p *proxy) waitForTurn(r *http.Request) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	copies := 1
	for i := 0; i < len(p.faults); i++ {
		f := p.faults[i]
		if !f.matches(r) {
			continue
		}
		switch f.Action {
		case "freeze":
			p.changed.Wait()
			i = -1 // the faults may be others now
		case "slow":
			wait := time.Duration(p.random.Intn(f.Millis+1)) * time.Millisecond
			p.mu.Unlock()
			time.Sleep(wait)
			p.mu.Lock()
		case "twice":
			copies = 2
		}
	}
	return copies
}

// orders: PUT /faults [fault…] replaces them; GET /state gives {writes, tripped}; PUT /reset forgets those.
func (p *proxy) orders() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /faults", func(w http.ResponseWriter, r *http.Request) {
		var faults []*fault
		if err := json.NewDecoder(r.Body).Decode(&faults); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		for _, f := range faults {
			f.path = regexp.MustCompile(f.Path)
		}
		p.mu.Lock()
		p.faults = faults
		p.mu.Unlock()
		p.changed.Broadcast()
	})
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = json.NewEncoder(w).Encode(object{"writes": p.writes, "tripped": p.tripped})
	})
	mux.HandleFunc("PUT /reset", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.writes, p.tripped = nil, nil
	})
	return mux
}
