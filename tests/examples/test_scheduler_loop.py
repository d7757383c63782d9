"""The scheduler loop serves a snapshot's requests, and says for each where and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.scheduler_loop import main
from placer_models.document import dump
from tests.build import host, off, on, snapshot


def test_each_request_is_started_or_says_why_it_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = snapshot(
        [host("h1", cpus=8), host("h2", cpus=8)],
        [
            on("a", "h1", cpus=3, may={"live_migrate": True}),
            on("b", "h2", cpus=3, may={"live_migrate": True}),
            off("wide", cpus=8),
            off("huge", cpus=9),
        ],
    )
    file = tmp_path / "story.json"
    file.write_text(dump(story), encoding="utf-8")
    after = main(str(file))
    told = capsys.readouterr().out
    assert "huge waits: 2 hosts: at most 5 CPUs free, 9 asked" in told
    assert "wide waits" in told
    assert "makes room on" in told
    assert {vm.name for vm in after.vms if vm.power == "on"} == {"a", "b", "wide"}
