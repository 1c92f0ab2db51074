package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

// podLog is the log of one container: it grows until it is closed.
type podLog struct {
	mu      sync.Mutex
	text    strings.Builder
	closed  bool
	errors  int           // so many requests fail
	changed chan struct{} // closed and replaced at every change
}

func newPodLog() *podLog { return &podLog{changed: make(chan struct{})} }

func (l *podLog) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *podLog) add(line string) { l.change(func() { l.text.WriteString(line + "\n") }) }
func (l *podLog) close()          { l.change(func() { l.closed = true }) }

func (l *podLog) since(offset int) (text string, closed bool, changed chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()[offset:], l.closed, l.changed
}

func (l *podLog) takeError() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errors--
	return l.errors >= 0
}

// serveLogs is the part of a kubelet's own API that the API server asks for logs.
func (k *kubelet) serveLogs() error {
	certificate, err := ownCertificate()
	if err != nil {
		return err
	}
	server := &http.Server{Addr: fmt.Sprintf("%s:%d", k.address, k.port), Handler: http.HandlerFunc(k.answerLog),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	return server.ListenAndServeTLS("", "")
}

func (k *kubelet) answerLog(w http.ResponseWriter, r *http.Request) {
	p := k.find(r.URL.Path)
	if p == nil {
		http.Error(w, "no such container", http.StatusNotFound)
		return
	}
	if p.log.takeError() {
		http.Error(w, "the runtime does not answer", http.StatusInternalServerError)
		return
	}
	follow := r.URL.Query().Get("follow") == "true"
	for offset := 0; ; {
		text, closed, changed := p.log.since(offset)
		offset += len(text)
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		if closed || !follow {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// ownCertificate is self-signed: the API server does not ask for more unless told to.
func ownCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
