"""What a line says of the machine and of the call: no names of folders."""

from __future__ import annotations

import json

from bench.machine import about, told, version


def test_of_folders_and_files_only_their_own_names_are_told() -> None:
    call = ["openb", "--pods", "/home/me/trace/pods.csv", "--orders=/home/me/orders.json", "-o", "out.jsonl", "."]
    assert told(call) == "python -m bench openb --pods pods.csv --orders=orders.json -o out.jsonl ."


def test_a_line_says_how_busy_the_machine_was_before_and_which_versions_ran() -> None:
    found = about()
    assert list(found["versions"]) == ["python", "gpu-placer", "ortools", "numpy", "pydantic"]  # type: ignore[call-overload]
    assert version("no-such-package") is None
    assert len(found["load_before"]) == len(found["load"]) == 3  # type: ignore[arg-type]
    assert found["command"] is None  # nothing was called
    assert '"/' not in json.dumps(found)
