package main

import "context"

// What pods of Tekton need beyond ours, for bench/scale/run.py --peers: each is a TaskRun of one step. Its init
// containers start one after the other like any container and end at once, unreported. Its step starts with the pod, but
// Tekton's program in it waits for a word of the controller, an annotation that the kubelet mounts as a file. Here the
// word arrives as soon as the watch brings it, which is sooner than a kubelet renews the file.

const readyAnnotation = "tekton.dev/ready"

// seeReady hears the word. The lock is held.
func (k *kubelet) seeReady(p *pod, o object) {
	if !p.ready && textAt(o, "metadata", "annotations", readyAnnotation) == "READY" {
		p.ready = true
		k.changed.Broadcast()
	}
}

func (k *kubelet) runStep(ctx context.Context, p *pod) end {
	k.waitUntil(ctx, func() bool { return p.ready })
	sleep(ctx, *p.rule.Run)
	return end{}
}
