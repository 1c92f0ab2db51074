package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	runLabel    = "build.stagewright.dev/run"
	buildLabel  = "build.stagewright.dev/build"
	merge       = "application/merge-patch+json"
	strategic   = "application/strategic-merge-patch+json"
	plainJSON   = "application/json"
	heartbeat   = 10 * time.Second
	kubeVersion = "v1.36.3"
)

// rule says how pods that match it behave. Empty fields match everything; the first match counts.
type rule struct {
	Namespace, Build, Role, Stage string
	Attempt                       int
	Times                         int    // applies to so many pods, then no more; 0: to all
	Start, Run, Exit              *int   // ms to running, of work, from the end to its report
	Outcome                       string // "", fail, crash, oom, evict, hang, waiting
	Code                          int    // exit code of fail and crash
	Reason, Message               string // fail: sealed words; waiting: of the container
	Hold                          int    // waiting: ms until it goes on; 0: never
	LogErrors                     int    // answers 500 to so many requests for its log
}

type node struct {
	name string
	dead bool // says nothing and does nothing any more
}

// pod is one that was seen; its life is one goroutine.
type pod struct {
	ns, name, uid, build, runID, role string // role: prepare, publish, or the stage's index
	attempt                           int
	node                              string
	env                               map[string]string
	object                            object
	rule                              rule
	started                           time.Time
	log                               *podLog
	stop                              context.CancelFunc
	over                              chan struct{} // closed when its goroutine has ended
	leaving                           bool
	ready                             bool // of Tekton: its first step may begin
}

// run is what the pods of one run know of each other: in reality the workspace.
type run struct {
	stages []stage
	done   map[string]bool // "<stage>/<attempt>"
	any    map[string]bool // "<stage>"
}

type kubelet struct {
	api     *client
	address string
	port    int
	skew    time.Duration
	delays  rule

	mu      sync.Mutex
	changed *sync.Cond
	nodes   []*node
	next    int
	rules   []rule
	pods    map[string]*pod // by uid
	runs    map[string]*run
}

func runKubelet(arguments []string) error {
	flags := flag.NewFlagSet("kubelet", flag.ExitOnError)
	var to connection
	to.addFlags(flags)
	address := flags.String("address", "10.99.0.1", "of every node")
	port := flags.Int("port", 10250, "of the kubelets' own API")
	control := flags.String("control", "127.0.0.1:9250", "where tests give orders")
	pods := flags.String("pods", buildLabel, "label selector of the pods to run; see tekton.go for other pods than ours")
	count := flags.Int("nodes", 3, "how many")
	start := flags.Int("start", 50, "ms from creation to running")
	work := flags.Int("run", 200, "ms of work of a pod")
	exit := flags.Int("exit", 100, "ms from a container's end to its report")
	skew := flags.Duration("skew", 0, "of the nodes' clocks")
	_ = flags.Parse(arguments)

	api, err := newClient(to)
	if err != nil {
		return err
	}
	k := &kubelet{api: api, address: *address, port: *port, skew: *skew,
		delays: rule{Start: start, Run: work, Exit: exit}, pods: map[string]*pod{}, runs: map[string]*run{}}
	k.changed = sync.NewCond(&k.mu)
	ctx := context.Background()
	for i := 1; i <= *count; i++ {
		n := &node{name: fmt.Sprintf("fake%d", i)}
		if err := k.register(ctx, n); err != nil {
			return fmt.Errorf("register %s: %w", n.name, err)
		}
		k.nodes = append(k.nodes, n)
	}
	go k.beat(ctx)
	go func() { panic(http.ListenAndServe(*control, k.orders())) }()
	go func() { panic(k.serveLogs()) }()
	k.api.follow(ctx, "/api/v1/pods", *pods, k.see, k.forgetUnlisted)
	return nil
}

// ---- nodes ----

func (k *kubelet) now() string { return time.Now().Add(k.skew).UTC().Format(time.RFC3339) }

