// CoreDNS with only the plugins that the local cluster uses. It runs as a process beside the API
// server, not in a pod: pods get its address from the kubelet.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
)

func init() {
	// The order in which plugins see a query.
	dnsserver.Directives = []string{"bind", "ready", "errors", "log", "cache", "hosts", "kubernetes"}
}

func main() { coremain.Run() }
