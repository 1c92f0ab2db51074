"""Two replicas, one lease."""
import signal
import time

import oracle
from control_plane import SYSTEM_NAMESPACE, wait_until
from world import CHAIN, undisturbed

SLOW_STAGES = {"Role": "stage", "Run": 2500}
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/stagewright-operator"
LIMIT = 17  # seconds from the death of a leader to the first write of the next: expiry 15, and a retry period


def pair(world):
    """A leader and a warm standby, with the numbers that we ship (15, 10, 2 s)."""
    world.api.delete(LEASE)
    world.namespace()
    world.plane.rules(SLOW_STAGES)
    leader = world.operator("one", leader_election=True)
    wait_until("the lease", 30, leader.is_leader)
    return leader, world.operator("two", leader_election=True)


def check_holders(world):
    """No write by a replica while another one held the lease."""
    holder, since, wrong = "", "", []
    for e in world.audit.requests():
        replica = world.audit.replica(e)
        if replica not in (f"{world.ns}-one", f"{world.ns}-two"):
            continue
        if e["objectRef"]["resource"] == "leases" and e["verb"] in ("create", "update") and e["responseStatus"]["code"] < 300:
            if replica != holder:
                holder, since = replica, e["stageTimestamp"]
        elif oracle.is_write(e) and replica != holder and e["requestReceivedTimestamp"] > since:
            wrong.append((replica, e["verb"], e["objectRef"], e["requestReceivedTimestamp"], f"{holder} leads since {since}"))
    assert not wrong, f"writes by a replica that did not hold the lease: {wrong}"


def test_leader_stopped_for_twenty_seconds(world):
    """SIGSTOP for longer than the lease, with writes pending: the standby takes over; the old one writes nothing and ends with code 3."""
    state, effects = undisturbed(world)
    leader, standby = pair(world)
    world.build()
    world.running(role="stage", stage=0)
    leader.send(signal.SIGSTOP)
    stopped = time.monotonic()
    wait_until("the standby to lead", 30, standby.is_leader)
    print(f"taken over after {time.monotonic() - stopped:.1f} s")
    time.sleep(max(0, 20 - (time.monotonic() - stopped)))
    world.build("pending")  # the old leader finds it in its watch when it wakes
    leader.send(signal.SIGCONT)
    assert leader.wait(30) == 3
    world.succeeded(seconds=60)
    world.succeeded("pending", seconds=60)
    check_holders(world)
    world.check()
    world.same(state, effects)


def test_leader_killed(world):
    """SIGKILL of the leader: the next write comes within 17 s, and the build ends as ever."""
    state, effects = undisturbed(world)
    leader, standby = pair(world)
    world.build()
    world.running(role="stage", stage=0)
    leader.stop(signal.SIGKILL)
    died = time.monotonic()
    world.build("next", "FROM base\nRUN 1\n")
    wait_until("the first pod by the new leader", 40, lambda: world.pods(build="next"))
    gap = time.monotonic() - died
    print(f"failover took {gap:.1f} s")
    assert gap <= LIMIT
    world.succeeded(seconds=60)
    check_holders(world)
    world.check()
    world.same(state, effects)


def test_leader_hands_over(world):
    """SIGTERM: the lease is given away, so that the standby leads within three seconds."""
    leader, standby = pair(world)
    world.build()
    world.running(role="stage", stage=0)
    told = time.monotonic()
    assert leader.stop() == 0
    wait_until("the standby to lead", 20, standby.is_leader, 0.02)
    gap = time.monotonic() - told
    print(f"handed over in {gap:.1f} s")
    assert gap < 5
    world.succeeded(seconds=60)
    check_holders(world)
    world.check()


def test_lease_lost_to_a_foreign_holder(world):
    """Someone else's name in the lease: whoever held it stops at once, and takes it again when it has run out."""
    leader, standby = pair(world)
    standby.stop()
    world.api.patch(LEASE, {"spec": {"holderIdentity": "a stranger"}})
    assert leader.wait(15) == 3
    leader.start()
    world.build("after", CHAIN)
    wait_until("the lease", 40, leader.is_leader)
    world.succeeded("after")
