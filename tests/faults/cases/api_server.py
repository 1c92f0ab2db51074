"""The API server goes away, forgets, refuses, or tells things late and in another order."""
import datetime
import http.client
import threading
import time

import oracle
from control_plane import OPERATOR_USER, ApiError, TooSlow, wait_until
from world import DIAMOND, SINGLE, undisturbed

KINDS = ("imagebuilds", "pods", "persistentvolumeclaims")
SLOW_STAGES = {"Role": "stage", "Run": 1500}


def breaks_plane(case):
    """The case leaves the control plane's own controllers backing off, or worse: others get a new one."""
    case.breaks_plane = True
    return case


def outage(world, go_away):
    """One outage in the middle of a build; gives the replica."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules({"Role": "stage", "Run": 5000})  # an API server takes seconds to start
    replica = world.operator(direct=True, leader_election=True)
    world.build()
    world.running(role="stage", stage=1)
    replica.began = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    go_away()
    assert "result" not in world.status().get("run", {}), "the build had ended before the API server was gone: nothing was shown"
    world.succeeded(seconds=120)
    world.check()
    world.same(state, effects)
    return replica


def test_down_for_one_second(world):
    """The same process goes on: same pods, same end, no list of everything again."""
    replica = outage(world, lambda: world.plane.replace_apiserver(1))
    assert not replica.has_ended()
    lists = [e for e in world.audit.requests() if e["verb"] == "list" and e["stageTimestamp"] > replica.began]
    assert not lists, f"an outage of a second must not cost a list: {lists}"


def test_down_for_eight_seconds(world):
    """Shorter than the lease's renew deadline: the leader stays the leader."""
    def go_away():
        away = world.plane.restart_apiserver(8)
        if away > 10:  # then it is another case: the lease may be lost
            raise TooSlow(f"the API server was away for {away:.1f} s")
    replica = outage(world, go_away)
    assert not replica.has_ended()


@breaks_plane
def test_down_for_sixty_seconds(world):
    """Longer than the lease: the process ends with code 3 and is started again, as Kubernetes would; /metrics answers until then."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules({"Role": "stage", "Run": 3000})
    replica = world.operator(direct=True, leader_election=True)
    world.build()
    world.running(role="stage", stage=1)
    world.plane.kill("kube-apiserver")
    time.sleep(5)
    assert replica.probe("/metrics") == 200, "metrics must be served without the API server"
    assert replica.wait(30) == 3
    time.sleep(55)
    world.plane.start_apiserver()
    world.plane.wait_ready()
    replica.start(ready=False)
    world.succeeded(seconds=120)
    world.check()
    world.same(state, effects)


def test_gone_in_mid_stream(world):
    """An ERROR 410 inside every watch, again and again: the cache is read anew and nothing happens twice."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules(SLOW_STAGES)
    replica = world.operator()
    replica.faults({"Method": "watch", "Action": "gone", "Millis": 700})
    # The watches that run already are cut, so that the next ones meet the fault.
    replica.stop()
    replica.start()
    world.build()
    world.succeeded(seconds=90)
    assert len(replica.tripped()) >= 6, replica.tripped()
    world.check()
    world.same(state, effects)


def test_watches_cut_all_the_time(world):
    """Every watch breaks within a second: it goes on from where it was."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules(SLOW_STAGES)
    replica = world.operator(start=False)
    replica.faults({"Method": "watch", "Action": "cut", "Millis": 500})
    replica.start()
    world.build()
    world.succeeded(seconds=120)
    world.check()
    world.same(state, effects)


def test_half_open_connections(world):
    """Connections on which nothing comes any more, without an end: noticed by the silence of bookmarks within three minutes."""
    world.namespace()
    replica = world.operator(start=False)
    replica.faults({"Method": "watch", "Action": "hang", "Times": 4, "Millis": 2000})
    replica.start()
    time.sleep(3)
    assert replica.tripped() == ["hang"] * 4, replica.tripped()
    begin = time.monotonic()
    world.build(dockerfile=SINGLE)
    world.succeeded(seconds=240)
    took = time.monotonic() - begin
    print(f"noticed after {took:.0f} s")
    assert took < 200
    world.check()


@breaks_plane
def test_compaction_while_away(world):
    """The history that a watch would go on from is gone from etcd and from the API server's memory."""
    state, _ = undisturbed(world)
    world.namespace()
    world.plane.rules(SLOW_STAGES)
    replica = world.operator()
    world.build()
    world.running(role="stage", stage=0)
    replica.faults({"Action": "drop"}, *({"Method": "watch", "Path": f"/{kind}", "Action": "freeze"} for kind in KINDS))
    world.delete_pod_of("stage", 0)
    for i in range(20):  # versions that the operator will never see
        world.api.patch(f"/api/v1/namespaces/{world.ns}", {"metadata": {"labels": {"turn": str(i)}}})
    world.plane.compact()
    world.plane.restart_apiserver(1)
    replica.faults()
    world.succeeded(seconds=120)
    world.check()
    world.same_but_for_attempts(state)
    assert ("stage", "0", "2") in world.effects(), f"the pod that was deleted must have a successor: {world.effects()}"


