"""Which GPUs of a host a VM could take: every way is tried, and none twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from placer_models import seating
from placer_models.scene import Scene
from placer_models.seating import seat
from tests.build import gpu, host, off, profile, snapshot


def test_thirteen_vgpus_that_do_not_fit_together_are_not_tried_in_every_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asks = profile("L40S-8C", count=8), profile("L40S-24C", count=5)
    platform = {"kind": "kvm", "most_vgpus_per_vm": 32}
    cluster = snapshot([host("h1", *[gpu("L40S", "mixed-size")] * 4)], [off("v", *asks)], platform=platform).content
    tries = 0
    candidates = seating._Search._candidates

    def counted(self: Any, *args: Any) -> Iterator[Any]:
        nonlocal tries
        tries += 1
        assert tries < 5_000
        return candidates(self, *args)

    monkeypatch.setattr(seating._Search, "_candidates", counted)
    assert seat(Scene.now(cluster), cluster.vms["v"], cluster.hosts["h1"]) is None
    assert tries > 0


@pytest.mark.parametrize("ask", [{"models": ["T4"]}, {"milli": 10}])
def test_more_gpus_than_there_are_find_no_seat_and_none_is_tried(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [host("h1", *[gpu("T4", "fraction")] * 3)]
    cluster = snapshot(hosts, [off("three", {**ask, "count": 3}), off("four", {**ask, "count": 4})]).content
    assert seat(Scene.now(cluster), cluster.vms["three"], cluster.hosts["h1"]) is not None
    monkeypatch.setattr(seating, "_Search", None)
    assert seat(Scene.now(cluster), cluster.vms["four"], cluster.hosts["h1"]) is None
