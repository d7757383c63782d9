"""Seats found by the states of GPUs are those that the search for seats finds."""

from __future__ import annotations

import random

import pytest

from placer_models.cluster import Vm
from placer_models.rules.failover_seats import Seated, SeatFinder
from placer_models.rules.seats import Seats
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import seat, seatings
from placer_models.snapshot import Snapshot
from tests.build import Json, gpu, host, off, profile, snapshot, whole

ASKS: dict[str, list[Json]] = {
    "same-size": [profile(f"A40-{size}Q") for size in (4, 8, 12, 24, 48)],
    "mixed-size": [profile(f"L40S-{size}Q") for size in (4, 8, 12, 24, 48)],
    "mig": [profile(name) for name in ("1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb")],
    "fraction": [{"models": ["T4"], "milli": milli} for milli in (110, 250, 460, 500)] + [whole("T4")],
}
MODELS = {"same-size": "A40", "mixed-size": "L40S", "mig": "H100XM", "fraction": "T4"}


def cluster(chance: random.Random) -> Snapshot:
    """A host whose GPUs may be of two sorts, some of them on one board, and VMs that ask for one item or none."""
    sharings = [chance.choice(list(ASKS)) for _ in range(2)]
    gpus = [gpu(MODELS[one], one, board=str(chance.randint(0, 1))) for one in chance.choices(sharings, k=4)]
    asks = [ask for sharing in sharings for ask in ASKS[sharing]]
    vms = [off(f"vm{i}", *([] if chance.random() < 0.1 else [chance.choice(asks)])) for i in range(16)]
    return snapshot([host("h1", *gpus)], vms)


@pytest.mark.parametrize("seed", range(12))
def test_vms_that_come_one_after_the_other_get_the_same_seats(seed: int) -> None:
    chance = random.Random(seed)
    content = cluster(chance).content
    scene, here = Scene(content), content.hosts["h1"]
    vms = list(content.vms.values())
    for vm in vms[:5]:  # who stands there already
        holds = seat(scene, vm, here)
        if holds is not None:
            scene.put(Stand(vm.name, "h1", holds))
    finder = SeatFinder()
    row = finder.row(scene, here)
    found: Seated = ((), row)
    put: tuple[tuple[Vm, tuple[Hold, ...]], ...] = ()
    asked: tuple[int, ...] = ()
    refused = 0
    for at, vm in enumerate(vms[5:], 6):
        if chance.random() < 0.2:
            finder.forget()  # which changes no answer
        then = *asked, finder.item(content, vm)
        assert finder.simple(then[-1])
        seated = finder.beside(content, found, row, then)
        coming = [*(one for one, _ in put), vm]
        with scene.trial(*(Stand(one.name, "h1", holds) for one, holds in put)):
            last = next(seatings(scene, vm, here), None)
        known = (*(holds for _, holds in put), last) if last is not None else Seats(scene, here, coming).found()
        assert (seated is None) == (known is None), at
        if seated is None or known is None:
            refused += 1
            continue
        assert finder.holds(here, seated[0], then) == known
        found, put, asked = seated, tuple(zip(coming, known, strict=True)), then
    assert refused or len(asked) == 11


def test_vms_whose_gpus_must_be_together_or_that_ask_for_several_are_seated_by_the_search() -> None:
    several = [off("two", whole("T4", count=2)), off("board", whole("T4"), needs={"same_board": True})]
    content = snapshot(
        [host("h1", *[gpu("T4", "fraction", board="0")] * 2)], [*several, off("one", whole("T4"))]
    ).content
    finder = SeatFinder()
    simple = {name: finder.simple(finder.item(content, vm)) for name, vm in content.vms.items()}
    assert simple == {"two": False, "board": False, "one": True}


def test_where_the_first_seats_leave_none_for_the_last_all_are_seated_anew() -> None:
    sizes = {"there-0": 500, "there-1": 460, "a": 300, "b": 240, "c": 260, "d": 240}
    vms = [off(name, {"models": ["T4"], "milli": milli}) for name, milli in sizes.items()]
    content = snapshot([host("h1", *[gpu("T4", "fraction")] * 2)], vms).content
    here = content.hosts["h1"]
    there = [Stand(f"there-{i}", "h1", (Hold(f"g{i}", "fraction", milli=sizes[f"there-{i}"]),)) for i in range(2)]
    scene, finder = Scene(content, there), SeatFinder()
    row = finder.row(scene, here)
    asked = tuple(finder.item(content, content.vms[name]) for name in "abcd")
    found: Seated = ((), row)
    for at in range(1, 5):
        seated = finder.beside(content, found, row, asked[:at])
        assert seated is not None
        found = seated
    together = Seats(scene, here, [content.vms[name] for name in "abcd"]).found()
    assert finder.holds(here, found[0], asked) == together