def test_frozen_watches(world):
    """One kind after the other is not told for seconds, while a pod is deleted: nothing is built on what is stale."""
    state, _ = undisturbed(world)
    world.namespace()
    world.plane.rules(SLOW_STAGES)
    replica = world.operator()
    for kind in KINDS:
        name = f"b-{kind[:4]}"
        world.build(name)
        world.running(build=name, role="stage", stage=0)
        replica.faults({"Method": "watch", "Path": f"/{kind}", "Action": "freeze"})
        world.delete_pod_of("stage", 0, build=name)
        time.sleep(5)
        replica.faults()
        world.succeeded(name, seconds=90)
        world.same_but_for_attempts(state, name)
    world.check()


def test_reordered_and_repeated_events(world):
    """Each kind is told late by chance, so that kinds overtake each other, and every event comes twice."""
    state, effects = undisturbed(world, DIAMOND)
    world.namespace()
    replica = world.operator()
    replica.faults(*({"Method": "watch", "Path": f"/{kind}", "Action": "slow", "Millis": 400} for kind in KINDS),
                   {"Method": "watch", "Action": "twice"})
    for i in range(5):
        world.build(f"b{i}", DIAMOND)
    for i in range(5):
        world.succeeded(f"b{i}", seconds=120)
        world.same(state, effects, f"b{i}")
    world.check()


def test_conflict_storm(world):
    """A second writer changes labels and a status condition 50 times a second: no status is lost, writes stay bounded, and
    the build ends while the storm goes on."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules(SLOW_STAGES)
    world.operator()
    world.build()
    path, over = f"{oracle.BUILDS}/namespaces/{world.ns}/imagebuilds/b", threading.Event()
    turns = []

    def storm():
        while not over.wait(0.02):
            turns.append(1)
            try:
                world.api.patch(path, {"metadata": {"labels": {"storm": str(len(turns))}}})
            except (ApiError, OSError, http.client.HTTPException):
                pass
    thread = threading.Thread(target=storm)
    thread.start()
    try:
        world.succeeded(seconds=120)
    finally:
        over.set()
        thread.join()
    history = [o for _, kind, _, o in world.history() if kind == "build"]
    conflicts = sum(1 for e in world.audit.requests(world.ns) if oracle.is_write(e) and e["responseStatus"]["code"] == 409)
    print(f"{len(turns)} foreign writes, {conflicts} conflicts, {sum(world.writes().values())} writes of ours")
    assert conflicts < 10 * len(effects), "writes are not bounded"
    assert len(turns) > 50 and len(history) > len(turns), f"that was no storm: {len(turns)} turns, {len(history)} versions"
    world.check()
    world.same(state, effects)


def test_too_many_requests(world):
    """429 with Retry-After to everything for ten seconds: obeyed, no storm, and the build ends as ever."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules(SLOW_STAGES)
    replica = world.operator()
    world.build()
    world.running(role="stage", stage=0)
    replica.reset()
    replica.faults({"Action": "status", "Status": 429, "RetryAfter": 1})
    time.sleep(10)
    refused = len(replica.tripped())
    replica.faults()
    world.succeeded(seconds=120)
    print(f"{refused} requests were refused in 10 s")
    assert refused <= 10 * 12, f"{refused} requests in 10 s: Retry-After is not obeyed"
    world.check()
    world.same(state, effects)


