"""Generated nights are snapshots that placer plans; the same seed makes the same night."""

from __future__ import annotations

from pathlib import Path

from bench.night import Row, consolidation, measured, vdi
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot


def test_the_same_seed_makes_the_same_night() -> None:
    assert vdi(4, 40, seed=3) == vdi(4, 40, seed=3)
    assert vdi(4, 40, seed=3) != vdi(4, 40, seed=4)


def test_no_rule_is_broken_by_what_runs() -> None:
    for document in (vdi(20, 200), consolidation(10, 100, 3)):
        snapshot = Snapshot.of(document, "night")
        scene = Scene.now(snapshot.content)
        rules = shipped_decision("consolidate").rules_of(snapshot.rules)
        assert [breach.said for rule in rules for breach in rule.check(scene)] == []
        assert len(list(scene.stands())) >= 0.9 * (200 if snapshot.jobs else 100)


def test_a_small_night_is_measured(tmp_path: Path) -> None:
    row = Row(lambda seed: consolidation(5, 40, 2, seed), 20)
    line = measured("small", row, 1, 20, tmp_path)
    assert line["score"]["hosts-freed"] == line["bound"]["hosts-freed"] == 2  # type: ignore[index]
    assert line["score"]["moves"] == line["bound"]["moves"]  # type: ignore[index]
