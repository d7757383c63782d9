"""Many threads fill one cluster: nothing is given twice, nothing is lost, and the judge finds nothing wrong."""

from __future__ import annotations

import random
from threading import Barrier, Thread

from placer import Faults, Session, StaleProposal
from placer.judge.check import broken, worse
from placer_models.cluster import May, Vm
from placer_models.decision import shipped_decision
from placer_models.document import dump
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from tests.build import Json, gpu, host, snapshot

THREADS, EACH = 6, 20


def yard() -> Snapshot:
    """Three hosts with two GPUs each that are shared by thousandths; no VM yet."""
    t4 = gpu("Tesla T4", "fraction")
    rules: list[Json] = [
        {"kind": "limit", "most_vms": 12},
        {"kind": "apart", "vm_labels": {"app": "web"}, "strength": "should"},
    ]
    return snapshot([host(f"h{i}", t4, t4, cpus=48) for i in range(3)], [], rules=rules)


def pod(worker: int, number: int) -> Vm:
    """A pod that asks for a third of a GPU, more or less."""
    milli = random.Random(1000 * worker + number).choice([250, 330, 400])
    values = {"name": f"pod-{worker}-{number}", "power": "off", "cpus": 2, "memory_mib": 512}
    return Vm.model_validate({**values, "gpus": ({"milli": milli},), "labels": {"app": "web" if number % 5 else "db"}})


def test_threads_fill_a_cluster_until_nothing_fits_any_more() -> None:
    first = yard()
    session, together = Session(first), Barrier(THREADS)
    committed: list[list[str]] = [[] for _ in range(THREADS)]
    wrong: list[BaseException] = []

    def work(worker: int) -> None:
        together.wait()
        try:
            for number in range(EACH):
                while True:
                    proposal = session.propose(pod(worker, number), reasons=False)
                    if proposal.host is None:
                        break
                    try:
                        session.commit(proposal)
                    except StaleProposal:
                        continue
                    committed[worker].append(proposal.placed[0].vm)
                    if number % 4 == 3:
                        session.release(committed[worker].pop(0))
                    break
        except BaseException as error:  # told by the test, not by the thread
            wrong.append(error)

    threads = [Thread(target=work, args=(worker,)) for worker in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    now = session.snapshot()
    assert {vm.name for vm in now.vms if vm.power == "on"} == {name for names in committed for name in names}
    assert Snapshot.load(dump(now).encode()) == now  # no GPU is held twice
    rules = shipped_decision("power_on").rules_of(now.rules)
    assert worse(rules, broken(Scene.now(first.content), rules), broken(Scene.now(now.content), rules)) == []
    again = Session(now)
    fill = [pod(99, number) for number in range(60)]
    both = [(session.propose(vm, reasons=False), again.propose(vm, reasons=False)) for vm in fill]
    assert [dict(warm.score) for warm, _ in both] == [dict(cold.score) for _, cold in both]
    assert any(not warm.placed for warm, _ in both)


def test_of_threads_that_hold_proposals_of_one_version_one_commits() -> None:
    session, together = Session(yard()), Barrier(THREADS)
    done: list[int] = []

    def work(worker: int) -> None:
        proposal = session.propose(pod(worker, 0))
        together.wait()
        try:
            session.commit(proposal)
            done.append(worker)
        except StaleProposal:
            pass

    threads = [Thread(target=work, args=(worker,)) for worker in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert [vm.name for vm in session.snapshot().vms] == [f"pod-{done[0]}-0"]


def busy() -> Snapshot:
    """Four hosts of two kinds of GPUs; whatever host is lost, its VMs find room; two are to be apart."""
    t4, m60 = gpu("Tesla T4", "fraction"), gpu("Tesla M60", "same-size", may_share=["same-size", "passthrough"])
    rules: list[Json] = [{"kind": "reserve"}, {"kind": "apart", "vm_labels": {"app": "db"}}]
    return snapshot([host(f"h{i}", t4, m60, cpus=32) for i in range(4)], [], rules=rules)


def anything(session: Session, chance: random.Random, names: list[str]) -> None:
    """One of the things that a scheduler does; `names` are the VMs that this thread has started."""
    what = chance.random()
    vm = pod(chance.randrange(10**6), 0).model_copy(
        update={"may": May(live_migrate=True, restart=chance.random() < 0.5)}
    )
    if what < 0.45:
        proposal = session.propose(vm, moves=chance.randint(0, 1), reasons=chance.random() < 0.3)
        session.commit(proposal)
        names.extend(one.vm for one in proposal.placed)
    elif what < 0.55:
        more = vm.model_copy(update={"name": f"{vm.name}-too"})
        proposal = session.propose_many([vm, more], reasons=False)
        session.commit(proposal)
        names.extend(one.vm for one in proposal.placed)
    elif what < 0.8 and names:
        session.release(names.pop(chance.randrange(len(names))))
    elif what < 0.9:
        session.apply(
            {"kind": "host-state", "host": f"h{chance.randrange(4)}", "state": chance.choice(["up", "maintenance"])}
        )
    elif what < 0.95 and names:
        session.apply({"kind": "vm-resized", "vm": chance.choice(names), "cpus": chance.randint(1, 4)})
    else:
        session.rank(vm)


def test_whatever_threads_do_at_once_each_thing_is_done_or_refused_and_the_cluster_stays_whole() -> None:
    session, together = Session(busy()), Barrier(4)
    refused: list[Faults | StaleProposal] = []
    wrong: list[BaseException] = []
    left: list[str] = []

    def work(worker: int) -> None:
        chance, names = random.Random(worker), list[str]()
        together.wait()
        try:
            for _ in range(25):
                try:
                    anything(session, chance, names)
                except (Faults, StaleProposal) as said:
                    refused.append(said)
        except BaseException as error:  # told by the test, not by the thread
            wrong.append(error)
        left.extend(names)

    threads = [Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert {vm.name for vm in session.snapshot().vms if vm.power == "on"} == set(left)
    assert all(len(str(said).splitlines()) == 1 for said in refused)
    now = session.snapshot()
    assert Snapshot.load(dump(now).encode()) == now
    last = [pod(99, number) for number in range(4)]
    warm, anew = session, Session(now)
    for vm in last:
        assert dict(warm.propose(vm, reasons=False).score) == dict(anew.propose(vm, reasons=False).score)
