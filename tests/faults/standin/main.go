// standin plays what a control plane without machines lacks: `standin kubelet` runs pods that are not
// there, and `standin proxy` stands between an operator and the API server and disturbs what passes.
// Standard library only, so that it builds in seconds wherever the cluster's own programs build.
package main

import (
	"fmt"
	"os"
)

func main() {
	programs := map[string]func(arguments []string) error{"kubelet": runKubelet, "proxy": runProxy}
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: standin kubelet|proxy FLAGS; -h shows them")
		os.Exit(2)
	}
	if err := programs[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "standin %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
