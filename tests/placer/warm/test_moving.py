"""A VM is moved for another only where the goals say so, in their order."""

from __future__ import annotations

import pytest

from placer import Decision, Session, place
from tests.build import host, off, on, snapshot


@pytest.mark.parametrize(
    ("goals", "moved"),
    [
        (("placed", "should", "moves"), True),
        (("should", "placed", "stranded"), True),
        (("moves", "placed"), False),
        (("hosts-touched", "placed", "moves"), False),
        (("balance", "placed", "moves"), False),
        (("gpu-milli", "moves", "placed"), False),
        (("gpu-milli", "placed", "moves"), True),
    ],
)
def test_room_is_made_where_a_vm_that_starts_is_worth_more_than_what_comes_after(
    goals: tuple[str, ...], moved: bool
) -> None:
    decision = Decision.model_validate({"format": "placer.decision/1", "name": "mine", "goals": goals})
    story = snapshot(
        [host("h1", cpus=8), host("h2", cpus=8)],
        [on(name, name.replace("vm", "h"), cpus=3, may={"live_migrate": True}) for name in ("vm1", "vm2")]
        + [off("big", cpus=8)],
    )
    proposal = Session(story, decision).propose("big", moves=1)
    assert (len(proposal.moves), proposal.host is not None) == (moved, moved)
    assert dict(proposal.score) == dict(place(story, decision, moves=1).score)
