"""The operator dies, or does not hear an answer, at every single write of a build of five stages."""
import signal
import threading

from control_plane import wait_until
from world import undisturbed

PARALLEL = 3  # lanes: each a namespace with its own operator and proxy


def budget(stages):
    """Writes of one build by design: claim, prepare, publish and the end 4, and per stage 3 (controllers.md section 4)."""
    return 4 + 3 * stages


def test_undisturbed_build_is_frugal(world):
    """At most 4 + 3 per stage writes, not one polling read, none after the end; and nothing is left behind."""
    world.namespace()
    replica = world.operator()
    world.build()
    world.succeeded()
    world.check()
    writes = world.writes()
    requests = [e for e in world.audit.requests(world.ns) if e["verb"] in ("get", "list") and e["objectRef"].get("subresource") != "log"]
    deletes = sum(n for (verb, _), n in writes.items() if verb == "delete")
    print(f"writes: {dict(writes)}; reads: {len(requests)}")
    assert sum(writes.values()) - deletes <= budget(5), f"too many writes: {writes}"
    # The watches of one namespace: a list of each kind at most, and none again.
    assert len([e for e in requests if e["verb"] == "get"]) == 0, requests
    replica.stop()
    world.check_nothing_leaks()


def lanes(world, indexes, disturb):
    """Runs disturb(lane, index) for all indexes, some at a time; gives what went wrong."""
    wrong, todo, lock = [], list(indexes), threading.Lock()

    def work(lane):
        while True:
            with lock:
                if not todo:
                    return
                index = todo.pop(0)
            try:
                disturb(lane, index)
            except Exception as error:  # collected: all indexes are worth knowing
                wrong.append(f"at write {index}: {error}")
    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(PARALLEL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def at_every_write(world, disturb):
    """Compares the build disturbed at each write with the undisturbed one: same end, same pods."""
    state, effects = undisturbed(world)
    total = len(world.replicas[0].writes())
    assert total >= 15, f"only {total} writes: is this a build of five stages?"
    replicas = {}
    for lane in range(PARALLEL):
        ns = world.namespace(f"{world.ns}-{lane}")
        replicas[lane] = world.operator(f"l{lane}", namespace=ns, start=False)

    def one(lane, index):
        ns, name = f"{world.ns}-{lane}", f"b{index}"
        disturb(replicas[lane], index, lambda: world.build(name, ns=ns))
        world.succeeded(name, ns=ns, seconds=90)
        wait_until("pods and claim to go", 60, lambda: not world.children(name, ns))
        replicas[lane].faults()
        replicas[lane].stop()
        world.same(state, effects, name, ns)
    wrong = lanes(world, range(1, total + 1), one)
    assert not wrong, "\n".join(wrong)
    for lane in range(PARALLEL):
        world.check(f"{world.ns}-{lane}")
    print(f"{total} writes")
    return total


def test_killed_at_every_write(world):
    """SIGKILL the moment the API server has done the n-th write; another process goes on."""
    killed = []

    def disturb(replica, index, begin):
        replica.start()
        replica.faults({"Method": "write", "Action": "kill", "At": index, "Pid": replica.process.pid})
        name = begin()
        # A build whose status writes fell together may have fewer of them this time.
        wait_until("the kill, or the end", 60, lambda: replica.has_ended() or (
            world.finished_status(name, replica.namespace) and not world.children(name, replica.namespace)))
        if replica.has_ended():
            assert replica.wait() == -signal.SIGKILL
            killed.append(index)
            replica.start(ready=False)
    total = at_every_write(world, disturb)
    assert len(killed) >= total - 3, f"killed only at {sorted(killed)} of {total}"


def test_answer_lost_at_every_write(world):
    """The API server does the n-th write, the operator never hears of it, not even at its second try."""
    def disturb(replica, index, begin):
        replica.start()
        replica.faults({"Method": "write", "Action": "lose", "At": index, "Times": 2})
        begin()
    at_every_write(world, disturb)


def test_request_lost_at_every_write(world):
    """The n-th write never reaches the API server, at two tries."""
    def disturb(replica, index, begin):
        replica.start()
        replica.faults({"Method": "write", "Action": "drop", "At": index, "Times": 2})
        begin()
    at_every_write(world, disturb)


def test_terminated_in_mid_build(world):
    """SIGTERM: exit code 0 within seconds, and the next one finishes the build as if nothing had been."""
    state, effects = undisturbed(world)
    world.namespace()
    first = world.operator("first")
    world.build()
    world.running(role="stage", stage=1)
    assert first.stop() == 0
    world.operator("second")
    world.succeeded()
    world.check()
    world.same(state, effects)