func (k *kubelet) register(ctx context.Context, n *node) error {
	_, err := k.api.insist(ctx, "POST", "/api/v1/nodes", plainJSON, object{"apiVersion": "v1", "kind": "Node",
		"metadata": object{"name": n.name, "labels": object{"kubernetes.io/hostname": n.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}}})
	if err != nil && codeOf(err) != 409 {
		return err
	}
	room := object{"cpu": "64", "memory": "256Gi", "pods": "5000", "ephemeral-storage": "1Ti"}
	condition := func(kind, status string) object {
		return object{"type": kind, "status": status, "reason": "Standin", "lastHeartbeatTime": k.now(), "lastTransitionTime": k.now()}
	}
	_, err = k.api.insist(ctx, "PATCH", "/api/v1/nodes/"+n.name+"/status", merge, object{"status": object{
		"capacity": room, "allocatable": room,
		"conditions":      []any{condition("Ready", "True"), condition("MemoryPressure", "False"), condition("DiskPressure", "False"), condition("PIDPressure", "False")},
		"addresses":       []any{object{"type": "InternalIP", "address": k.address}, object{"type": "Hostname", "address": n.name}},
		"daemonEndpoints": object{"kubeletEndpoint": object{"Port": k.port}},
		"runtimeHandlers": []any{object{"name": "", "features": object{"recursiveReadOnlyMounts": true, "userNamespaces": true}}},
		"nodeInfo": object{"kubeletVersion": kubeVersion, "containerRuntimeVersion": "containerd://2.3.7", "architecture": "amd64",
			"bootID": "", "kernelVersion": "", "kubeProxyVersion": "", "machineID": "", "operatingSystem": "linux", "osImage": "", "systemUUID": ""}}})
	return err
}

// beat renews the nodes' leases, without which the controller manager takes them for lost.
func (k *kubelet) beat(ctx context.Context) {
	for ; ; time.Sleep(heartbeat) {
		for _, n := range k.alive() {
			spec := object{"holderIdentity": n, "leaseDurationSeconds": 40, "renewTime": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")}
			path := "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
			_, err := k.api.call(ctx, "PATCH", path+"/"+n, merge, object{"spec": spec})
			if codeOf(err) == 404 {
				_, _ = k.api.call(ctx, "POST", path, plainJSON, object{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": object{"name": n}, "spec": spec})
			}
		}
	}
}

func (k *kubelet) alive() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var names []string
	for _, n := range k.nodes {
		if !n.dead {
			names = append(names, n.name)
		}
	}
	return names
}

func (k *kubelet) isDead(name string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range k.nodes {
		if n.name == name {
			return n.dead
		}
	}
	return false
}

// ---- what the watch says ----

func (k *kubelet) see(o object, deleted bool) {
	uid := textAt(o, "metadata", "uid")
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.pods[uid]
	if deleted {
		k.drop(uid)
		return
	}
	phase := textAt(o, "status", "phase")
	leaving := textAt(o, "metadata", "deletionTimestamp") != ""
	if p == nil {
		p = k.newPod(o)
		if phase == "Pending" && !leaving {
			ctx, stop := context.WithCancel(context.Background())
			p.stop = stop
			go k.live(ctx, p)
		} else {
			close(p.over)
		}
		k.pods[uid] = p
	}
	k.seeReady(p, o)
	if leaving && !p.leaving {
		p.leaving = true
		if p.node == "" {
			p.node = textAt(o, "spec", "nodeName")
		}
		go k.remove(p)
	}
}

func (k *kubelet) forgetUnlisted(uids map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for uid := range k.pods {
		if !uids[uid] {
			k.drop(uid)
		}
	}
}

func (k *kubelet) drop(uid string) {
	if p := k.pods[uid]; p != nil {
		p.stop()
		p.log.close()
		delete(k.pods, uid)
	}
}

func (k *kubelet) newPod(o object) *pod {
	label := func(key string) string { return textAt(o, "metadata", "labels", "build.stagewright.dev/"+key) }
	p := &pod{ns: textAt(o, "metadata", "namespace"), name: textAt(o, "metadata", "name"), uid: textAt(o, "metadata", "uid"),
		build: label("build"), runID: label("run"), role: label("role"), node: textAt(o, "spec", "nodeName"),
		env: map[string]string{}, object: o, log: newPodLog(), stop: func() {}, over: make(chan struct{})}
	p.attempt, _ = strconv.Atoi(label("attempt"))
	if p.role == "stage" {
		p.role = label("stage")
	}
	if containers := listAt(o, "spec", "containers"); len(containers) > 0 {
		for _, variable := range listAt(containers[0], "env") {
			p.env[textAt(variable, "name")] = textAt(variable, "value")
		}
	}
	p.rule = k.ruleFor(p)
	p.log.errors = p.rule.LogErrors
	return p
}

func (k *kubelet) ruleFor(p *pod) rule {
	out := k.delays
	for i := range k.rules {
		r := &k.rules[i]
		fits := func(wanted, have string) bool { return wanted == "" || wanted == have }
		role := p.role
		if _, err := strconv.Atoi(role); err == nil {
			role = "stage"
		}
		if r.Times < 0 || !fits(r.Namespace, p.ns) || !fits(r.Build, p.build) || !fits(r.Role, role) || !fits(r.Stage, p.role) ||
			(r.Attempt != 0 && r.Attempt != p.attempt) {
			continue
		}
		if r.Times > 0 {
			if r.Times--; r.Times == 0 {
				r.Times = -1
			}
		}
		out = *r
		for _, field := range []struct{ to, from **int }{{&out.Start, &k.delays.Start}, {&out.Run, &k.delays.Run}, {&out.Exit, &k.delays.Exit}} {
			if *field.to == nil {
				*field.to = *field.from
			}
		}
		break
	}
	return out
}

// ---- the life of a pod ----

func (p *pod) path() string { return "/api/v1/namespaces/" + p.ns + "/pods/" + p.name }

func sleep(ctx context.Context, ms int) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return true
	}
}

