"""What can happen to the pods of a build, and to what they need."""
import time

import oracle
from control_plane import wait_until
from world import CHAIN, SINGLE, undisturbed

SLOW_STAGES = {"Role": "stage", "Run": 2000}


def evict(world, pod):
    meta = pod["metadata"]
    world.api.create(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/eviction",
                     {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": meta["name"], "namespace": meta["namespace"]}})


def recovers(world, labels, disturb, spec=None, reason="Disrupted", rules=(SLOW_STAGES,)):
    """Disturbs one running pod; the build succeeds with one more attempt, and says why."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules(*rules)
    world.operator()
    world.build(**(spec or {}))
    disturb(world.running(**labels))
    status = world.succeeded(seconds=120)
    attempts = [a for part in [status["run"]["prepare"], status["run"]["publish"], *status["stages"]] for a in part.get("attempts", [])]
    assert any(a["reason"] == reason for a in attempts), attempts
    world.check()
    world.same_but_for_attempts(state)
    assert set(effects) < set(world.effects())


def test_prepare_evicted(world):
    """The Eviction subresource on prepare: another attempt, and no failure of the user's."""
    recovers(world, {"role": "prepare"}, lambda pod: evict(world, pod), rules=({"Role": "prepare", "Run": 2000},))


def test_stage_evicted(world):
    """The Eviction subresource on a stage: it and those that read from it begin again."""
    recovers(world, {"role": "stage", "stage": 1}, lambda pod: evict(world, pod))


def test_publish_evicted(world):
    """The Eviction subresource on publish: the stages stay as they are."""
    recovers(world, {"role": "publish"}, lambda pod: evict(world, pod))


def test_stage_deleted_by_hand(world):
    """kubectl delete pod: recreated as the next attempt."""
    recovers(world, {"role": "stage", "stage": 0}, lambda pod: world.api.delete(f"/api/v1/namespaces/{world.ns}/pods/{pod['metadata']['name']}"))


def test_node_pressure(world):
    """The kubelet evicts a stage itself: phase Failed, DisruptionTarget."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules({"Role": "stage", "Stage": "1", "Attempt": 1, "Outcome": "evict"})
    world.operator()
    world.build()
    world.succeeded(seconds=90)
    world.check()
    world.same_but_for_attempts(state)
    assert set(effects) < set(world.effects())


def test_node_removed(world):
    """The node with the workspace is deleted: the run begins again on another one, with new names."""
    state, _ = undisturbed(world)
    world.namespace()
    world.plane.rules(SLOW_STAGES)
    world.operator()
    world.build()
    world.running(role="stage", stage=1)
    first = world.status()["run"]
    world.plane.set_node(first["node"], "dead")
    try:
        world.api.delete(f"/api/v1/nodes/{first['node']}")
        status = world.succeeded(seconds=120)
    finally:
        world.plane.set_node(first["node"], "alive")
    assert status["run"]["id"] != first["id"] and status["run"]["node"] != first["node"], status["run"]
    world.same_but_for_attempts(state)
    world.check()


def test_node_silent(world):
    """The node says nothing any more: after its grace the run begins again elsewhere, and nothing is deleted by force. Its
    publish pod could still move the tags, so the new one waits and says for what; once the Node is deleted it goes on."""
    world.namespace()
    world.plane.rules({"Role": "stage", "Run": 3000})
    world.operator()
    world.build()
    world.running(role="stage", stage=1)
    first = world.status()["run"]
    world.plane.set_node(first["node"], "dead")
    try:
        wait_until("the new run to wait for the old publish pod", 200, lambda: f"{first['node']} is lost: delete the Node" in oracle.condition(world.status(), "Ready").get("message", ""))
        assert world.reason() == "Queued"
        forced = [e for e in world.audit.requests(world.ns) if e["verb"] == "delete" and "gracePeriodSeconds=0" in e["requestURI"]]
        assert not forced, forced
        world.api.delete(f"/api/v1/nodes/{first['node']}")
        status = world.succeeded(seconds=120)
    finally:
        world.plane.set_node(first["node"], "alive")
    assert status["run"]["id"] != first["id"] and status["run"]["node"] != first["node"], status["run"]
    world.check()


def test_out_of_memory(world):
    """A stage killed for memory is the user's: it fails at once, and says the limit."""
    world.namespace()
    world.plane.rules({"Role": "stage", "Stage": "1", "Outcome": "oom"})
    world.operator()
    world.build(execution={"resources": {"limits": {"memory": "64Mi"}}})
    status = world.failed("StageOOMKilled")
    assert "64Mi" in status["failure"]["message"], status["failure"]
    assert ("stage", "1", "2") not in world.effects()
    world.check()


def test_workspace_full(world):
    """A stage that finds no room on the volume is the user's to mend; nothing is tried again."""
    world.namespace()
    world.plane.rules({"Role": "stage", "Stage": "2", "Outcome": "fail", "Code": 10, "Reason": "WorkspaceFull", "Message": "write /out: no space left on device"})
    world.operator()
    world.build()
    status = world.failed("WorkspaceFull")
    assert "no space left" in status["failure"]["message"], status["failure"]
    world.check()


def test_stage_failed(world):
    """A step that fails ends the build at once, in the words of the stage."""
    world.namespace()
    world.plane.rules({"Role": "stage", "Stage": "1", "Outcome": "fail", "Code": 10, "Reason": "StageFailed", "Message": "RUN 1: exit code 1"})
    world.operator()
    world.build()
    status = world.failed("StageFailed")
    assert status["failure"]["stage"] == "s1" and "RUN 1" in status["failure"]["message"], status["failure"]
    world.check()


def test_secret_missing_for_a_while(world):
    """Publish finds no Secret: said at once, tried again, and the build succeeds when the Secret is there."""
    state, _ = undisturbed(world)
    world.namespace()
    world.plane.rules({"Role": "publish", "Attempt": 1, "Run": 0, "Outcome": "fail", "Code": 21, "Reason": "CredentialsNotFound", "Message": "spec.output.secretRef: no Secret push"})
    world.operator()
    world.build()
    wait_until("the reason to be told", 20, lambda: world.reason() == "CredentialsNotFound")
    world.succeeded(seconds=90)
    world.check()
    world.same_but_for_attempts(state)


def test_secret_missing_for_good(world):
    """After two minutes it is the user's, and the message names the field."""
    world.namespace()
    world.plane.rules({"Role": "publish", "Run": 0, "Outcome": "fail", "Code": 21, "Reason": "CredentialsNotFound", "Message": "spec.output.secretRef: no Secret push"})
    world.operator()
    world.build()
    status = world.failed("CredentialsNotFound", seconds=240)
    assert "spec.output.secretRef" in status["failure"]["message"]
    world.check()


def test_image_cannot_be_pulled(world):
    """ErrImagePull is shown at once; a pull that works in time costs nothing."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules({"Role": "stage", "Stage": "0", "Outcome": "waiting", "Reason": "ErrImagePull", "Message": "x509: unknown authority", "Hold": 5000})
    world.operator()
    world.build()
    wait_until("the reason to be told", 20, lambda: world.reason() == "NodeCannotPull")
    world.succeeded(seconds=60)
    world.check()
    world.same(state, effects)


def test_log_cannot_be_read(world):
    """The kubelet refuses the log of prepare several times: it is asked again, and the build goes on."""
    state, effects = undisturbed(world)
    world.namespace()
    world.plane.rules({"Role": "prepare", "LogErrors": 4})
    world.operator()
    world.build()
    world.succeeded(seconds=60)
    world.check()
    world.same(state, effects)


def skewed(minutes):
    def mark(case):
        case.plane = {"kubelet": ("--skew", f"{minutes}m")}
        return case
    return mark


def skew(world):
    world.namespace()
    world.plane.rules({"Build": "unread", "Role": "prepare", "LogErrors": 3})
    replica = world.operator()
    world.build(timeout="5m")
    world.succeeded()
    world.check()
    assert world.status()["run"]["durationSeconds"] < 60
    world.build("unread", timeout="5m")  # its log comes only after its container has ended
    world.succeeded("unread")
    assert not world.status("unread")["run"]["prepare"].get("attempts"), world.status("unread")["run"]
    replica.stop()


@skewed(10)
def test_nodes_ahead_by_ten_minutes(world):
    """Nodes whose clocks are wrong end no build and start no retry."""
    skew(world)


@skewed(-10)
def test_nodes_behind_by_ten_minutes(world):
    """Clocks that are wrong in the other direction, where every container seems to have ended long ago: the same."""
    skew(world)


def test_build_deleted_in_mid_run(world):
    """Deleting a build at prepare, at a stage and at publish leaves nothing, and nothing is created for it any more."""
    world.namespace()
    world.plane.rules({"Role": "prepare", "Run": 1000}, {"Role": "stage", "Run": 1000}, {"Role": "publish", "Run": 1000})
    world.operator()
    for role in ("prepare", "stage", "publish"):
        name = f"b-{role}"
        world.build(name, SINGLE)
        world.running(build=name, role=role)
        world.check_nothing_leaks(name)
    time.sleep(1)
    assert not any(world.children(f"b-{role}") for role in ("prepare", "stage", "publish"))
    oracle.check_history(world.history())


def test_rebuild_during_a_rebuild(world):
    """Inputs edited five times in a second: one run wins, and no pod of another is left acting."""
    world.namespace()
    world.plane.rules({"Role": "stage", "Run": 500})
    world.operator()
    world.build(dockerfile=CHAIN)
    for i in range(5):
        world.running(seconds=30)
        world.api.patch(f"{oracle.BUILDS}/namespaces/{world.ns}/imagebuilds/b", {"spec": {"buildArgs": [{"name": "N", "value": str(i)}]}})
        time.sleep(0.2)
    wait_until("the last run to end", 90, lambda: world.status().get("observedGeneration") == world.get()["metadata"]["generation"] and world.finished_status("b", None))
    world.succeeded()
    oracle.check_history(world.history())
