"""Peers on tiny snapshots: what they are given, what they answer, and how they are ended, judged and shown."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from bench.__main__ import bench
from bench.peers import greedy, proxlb
from bench.peers.child import Answers, run
from bench.peers.instance import Instance, NotFor
from bench.peers.run import Race, Told
from bench.peers.solvers import Asked, Outcome, solve
from bench.peers.stated import Stated
from bench.pictures import draw_peers
from bench.process import Ended, watch
from bench.report import read_lines
from bench.tables import peers_table, tables
from bench.world import Choice
from placer import verify
from placer_models.decision import shipped_decision
from placer_models.plan import Placed, Placements
from placer_models.snapshot import Snapshot

Json = dict[str, Any]
T4 = {"model": "T4", "sharing": "fraction"}


def host(name: str, gpus: int = 0, gpu: Mapping[str, Any] = T4, **more: Any) -> Json:
    own = [{"id": f"g{index}", **gpu} for index in range(gpus)]
    return {"name": name, "cpus": 16, "memory_mib": 65536, "gpus": own, **more}


def vm(name: str, *gpus: Json, cpus: float = 1, **more: Any) -> Json:
    return {"name": name, "power": "off", "cpus": cpus, "memory_mib": 1024, "gpus": list(gpus), **more}


def document(hosts: list[Json], vms: list[Json], **more: Any) -> Json:
    asks = [{"kind": "power-on", "vm": one["name"]} for one in vms if one["power"] == "off"]
    head = {"format": "placer.snapshot/1", "cluster": "tiny", "taken_at": "2026-11-20T18:00:00Z"}
    return {**head, "hosts": hosts, "vms": vms, "requests": asks, **more}


def instance(hosts: list[Json], vms: list[Json], **more: Any) -> Instance:
    return Instance.of(Snapshot.of(document(hosts, vms, **more)))


def share(milli: int, count: int = 1) -> Json:
    return {"milli": milli, "count": count}


def judged(made: Instance, choices: Mapping[str, Choice]) -> tuple[int, int]:
    """What the choices place, once the judge has found nothing wrong with them."""
    assert verify(made.snapshot, made.answer(choices), shipped_decision("gpu_allocation")) == []
    return made.count(choices)


TWO_GPUS = [host("h1", 2)]
GREEDY_LOSES = [vm("a", share(600)), vm("b", share(300)), vm("c", share(700)), vm("d", share(400))]
"""In this order best fit puts b beside a, and d finds no room beside c."""


def test_what_runs_is_taken_off_and_hosts_that_are_down_take_nothing() -> None:
    running = vm("old", {"milli": 300, "at": [{"gpu": "g1"}]}, cpus=6)
    running.update(power="on", host="h1")
    made = instance([host("h1", 2), host("h2", 1, state="maintenance")], [running, vm("new", share(800))])
    assert made.world.free.tolist() == [[1000, 700], [1000, 0]]
    assert (made.world.cpu[0], made.world.memory[0]) == (10000, 65536 - 1024)
    assert made.world.fits(made.pods[0]).tolist() == [0]


@pytest.mark.parametrize(
    ("hosts", "vms", "more", "why"),
    [
        (TWO_GPUS, [vm("a")], {"rules": [{"kind": "apart", "vms": ["a"], "by": "host"}]}, "rules"),
        ([host("h1", memory_ratio=1.5)], [vm("a")], {}, "over-commits memory"),
        (TWO_GPUS, [vm("a", share(100), share(200))], {}, "several GPU asks"),
        (TWO_GPUS, [vm("a", {"profile": "T4-1Q"})], {}, "profile"),
        (TWO_GPUS, [vm("a", {"count": 2}, needs={"same_board": True})], {}, "together"),
        ([host("h1", 1, {"model": "T4", "sharing": "same-size"})], [vm("a")], {}, "neither passed through"),
        ([{**host("h1", 1), "gpus": [{"id": "0", **T4}, {"id": "1", **T4, "model": "A10"}]}], [vm("a")], {}, "kinds"),
    ],
)
def test_what_the_peers_do_not_know_is_refused(hosts: list[Json], vms: list[Json], more: Json, why: str) -> None:
    with pytest.raises(NotFor, match=why):
        instance(hosts, vms, **more)


def test_a_named_model_and_a_passed_through_gpu_are_respected() -> None:
    hosts = [host("h1", 1), host("h2", 1, {"model": "A10", "sharing": "passthrough"})]
    made = instance(hosts, [vm("a", {"models": ["A10"]}), vm("b", share(500)), vm("c", {"count": 1})])
    assert [made.world.fits(pod).tolist() for pod in made.pods] == [[1], [0], [0, 1]]


def test_an_empty_gpu_is_put_in_the_sharing_that_is_asked_for() -> None:
    hosts = [host("h1", 1, {"model": "T4", "sharing": "passthrough", "may_share": ["passthrough", "fraction"]})]
    made = instance(hosts, [vm("a", share(500)), vm("b", share(500))])
    assert judged(made, greedy.best_fit(made)) == (1000, 2)


@pytest.mark.parametrize(
    ("peer", "least"),
    [(greedy.best_fit, (1600, 3)), (greedy.fgd, (1600, 3)), (greedy.first_fit_decreasing, (2000, 4))],
)
def test_greedy_peers_place_what_they_can_and_the_judge_agrees(
    peer: Callable[[Instance], Mapping[str, Choice]], least: tuple[int, int]
) -> None:
    made = instance(TWO_GPUS, GREEDY_LOSES)
    assert judged(made, peer(made)) == least


@pytest.mark.parametrize("by_vm", [True, False])
@pytest.mark.parametrize("solver", ["cp-sat", "highs", "scip"])
@pytest.mark.parametrize(
    ("hosts", "vms", "best"),
    [
        (TWO_GPUS, GREEDY_LOSES, (2000, 4)),
        # A whole GPU and a share cannot have the same one: 1000 + 700, and the VM without a GPU.
        (TWO_GPUS, [vm("w", {"count": 1}), vm("x", share(700)), vm("y", share(400)), vm("z")], (1700, 3)),
        # Two shares of one ask are on different GPUs: 2 x 600 leave no room for another 600.
        (TWO_GPUS, [vm("pair", share(600, 2)), vm("x", share(600)), vm("y", share(400, 2))], (2000, 2)),
        # Of equal pairs neither has both shares on one GPU, which would leave the other one for 900: 1700.
        (TWO_GPUS, [*(vm(f"p{i}", share(400, 2)) for i in range(2)), vm("a", share(900))], (1600, 2)),
        # All of a VM's GPUs are on one host: three do not fit on 2 + 2.
        ([host("h1", 2), host("h2", 2)], [vm("three", {"count": 3}), vm("two", {"count": 2})], (2000, 1)),
        # Without GPUs the number of VMs is what counts: 9 + 7 CPUs on one host, 8 + 8 on the other.
        ([host("h1"), host("h2")], [vm(f"v{cpus}{i}", cpus=cpus) for i, cpus in enumerate((8, 9, 7, 8))], (0, 4)),
        # Equal ones: 6 of 7 shares of 300 on two GPUs, 2 of 3 VMs of 8 CPUs without.
        (TWO_GPUS, [vm(f"s{i}", share(300), cpus=1) for i in range(7)], (1800, 6)),
        ([host("h1")], [vm(f"c{i}", cpus=8) for i in range(3)], (0, 2)),
    ],
)
def test_solvers_prove_the_best(
    solver: str, hosts: list[Json], vms: list[Json], best: tuple[int, int], by_vm: bool
) -> None:
    made, told = instance(hosts, vms), list[dict[str, Choice]]()

    def tell(choices: Mapping[str, Choice], bound: int | None) -> None:
        told.append(dict(choices))

    hint = None if by_vm else greedy.fgd(instance(hosts, vms))
    outcome = solve(solver, Asked(Stated(made, by_vm=by_vm), lambda: 20, 1, tell, hint))
    assert judged(made, told[-1]) == best
    assert outcome == Outcome(bound=best[0] if made.by_gpu else best[1], optimal=True)


@pytest.mark.parametrize("by_vm", [True, False])
def test_an_answer_is_a_solution_of_the_model_and_comes_back_the_same_in_worth(by_vm: bool) -> None:
    asks = [vm("w", {"count": 2}), *(vm(f"p{i}", share(400, 2)) for i in range(2)), vm("z"), *GREEDY_LOSES]
    hosts = [host("h1", 3), host("h2", 2)]
    choices = greedy.first_fit_decreasing(instance(hosts, asks))
    stated = Stated(instance(hosts, asks), by_vm=by_vm)
    values = stated.values(choices)
    for row in stated.rows:
        assert sum(values[n] * weight for n, weight in zip(row.numbers, row.weights, strict=True)) <= row.most
    assert all(0 <= value <= most for value, most in zip(values, stated.most, strict=True))
    milli, vms = stated.instance.count(choices)
    assert sum(values[n] * weight for n, weight in stated.value) == milli * stated.scale + vms
    assert judged(stated.instance, stated.choices(lambda number: values[number])) == (milli, vms)


def test_what_is_no_better_than_what_was_told_counts_for_nothing(tmp_path: Path) -> None:
    made = instance(TWO_GPUS, GREEDY_LOSES)
    answers = Answers(tmp_path / "out", time.monotonic(), made)
    for choices in ({"a": (0, (0,))}, {"b": (0, (0,))}, {"c": (0, (1,))}):
        answers.tell(choices, None)
    assert [point[1:3] for point in answers.told["trace"]] == [[600, 1], [700, 1]]


def test_a_bound_is_rounded_down_and_an_infinite_one_is_none() -> None:
    model = Stated(instance(TWO_GPUS, GREEDY_LOSES), by_vm=True)
    assert model.scale == 5
    assert model.bound(2000 * 5 + 4) == 2000
    assert model.bound(2000 * 5 - 0.5) == 1999
    assert model.bound(float("inf")) is None


def run_watched(code: str, tmp_path: Path, seconds: float = 30, mib: int = 2048) -> Ended:
    return watch([sys.executable, "-c", code], tmp_path / "errors", most_seconds=seconds, most_mib=mib)


def test_a_process_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    ended = run_watched("import time; time.sleep(60)", tmp_path, seconds=0.5)
    assert ended.killed == "ended after 0 s"
    assert ended.code < 0
    assert ended.seconds < 30


def test_a_process_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    ended = run_watched("import time; held = bytearray(300 << 20); time.sleep(60)", tmp_path, mib=200)
    assert ended.killed == "ended at 200 MiB"
    assert ended.peak_rss_mib > 200


def test_what_a_process_leaves_running_is_ended_with_it(tmp_path: Path) -> None:
    own = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, file=sys.stderr)"
    ended = run_watched(own, tmp_path)
    assert (ended.code, ended.killed) == (0, None)
    for _ in range(200):  # a signal takes a moment; a dead process that nobody has waited for is a zombie
        status = Path(f"/proc/{ended.said}/stat")
        if not status.exists() or status.read_text(encoding="ascii").split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


def test_a_process_that_stands_still_costs_no_cpu(tmp_path: Path) -> None:
    ended = run_watched("import time; time.sleep(0.5)", tmp_path)
    assert ended.seconds >= 0.5
    assert ended.cpu_seconds < ended.seconds


def test_a_process_that_fails_is_said_with_its_last_words(tmp_path: Path) -> None:
    ended = run_watched("raise SystemExit('no licence')", tmp_path)
    assert (ended.code, ended.killed, ended.said) == (1, None, "no licence")


@pytest.fixture
def race(tmp_path: Path) -> Race:
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(document(TWO_GPUS, GREEDY_LOSES)), encoding="utf-8")
    return Race(path, Snapshot.load(path.read_bytes()), limit=10)


def test_peers_run_in_their_own_processes_and_are_judged(race: Race, tmp_path: Path) -> None:
    chosen = [part for name in ("best-fit", "cp-sat", "placer", "proxlb") for part in ("--peer", name)]
    result = CliRunner().invoke(bench, ["peers", str(race.path), *chosen, "--time-limit", "10", "--seed", "3"])
    assert result.exit_code == 0, result.output
    best_fit, cp, ours, other = (json.loads(text) for text in result.stdout.splitlines())
    assert (best_fit["status"], best_fit["gpu_milli"], best_fit["vms"], best_fit["bound"]) == (
        "feasible",
        1600,
        3,
        None,
    )
    assert (cp["status"], cp["gpu_milli"], cp["bound"], cp["trace"][-1][1:3]) == ("optimal", 2000, 2000, [2000, 4])
    assert (ours["status"], ours["gpu_milli"], ours["vms"], ours["bound"]) == ("optimal", 2000, 4, 2000)
    assert other["status"] == "absent"
    assert "--install-proxlb" in other["said"]
    for line in (best_fit, cp, ours):
        assert line["peak_rss_mib"] > 10
        assert line["seconds"] > 0
        assert line["seed"] == 3
        assert line["snapshot_sha256"] == race.snapshot.sha256
        assert line["machine"]["cpus"] >= 1
        assert str(tmp_path) not in json.dumps(line)
    assert "0.8000" in result.stderr  # best fit's ratio to the best


def test_a_snapshot_that_is_not_for_the_peers_is_said(race: Race) -> None:
    race.path.write_text(json.dumps(document([host("h1")], [vm("a", {"profile": "T4-1Q"})])), encoding="utf-8")
    line = Race(race.path, Snapshot.load(race.path.read_bytes()), limit=10).run("best-fit")
    assert line["status"] == "not-for"
    assert "profile" in line["said"]


def test_an_answer_that_the_judge_refuses_counts_for_nothing(race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    lie = Placements(status="feasible", placed=(Placed(vm="a", host="h1"),))
    ended = Ended(0, 1.0, 1.0, 10, None, "")
    monkeypatch.setattr(Race, "_ask", lambda self, peer, folder: (ended, Told(lie, bound=5000, optimal=True)))
    line = race.run("cp-sat")
    assert line["status"] == "refused"
    assert (line["gpu_milli"], line["vms"]) == (0, 0)
    assert "asks for 1 GPU items and has 0" in line["said"]


def test_a_peer_that_dies_without_an_answer_is_said(race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Race, "_ask", lambda self, peer, folder: (Ended(-9, 9.0, 9.0, 99, "ended after 9 s", ""), Told(None))
    )
    line = race.run("scip")
    assert (line["status"], line["said"], line["seconds"]) == ("none", "ended after 9 s", 9.0)


CPU_ONLY = document([host("h1"), host("h2", state="maintenance"), host("h3")], [vm("a", cpus=1.5), vm("b", cpus=16)])
REPORT = """### placer
- Status: **OPTIMAL** | Solve time: 5 ms
| VM | From | To | Priority | Rule Origin |
|----|------|----|----------|-------------|
| vm-0 | waiting | host-0 | 2 | none |
| vm-1 | waiting | host-2 | 2 | none |
"""


def test_proxlb_is_told_of_waiting_vms_on_a_node_that_must_be_left() -> None:
    told = json.loads(proxlb.scenario(Instance.of(Snapshot.of(CPU_ONLY))))
    assert set(told["nodes"]) == {"host-0", "host-2", "waiting"}
    assert told["nodes"]["waiting"]["maintenance"] is True
    assert told["nodes"]["host-0"] == {"cpu_total": 16000, "memory_total_gb": 64}
    assert told["vms"]["vm-0"] == {"node": "waiting", "cpu": 1500, "memory_gb": 1}


def test_proxlb_gets_no_gpus() -> None:
    with pytest.raises(NotFor, match="no GPUs"):
        proxlb.scenario(instance(TWO_GPUS, GREEDY_LOSES))


def test_proxlb_is_run_as_a_program_and_its_report_is_judged(tmp_path: Path) -> None:
    path, own = tmp_path / "cpu.json", tmp_path / "own" / "bin"
    path.write_text(json.dumps(CPU_ONLY), encoding="utf-8")
    own.mkdir(parents=True)
    (tmp_path / "report.md").write_text(REPORT, encoding="utf-8")
    programs = {"proxlb-solver": f'cp "{tmp_path}/report.md" "$4"', "python": "echo 9.9"}
    for name, does in programs.items():
        (own / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (own / name).chmod(0o755)
    line = Race(path, Snapshot.load(path.read_bytes()), limit=5, proxlb=own.parent).run("proxlb")
    assert (line["status"], line["vms"], line["said"]) == ("feasible", 2, "says OPTIMAL")
    assert line["versions"]["proxlb-solver"] == "9.9"


def test_proxlb_does_not_see_our_packages() -> None:
    assert proxlb.environment({"PATH": "/bin", "PYTHONPATH": "x", "VIRTUAL_ENV": "y"}) == {"PATH": "/bin"}


def line(peer: str, status: str, milli: int, vms: int, **more: Any) -> Json:
    known = {
        "work": "peers",
        "instance": "tiny",
        "asked": 4,
        "hosts": 1,
        "bound": None,
        "seconds": 1.0,
        "cpu_seconds": 0.9,
        "peak_rss_mib": 50,
    }
    return {**known, "peer": peer, "status": status, "gpu_milli": milli, "vms": vms, "said": "", "trace": [], **more}


LINES = [
    line("best-fit", "feasible", 1600, 3),
    line("cp-sat", "optimal", 2000, 4, bound=2000, trace=[[0.5, 1600, 3, 2000], [0.8, 2000, 4, 2000]]),
    line("scip", "none", 0, 0, seconds=None, peak_rss_mib=None, said="ended after 25 s"),
]


def test_the_table_shows_the_best_first_and_ratios_to_it() -> None:
    table = peers_table(LINES)
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == ["cp-sat", "best-fit", "scip"]
    assert cells[4] == ["1.0000", "0.8000", ""]
    assert cells[-1] == ["optimal", "feasible", "none; ended after 25 s"]


def test_earlier_runs_are_read_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in LINES), encoding="utf-8")
    assert len(tables(read_lines([path]))) == 1
    result = CliRunner().invoke(bench, ["report", str(path)])
    assert result.exit_code == 0, result.output
    assert "0.8000" in result.stdout


def test_shipped_results_can_be_shown() -> None:
    shipped = sorted((Path(__file__).parents[2] / "bench" / "results").glob("*.jsonl"))
    assert shipped
    assert tables(read_lines(shipped))
    assert all('"/' not in path.read_text(encoding="utf-8") for path in shipped), "a result names an absolute path"


def test_shipped_results_are_in_the_index() -> None:
    folder = Path(__file__).parents[2] / "bench" / "results"
    index = (folder / "README.md").read_text(encoding="utf-8")
    names = {path.stem.split("-", 3)[3] for path in folder.glob("*.jsonl")}
    assert [name for name in sorted(names) if f"| {name} |" not in index] == []


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is an extra (bench)")
    draw_peers([*LINES, line("best-fit", "feasible", 1900, 4)], tmp_path / "run.svg")  # of repeated runs the first
    drawn = (tmp_path / "run.svg").read_text(encoding="utf-8")
    assert "<!-- cp-sat: 2 (at most 2) -->" in drawn
    assert "<!-- best-fit: 1.6 -->" in drawn  # too low to be drawn beside the others: said
    assert "<!-- scip" not in drawn


def test_a_picture_of_two_instances_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is an extra (bench)")
    with pytest.raises(click.UsageError, match="several instances"):
        draw_peers([*LINES, {**LINES[0], "instance": "other"}], tmp_path / "run.svg")


def test_what_placer_has_found_is_not_lost_where_its_search_begins_anew(
    race: Race, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(snapshot: Snapshot, decision: Any, *, progress: Callable[..., None], since: float) -> Placements:
        for label, score in (("gpu-milli", 900), ("placed", 2), ("gpu-milli", 400), ("gpu-milli", 1000), ("placed", 1)):
            progress(label, score, None)
        return Placements(status="feasible", snapshot_sha256=snapshot.sha256)

    monkeypatch.setattr("placer.place", place)
    run("placer", race.snapshot, tmp_path / "out", time.monotonic(), 5, 0)
    told = json.loads((tmp_path / "out").read_text(encoding="utf-8"))
    assert [point[1:3] for point in told["trace"]] == [[900, None], [900, 2], [1000, 2], [1000, 1]]