func (k *kubelet) live(ctx context.Context, p *pod) {
	defer close(p.over)
	containers := 1 + len(listAt(p.object, "spec", "initContainers")) // one after the other; none of ours has more than one
	if !k.place(ctx, p) || !k.hold(ctx, p) || !sleep(ctx, *p.rule.Start*containers) {
		return
	}
	p.started = time.Now()
	if !k.report(ctx, p, object{"phase": "Running", "startTime": k.now()}, object{"running": object{"startedAt": k.now()}}) {
		return
	}
	end := k.work(ctx, p)
	if ctx.Err() != nil {
		return
	}
	p.log.close()
	finished := k.now()
	if sleep(ctx, *p.rule.Exit) {
		k.reportEnd(ctx, p, end, finished)
	}
}

// end is how a container ended. No code and no reason: well.
type end struct {
	code            int
	reason, message string
	podReason       string // Evicted
}

func (k *kubelet) work(ctx context.Context, p *pod) end {
	switch p.role {
	case "":
		return k.runStep(ctx, p)
	case "prepare":
		return k.prepare(ctx, p)
	case "publish":
		return k.publish(ctx, p)
	}
	return k.runStage(ctx, p)
}

func (k *kubelet) prepare(ctx context.Context, p *pod) end {
	var request struct{ DockerfileInline string }
	_ = json.Unmarshal([]byte(p.env["STAGEWRIGHT_REQUEST"]), &request)
	if !sleep(ctx, *p.rule.Run) { // a container that is stopped seals nothing any more
		return end{}
	}
	if failure := k.failure(ctx, p); failure != nil {
		return *failure
	}
	stages := parseStages(request.DockerfileInline)
	k.mu.Lock()
	k.runs[p.runID] = &run{stages, map[string]bool{}, map[string]bool{}}
	k.mu.Unlock()
	p.log.add(p.sealer().frame(planFrame(stages, request.DockerfileInline)))
	return end{}
}

func (k *kubelet) runStage(ctx context.Context, p *pod) end {
	var upstream map[string]struct{ Attempt int }
	_ = json.Unmarshal([]byte(p.env["STAGEWRIGHT_UPSTREAM"]), &upstream)
	k.waitFor(ctx, p.runID, func(r *run) bool {
		for index, pin := range upstream {
			if !r.done[index+"/"+strconv.Itoa(pin.Attempt)] {
				return false
			}
		}
		return true
	})
	p.log.add("stage " + p.role + " works")
	if !sleep(ctx, *p.rule.Run) {
		return end{}
	}
	if failure := k.failure(ctx, p); failure != nil {
		return *failure
	}
	k.mu.Lock()
	if r := k.runs[p.runID]; r != nil && ctx.Err() == nil {
		r.done[p.role+"/"+strconv.Itoa(p.attempt)] = true
		r.any[p.role] = true
	}
	k.mu.Unlock()
	k.changed.Broadcast()
	return end{}
}

