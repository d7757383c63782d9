"""The limit holds for all that an answer takes, and Ctrl-C for every stage of it."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from placer import limit, place, power_on
from placer.judge.check import broken
from placer.limit import MOST, Limit, Timed
from placer_models.decision import shipped_decision
from tests.placer.solve.small import gpu_hosts, shares, snapshot

MADE = snapshot(gpu_hosts(1), shares(600, 600, 600, 700))


def looking(monkeypatch: pytest.MonkeyPatch, seconds: float, took: float, since: float | None = None) -> Limit:
    """A limit of so many seconds, where one look of the rules took so long."""
    made = Limit(seconds, since)
    monkeypatch.setattr(made.look, "now", lambda: took)
    return made


def test_time_is_kept_for_reasons_and_never_more_than_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    made = looking(monkeypatch, 100, 1.0)
    assert made.kept(0, 10, 100) < made.kept(50, 10, 100) < made.kept(10**6, 10, 100)
    assert made.kept(10**6, 10, 100) == MOST * 100


def test_reasons_end_earlier_where_writing_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic() - 105
    assert not looking(monkeypatch, 100, 0.1, begun).over()
    assert looking(monkeypatch, 100, 5.0, begun).over()


def test_work_takes_longer_once_others_want_the_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = iter([(0.0, 0.0), (10.0, 0.0), (12.0, 2.0), (14.0, 6.0), (30.0, 5.0)])
    monkeypatch.setattr(limit, "_clocks", lambda: next(clocks))
    with Timed() as look:
        pass
    assert look.now() == 2.0  # two threads got on twice as fast as one
    assert look.now() == 12.0  # three seconds of work have taken eighteen


def test_the_first_interrupt_ends_the_search_and_the_second_raises() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Limit(100) as limit:
        os.kill(os.getpid(), signal.SIGINT)
        assert limit.interrupted
        assert limit.over()
        assert limit.deadline <= time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_time_that_was_spent_before_counts() -> None:
    assert not Limit(10).over()
    assert Limit(10, since=time.monotonic() - 20).over()


@pytest.mark.parametrize("stage", ["in_order", "Replay"])
def test_an_interrupt_after_the_search_still_gives_the_judged_answer(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = getattr(power_on, stage)

    def interrupted(*args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return whole(*args)

    monkeypatch.setattr(power_on, stage, interrupted)
    answer = place(MADE, shipped_decision("power_on"))
    assert len(answer.placed) == 2
    assert [one.reasons for one in answer.unplaced] == [("not looked into: the time was up",)] * 2


def test_an_interrupt_before_the_search_is_answered_with_what_finds_room_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    def interrupted(*args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return broken(*args)

    monkeypatch.setattr(power_on, "broken", interrupted)
    answer = place(MADE, shipped_decision("power_on"))
    assert answer.stopped == "interrupted"
    assert len(answer.placed) == 2
