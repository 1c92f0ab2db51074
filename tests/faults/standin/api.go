package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

// object is JSON from the API server.
type object = map[string]any

// at walks into nested objects; nil if something on the way is no object.
func at(value any, path ...string) any {
	for _, key := range path {
		fields, ok := value.(object)
		if !ok {
			return nil
		}
		value = fields[key]
	}
	return value
}

func textAt(value any, path ...string) string {
	text, _ := at(value, path...).(string)
	return text
}

func listAt(value any, path ...string) []any {
	list, _ := at(value, path...).([]any)
	return list
}

// connection is what both programs need to know of the API server.
type connection struct {
	server, ca, cert, key string
}

func (c *connection) addFlags(flags *flag.FlagSet) {
	flags.StringVar(&c.server, "server", "https://127.0.0.1:6443", "the API server")
	flags.StringVar(&c.ca, "ca", "", "file with its authority")
	flags.StringVar(&c.cert, "cert", "", "file with our certificate")
	flags.StringVar(&c.key, "key", "", "file with its key")
}

func (c *connection) transport() (*http.Transport, error) {
	pem, err := os.ReadFile(c.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	own, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}},
		MaxIdleConnsPerHost: 64,
		MaxConnsPerHost:     256,
	}, nil
}

// client speaks to the API server as the nodes do.
type client struct {
	server string
	http   *http.Client
}

func newClient(c connection) (*client, error) {
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	return &client{c.server, &http.Client{Transport: transport}}, nil
}

// statusError is an answer that is no success.
type statusError struct {
	code int
	body string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d %.300s", e.code, e.body) }

func codeOf(err error) int {
	if status, ok := err.(*statusError); ok {
		return status.code
	}
	return 0
}

func (c *client) open(ctx context.Context, method, path, contentType string, body any) (io.ReadCloser, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, reader)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "standin-kubelet")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		defer answer.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
		return nil, &statusError{answer.StatusCode, string(text)}
	}
	return answer.Body, nil
}

// call sends one request and reads the answer.
func (c *client) call(ctx context.Context, method, path, contentType string, body any) (object, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	answer, err := c.open(ctx, method, path, contentType, body)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	var out object
	return out, json.NewDecoder(answer).Decode(&out)
}

// insist repeats a call that the server could not answer, until it does or ctx ends.
func (c *client) insist(ctx context.Context, method, path, contentType string, body any) (object, error) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		out, err := c.call(ctx, method, path, contentType, body)
		code := codeOf(err)
		if err == nil || (code >= 400 && code < 500 && code != 429) || ctx.Err() != nil {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// follow lists and watches `path` for ever; gone objects come with deleted set. After a list that
// followed a break, what is missing from it is for the caller to notice by onList.
func (c *client) follow(ctx context.Context, path, selector string, onObject func(o object, deleted bool), onList func(uids map[string]bool)) {
	for ctx.Err() == nil {
		version, err := c.list(ctx, path, selector, onObject, onList)
		for err == nil && ctx.Err() == nil {
			version, err = c.watch(ctx, path, selector, version, onObject)
		}
		time.Sleep(300 * time.Millisecond)
	}
}

func (c *client) list(ctx context.Context, path, selector string, onObject func(object, bool), onList func(map[string]bool)) (string, error) {
	list, err := c.call(ctx, "GET", path+"?labelSelector="+url.QueryEscape(selector), "", nil)
	if err != nil {
		return "", err
	}
	uids := map[string]bool{}
	for _, item := range listAt(list, "items") {
		uids[textAt(item, "metadata", "uid")] = true
		onObject(item.(object), false)
	}
	onList(uids)
	return textAt(list, "metadata", "resourceVersion"), nil
}

func (c *client) watch(ctx context.Context, path, selector, version string, onObject func(object, bool)) (string, error) {
	query := "?watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=" + version + "&labelSelector=" + url.QueryEscape(selector)
	stream, err := c.open(ctx, "GET", path+query, "", nil)
	if err != nil {
		if codeOf(err) == 0 { // no answer: the version is still good
			time.Sleep(200 * time.Millisecond)
			return version, nil
		}
		return "", err
	}
	defer stream.Close()
	lines := json.NewDecoder(bufio.NewReaderSize(stream, 1<<20))
	for {
		var event object
		if err := lines.Decode(&event); err != nil {
			return version, nil
		}
		what, _ := event["object"].(object)
		kind := textAt(event, "type")
		if kind == "ERROR" {
			return "", &statusError{410, textAt(what, "message")}
		}
		version = textAt(what, "metadata", "resourceVersion")
		if kind != "BOOKMARK" {
			onObject(what, kind == "DELETED")
		}
	}
}