func (k *kubelet) publish(ctx context.Context, p *pod) end {
	var request struct {
		Repository string
		Tags       []any
	}
	_ = json.Unmarshal([]byte(p.env["STAGEWRIGHT_REQUEST"]), &request)
	if p.rule.Outcome == "fail" && p.rule.Run != nil && *p.rule.Run == 0 { // refused at once
		return *k.failure(ctx, p)
	}
	p.log.add(p.sealer().frame(object{"type": "push-check", "ok": true}))
	count := 0
	k.waitFor(ctx, p.runID, func(r *run) bool {
		count = len(r.stages)
		return len(r.any) == count
	})
	if !sleep(ctx, *p.rule.Run) {
		return end{}
	}
	if failure := k.failure(ctx, p); failure != nil {
		return *failure
	}
	p.log.add(p.sealer().frame(imageFrame(request.Repository, request.Tags, count)))
	return end{}
}

// waitFor returns when `ready` holds of the run, or ctx ends.
func (k *kubelet) waitFor(ctx context.Context, runID string, ready func(*run) bool) {
	k.waitUntil(ctx, func() bool { return k.runs[runID] != nil && ready(k.runs[runID]) })
}

// waitUntil returns when `holds` is true, which it asks with the lock held, or ctx ends.
func (k *kubelet) waitUntil(ctx context.Context, holds func() bool) {
	release := context.AfterFunc(ctx, k.changed.Broadcast)
	defer release()
	k.mu.Lock()
	defer k.mu.Unlock()
	for ctx.Err() == nil && !holds() {
		k.changed.Wait()
	}
}

// failure is the end that the pod's rule wants, if it wants one.
func (k *kubelet) failure(ctx context.Context, p *pod) *end {
	switch p.rule.Outcome {
	case "fail":
		return &end{code: p.rule.Code, reason: "Error", message: p.sealer().termination(object{"reason": p.rule.Reason, "message": p.rule.Message})}
	case "crash":
		return &end{code: p.rule.Code, reason: "Error"}
	case "oom":
		return &end{code: 137, reason: "OOMKilled"}
	case "evict":
		return &end{code: 137, reason: "Error", podReason: "Evicted"}
	case "hang":
		<-ctx.Done()
	}
	return nil
}

func (p *pod) sealer() sealer {
	if key, err := hex.DecodeString(p.env["STAGEWRIGHT_KEY"]); err == nil && len(key) > 0 {
		return sealer{key, p.runID, p.role, p.attempt}
	}
	key, _ := hex.DecodeString(p.env["STAGEWRIGHT_RUN_KEY"])
	return sealerOfRun(key, p.runID, p.role, p.attempt)
}

// ---- what the API server hears ----

// place binds the pod to a node that it may run on; false if it never came to that.
func (k *kubelet) place(ctx context.Context, p *pod) bool {
	told := false
	for p.node == "" {
		name := k.choose(p.object)
		if name == "" {
			if !told {
				k.patchStatus(ctx, p, object{"conditions": []any{object{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
					"message": "0/3 nodes are available", "lastTransitionTime": k.now()}}})
				told = true
			}
			if !sleep(ctx, 500) {
				return false
			}
			continue
		}
		_, err := k.api.insist(ctx, "POST", p.path()+"/binding", plainJSON, object{"apiVersion": "v1", "kind": "Binding",
			"metadata": object{"name": p.name, "uid": p.uid}, "target": object{"apiVersion": "v1", "kind": "Node", "name": name}})
		if err != nil && codeOf(err) != 409 {
			return false
		}
		p.node = name
	}
	return true
}

