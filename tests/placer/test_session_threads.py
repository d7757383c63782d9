"""Many threads fill one cluster: nothing is given twice, nothing is lost, and the judge finds nothing wrong."""

from __future__ import annotations

import random
from threading import Barrier, Thread

from placer import Session, StaleProposal
from placer.judge.check import broken, worse
from placer_models.cluster import Vm
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
