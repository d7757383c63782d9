"""Every story in fixtures/place: what must come out, whichever of two equal hosts is chosen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from pydantic import BaseModel, ConfigDict

from placer import Snapshot, place, verify
from placer.cli import main
from placer.judge.check import broken, scores, worse
from placer.judge.replay import Replay
from placer_models.decision import Decision, shipped_decision
from placer_models.document import dump
from placer_models.gpus import Catalogue
from placer_models.plan import Placed, Placements
from placer_models.scene import Scene

FOLDER = Path(__file__).parents[1] / "fixtures" / "place"
STORIES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
BY_COMMAND = (
    "eight-gb-in-one-piece-are-free-and-no-a40-8q-fits",
    "empty-snapshot-is-answered",
    "names-with-quotes-tags-and-dollars-are-only-names",
    "second-move-waits-until-the-first-has-left",
    "site-brings-a-gpu-model-of-its-own",
)
"""Stories that are also told by the command line, which is slower."""


class Expectation(BaseModel):
    """`expect.json`; fixtures/README.md says what each key means."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    command: Literal["place"]
    decision: str = "power_on"
    moves: int = 0
    exit: Literal[0, 1]
    status: Literal["optimal", "feasible"]
    placed: list[str] = []
    unplaced: Mapping[str, list[str]] = {}
    score: Mapping[str, int] = {}
    bound: Mapping[str, int] = {}
    hosts: Mapping[str, list[str]] = {}
    gpus: Mapping[str, list[list[str]]] = {}
    slots: Mapping[str, list[list[int]]] = {}
    sharings: Mapping[str, list[str]] = {}
    moved: Mapping[str, list[str]] = {}
    order: list[list[str]] = []
    waits: Mapping[str, list[str]] = {}
    change: Mapping[str, str] = {}
    nearest: Mapping[str, str] = {}
    broken_now: list[str] = []
    assumed: list[str] = []


class Story:
    """A folder, read."""

    def __init__(self, name: str) -> None:
        self.folder = FOLDER / name
        self.expected = Expectation.model_validate_json((self.folder / "expect.json").read_bytes())
        self.models = self.folder / "gpu_models.json"
        catalogue = Catalogue.shipped().with_file(self.models) if self.models.exists() else None
        self.snapshot = Snapshot.load((self.folder / "snapshot.json").read_bytes(), name, catalogue)
        self.decision: Decision = shipped_decision(self.expected.decision)

    def answer(self) -> Placements:
        return place(self.snapshot, self.decision, moves=self.expected.moves)


@cache
def told(name: str) -> tuple[Story, Placements]:
    story = Story(name)
    return story, story.answer()


@pytest.mark.parametrize("name", STORIES)
def test_story_ends_as_it_must(name: str) -> None:
    story, answer = told(name)
    assert list(differences(story.expected, answer)) == []


@pytest.mark.parametrize("name", STORIES)
def test_answer_stands_before_the_judge(name: str) -> None:
    story, answer = told(name)
    assert verify(story.snapshot, answer, story.decision) == []
    cluster = story.snapshot.content
    rules, goals = story.decision.rules_of(story.snapshot.rules), story.decision.goals_of(cluster)
    before, after = Scene.now(cluster), Replay(cluster, rules, answer).scene
    assert worse(rules, broken(before, rules), broken(after, rules)) == []
    assert list(answer.score.values()) == scores(goals, before, after, rules)
    assert list(answer.score) == [goal.label for goal in goals]
    for goal in goals:
        bound, score = answer.bound[goal.label], answer.score[goal.label]
        assert bound is None or (score <= bound if goal.sense == "most" else score >= bound)


@pytest.mark.parametrize("name", STORIES)
def test_every_request_is_answered_once(name: str) -> None:
    story, answer = told(name)
    asked = sorted(story.snapshot.content.asked)
    assert sorted([*(one.vm for one in answer.placed), *(one.vm for one in answer.unplaced)]) == asked
    assert all(one.reasons for one in answer.unplaced)


@pytest.mark.parametrize("name", STORIES)
def test_same_in_same_out(name: str) -> None:
    story, answer = told(name)
    assert dump(story.answer()) == dump(answer)


@pytest.mark.parametrize("name", BY_COMMAND)
def test_command_says_the_same(name: str, tmp_path: Path) -> None:
    story, answer = told(name)
    out, options = tmp_path / "out.json", ["--moves", str(story.expected.moves)]
    if story.models.exists():
        options += ["--gpu-models", str(story.models)]
    done = CliRunner().invoke(main, ["place", str(story.folder / "snapshot.json"), "-o", str(out), *options])
    assert done.exit_code == story.expected.exit, done.output
    assert out.read_text(encoding="utf-8") == dump(answer)