func (k *kubelet) choose(o object) string {
	wanted := ""
	terms := listAt(o, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	for _, term := range terms {
		for _, field := range listAt(term, "matchFields") {
			wanted, _ = listAt(field, "values")[0].(string)
		}
	}
	alive := k.alive()
	if wanted != "" {
		for _, name := range alive {
			if name == wanted {
				return name
			}
		}
		return ""
	}
	if len(alive) == 0 {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next++
	return alive[k.next%len(alive)]
}

// hold keeps the container waiting as its rule says; false if it waits for ever.
func (k *kubelet) hold(ctx context.Context, p *pod) bool {
	if p.rule.Outcome != "waiting" {
		return true
	}
	k.report(ctx, p, object{"phase": "Pending", "startTime": k.now()}, object{"waiting": object{"reason": p.rule.Reason, "message": p.rule.Message}})
	if p.rule.Hold == 0 {
		<-ctx.Done()
		return false
	}
	return sleep(ctx, p.rule.Hold)
}

func (p *pod) container() (name, image string) {
	first := listAt(p.object, "spec", "containers")[0]
	return textAt(first, "name"), textAt(first, "image")
}

func (k *kubelet) report(ctx context.Context, p *pod, status, state object) bool {
	name, image := p.container()
	_, running := state["running"]
	status["containerStatuses"] = []any{object{"name": name, "image": image, "imageID": image, "restartCount": 0, "ready": running, "started": running, "state": state}}
	return k.patchStatus(ctx, p, status)
}

func (k *kubelet) reportEnd(ctx context.Context, p *pod, e end, finished string) bool {
	status := object{"phase": "Succeeded"}
	reason := "Completed"
	if e.code != 0 {
		status["phase"], reason = "Failed", e.reason
	}
	if e.podReason != "" {
		status["reason"], status["message"] = e.podReason, "The node was low on resource: memory."
		status["conditions"] = []any{object{"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "lastTransitionTime": k.now()}}
	}
	return k.report(ctx, p, status, object{"terminated": object{"exitCode": e.code, "reason": reason, "message": e.message,
		"startedAt": p.started.Add(k.skew).UTC().Format(time.RFC3339), "finishedAt": finished}})
}

func (k *kubelet) patchStatus(ctx context.Context, p *pod, status object) bool {
	if k.isDead(p.node) {
		return false
	}
	_, err := k.api.insist(ctx, "PATCH", p.path()+"/status", strategic, object{"metadata": object{"uid": p.uid}, "status": status})
	return err == nil
}

// remove ends a pod that is being deleted, says so, and lets the object go.
func (k *kubelet) remove(p *pod) {
	if k.isDead(p.node) {
		return
	}
	p.stop()
	<-p.over
	ctx := context.Background()
	if !p.started.IsZero() {
		k.reportEnd(ctx, p, end{code: 137, reason: "Error"}, k.now())
	}
	_, _ = k.api.insist(ctx, "DELETE", p.path(), plainJSON, object{"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": object{"uid": p.uid}})
}

// ---- orders from tests ----

// orders: PUT /rules [rule…]; PUT /nodes/<name>/dead; GET /pods counts those that are known.
func (k *kubelet) orders() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /rules", func(w http.ResponseWriter, r *http.Request) {
		var rules []rule
		if err := json.NewDecoder(r.Body).Decode(&rules); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		k.mu.Lock()
		k.rules = rules
		k.mu.Unlock()
	})
	mux.HandleFunc("PUT /nodes/{name}/{state}", func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		var back *node
		for _, n := range k.nodes {
			if n.name == r.PathValue("name") {
				n.dead = r.PathValue("state") == "dead"
				back = n
			}
		}
		k.mu.Unlock()
		if back != nil && !back.dead {
			_ = k.register(r.Context(), back)
		}
	})
	mux.HandleFunc("GET /pods", func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		fmt.Fprintln(w, len(k.pods))
	})
	return mux
}

// find gives the newest pod of that name.
func (k *kubelet) find(path string) *pod {
	parts := strings.Split(strings.TrimPrefix(path, "/containerLogs/"), "/")
	if len(parts) != 3 {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.pods {
		if p.ns == parts[0] && p.name == parts[1] && !p.started.IsZero() {
			return p
		}
	}
	return nil
}