def test_priority_and_fairness_rejects(world):
    """A real FlowSchema that rejects all that we ask, except our lease: the leader keeps the lead and goes on afterwards."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules({"Role": "stage", "Run": 3000})
    replica = world.operator(leader_election=True)
    wait_until("the lease", 30, replica.is_leader)
    world.build()
    world.running(role="stage", stage=0)
    flow = "/apis/flowcontrol.apiserver.k8s.io/v1"
    subject = [{"kind": "User", "user": {"name": OPERATOR_USER}}]
    world.api.create(f"{flow}/prioritylevelconfigurations", {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "PriorityLevelConfiguration", "metadata": {"name": "nothing"},
        "spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}}})
    for name, precedence, level, resources in (("our-lease", 50, "leader-election", ["leases"]), ("our-rest", 60, "nothing", ["*"])):
        world.api.create(f"{flow}/flowschemas", {
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": {"name": name},
            "spec": {"matchingPrecedence": precedence, "priorityLevelConfiguration": {"name": level}, "rules": [
                {"subjects": subject, "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": resources, "namespaces": ["*"], "clusterScope": True}]}]}})
    try:
        time.sleep(15)
    finally:
        for name in ("our-lease", "our-rest"):
            world.api.delete(f"{flow}/flowschemas/{name}")
        world.api.delete(f"{flow}/prioritylevelconfigurations/nothing")
    refused = sum(1 for e in world.audit.requests(world.ns) if e.get("responseStatus", {}).get("code") == 429)
    assert not replica.has_ended(), "the leader gave up its lease"
    world.succeeded(seconds=120)
    print(f"{refused} requests of this namespace were rejected")
    world.check()
    world.same(state, effects)


def test_crd_removed_and_restored(world):
    """Its builds are gone with it. The operator stays up, says that it is not ready, and builds again once the CRD is back."""
    world.namespace()
    world.plane.rules(SLOW_STAGES)
    replica = world.operator()
    world.build()
    world.running(role="stage", stage=0)
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/imagebuilds.build.stagewright.dev"
    definition = world.api.get(crd)
    world.api.delete(crd)
    wait_until("the CRD to be gone", 60, lambda: world.api.get(crd) is None)
    wait_until("the operator to say that it is not ready", 60, lambda: replica.probe("/readyz") == 503)
    assert not replica.has_ended(), "the operator ended"
    for key in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
        definition["metadata"].pop(key, None)
    definition.pop("status", None)
    world.api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    wait_until("the CRD to be served", 30, lambda: world.api.get(f"{oracle.BUILDS}/imagebuilds"))
    world.build("again")
    world.succeeded("again", seconds=120)
    wait_until("the operator to be ready", 30, lambda: replica.probe("/readyz") == 200)
    # The garbage collector cannot look for owners of a kind that is not served: it goes on now.
    wait_until("the garbage collector", 120, lambda: not world.children("b"))


def test_rights_revoked_and_restored(world):
    """The ClusterRoleBinding is deleted in mid-build and comes back: the operator backs off, and goes on unaided."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules(SLOW_STAGES)
    replica = world.operator()
    world.build()
    world.running(role="stage", stage=0)
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    binding = world.api.get(f"{path}/stagewright")
    world.api.delete(f"{path}/stagewright")
    time.sleep(10)
    assert not replica.has_ended(), "the operator ended"
    world.api.create(path, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "stagewright"},
                            "roleRef": binding["roleRef"], "subjects": binding["subjects"]})
    world.succeeded(seconds=120)
    refused = sum(1 for e in world.audit.requests(world.ns) if e.get("responseStatus", {}).get("code") == 403)
    print(f"{refused} requests were refused in 10 s")
    assert refused < 60, "no backoff"
    world.check()
    world.same(state, effects)


def test_right_to_create_pods_revoked(world):
    """Only the right to create pods is taken away: that is no failure of the user's, the build says what is refused and goes on later."""
    state, effects = undisturbed(world)
    world.namespace()
    world.operator()
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/stagewright"
    rules = world.api.get(path)["rules"]
    less = [{**r, "verbs": [v for v in r["verbs"] if v != "create" or "pods" not in r["resources"]]} for r in rules]
    world.api.patch(path, {"rules": less})
    try:
        world.build()
        wait_until("the refusal to be told", 20, lambda: "cannot create resource" in oracle.condition(world.status(), "Ready").get("message", ""))
        time.sleep(5)
        assert oracle.condition(world.status(), "Ready")["status"] == "Unknown", world.status()
    finally:
        world.api.patch(path, {"rules": rules})
    world.succeeded(seconds=90)
    world.check()
    world.same(state, effects)