@pytest.mark.parametrize("name", STORIES)
def test_story_is_short_and_told_by_its_name(name: str) -> None:
    story = Story(name)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+){2,}", name)
    assert len(story.snapshot.hosts) <= 5
    assert len(story.snapshot.vms) <= 12
    values = json.loads((story.folder / "snapshot.json").read_bytes())
    known = {vm["name"] for vm in values["vms"]}
    expected = story.expected
    named = {*expected.placed, *expected.unplaced, *expected.hosts, *expected.gpus, *expected.slots, *expected.sharings}
    assert named | expected.moved.keys() | expected.waits.keys() <= known
    assert {host for hosts in expected.hosts.values() for host in hosts} <= {host["name"] for host in values["hosts"]}


def test_a_wrong_answer_is_told_from_a_right_one() -> None:
    story, answer = told("second-move-waits-until-the-first-has-left")
    wrong = (
        {"placed": ()},
        {"status": "feasible"},
        {"moves": answer.moves[:1]},
        {"moves": answer.moves[::-1]},
        {"score": {**answer.score, "moves": 1}},
        {"unplaced": ({"vm": "a", "reasons": ["esx01"]},)},
    )
    for change in wrong:
        other = Placements.model_validate({**answer.model_dump(by_alias=True), **change}, strict=False)
        assert list(differences(story.expected, other)), change


def differences(expected: Expectation, answer: Placements) -> Iterator[str]:
    """Where an answer is not as expected."""
    placed = {one.vm: one for one in answer.placed}
    unplaced = {one.vm: one for one in answer.unplaced}
    if expected.exit != (1 if unplaced else 0):
        yield f"exit {expected.exit}, off: {list(unplaced)}"
    if expected.status != answer.status:
        yield f"status {answer.status}, stopped: {answer.stopped}"
    if expected.status == "optimal" and any(gap != 0 for gap in answer.gap.values()):
        yield f"gaps {answer.gap}"
    yield from (f"{vm} is not placed: {unplaced.get(vm)}" for vm in expected.placed if vm not in placed)
    for vm, parts in expected.unplaced.items():
        reasons = unplaced[vm].reasons if vm in unplaced else ()
        yield from (f"{vm}: no '{part}' in {reasons}" for part in parts if not any(part in said for said in reasons))
        if not reasons:
            yield f"{vm} is not left off for a reason"
    for name, wished, found in (("score", expected.score, answer.score), ("bound", expected.bound, answer.bound)):
        yield from (f"{name} of {goal}: {found.get(goal)}" for goal in wished if found.get(goal) != wished[goal])
    yield from _seats(expected, placed)
    yield from _moves(expected, answer)
    for key, wanted in (("change", expected.change), ("nearest", expected.nearest)):
        for vm, part in wanted.items():
            said = getattr(unplaced.get(vm), key, None)
            if part not in (said or ""):
                yield f"{vm}: no '{part}' in {key}: {said}"
    yield from _said(expected.broken_now, answer.broken_now)
    yield from _said(expected.assumed, answer.assumed, more=True)


def _seats(expected: Expectation, placed: Mapping[str, Placed]) -> Iterator[str]:
    for vm, hosts in expected.hosts.items():
        if placed[vm].host not in hosts:
            yield f"{vm} is on {placed[vm].host}, not on one of {hosts}"
    for vm, sets in expected.gpus.items():
        if sorted(gpu.gpu for gpu in placed[vm].gpus) not in sets:
            yield f"{vm} has {placed[vm].gpus}, not one of {sets}"
    for vm, slots in expected.slots.items():
        if [gpu.slot for gpu in placed[vm].gpus] not in slots:
            yield f"{vm} has {placed[vm].gpus}, not at one of {slots}"
    for vm, sharings in expected.sharings.items():
        if [gpu.sharing for gpu in placed[vm].gpus] != sharings:
            yield f"{vm} has {placed[vm].gpus}, not put in {sharings}"


def _moves(expected: Expectation, answer: Placements) -> Iterator[str]:
    moves = {move.vm: move for move in answer.moves}
    if len(moves) > expected.moves:
        yield f"{len(moves)} moves, {expected.moves} allowed"
    for vm, hosts in expected.moved.items():
        if vm not in moves or moves[vm].to not in hosts:
            yield f"{vm}: {moves.get(vm)}, expected to {hosts}"
    sequence = [*moves, *(one.vm for one in answer.placed)]
    for first, second in expected.order:
        if not {first, second} <= set(sequence) or sequence.index(first) > sequence.index(second):
            yield f"{first} before {second}: {sequence}"
    names = {move.id: move.vm for move in answer.moves}
    for vm, others in expected.waits.items():
        waits = sorted(names[number] for number in moves[vm].waits_for) if vm in moves else None
        if waits != sorted(others):
            yield f"{vm} waits for {waits}, not for {others}"


def _said(parts: list[str], sentences: tuple[str, ...], *, more: bool = False) -> Iterator[str]:
    """Each part is in one of the sentences, and (unless there may be more) each sentence has one of the parts."""
    yield from (f"no '{part}' in {sentences}" for part in parts if not any(part in said for said in sentences))
    if not more:
        yield from (f"unexpected: {said}" for said in sentences if not any(part in said for part in parts))
