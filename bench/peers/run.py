"""`python -m bench peers`: placer and its peers on one snapshot, each in its own process, one after the other.

What a peer answers is turned into a placements document and judged by placer's judge with the decision
`gpu_allocation`: most GPU, then most VMs. All have the same limits of time and memory, and both Python's start and the
building of a model count. Solvers count equal VMs and begin with the best answer of the greedy peers; `cp-sat-by-vm` is
what a newcomer writes, VM by VM and with nothing to begin with. A peer may overrun its time limit by half and ten
seconds (solvers do, in presolve); then it is ended, and what it had told before is judged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.machine import about
from bench.options import FILE, FOLDER, PICTURE, SECONDS
from bench.peers import proxlb
from bench.peers.child import DECISION, GREEDY, SOLVERS
from bench.peers.instance import Instance, NotFor
from bench.pictures import draw_peers
from bench.process import Ended, environment, watch
from bench.tables import console, peers_table
from placer import verify
from placer_models.decision import shipped_decision
from placer_models.document import Faults, parse
from placer_models.goals.gpu_milli import milli_of
from placer_models.plan import Placements
from placer_models.snapshot import Snapshot

PEERS = ("placer", *GREEDY, *SOLVERS, "proxlb")


@dataclass(frozen=True)
class Told:
    """What a peer answered: placements, its bound on what is compared, and its scores on the way."""

    answer: Placements | None
    bound: int | None = None
    optimal: bool = False
    trace: Sequence[Sequence[float | int | None]] = ()
    said: str = ""


@dataclass(frozen=True)
class Race:
    """The snapshot that peers run on, and their limits."""

    path: Path
    snapshot: Snapshot
    limit: float
    seed: int = 0
    memory_mib: int = 4096
    proxlb: Path | None = None

    def run(self, peer: str) -> dict[str, Any]:
        """Let a peer run, judge its answer, and say it as a JSON line."""
        line = self._line(peer)
        if peer == "proxlb" and (self.proxlb is None or proxlb.program(self.proxlb) is None):
            said = f"{proxlb.PACKAGE} is not installed: python -m bench peers --install-proxlb DIR, then --proxlb DIR"
            return {**line, "status": "absent", "said": said}
        if peer == "proxlb" and self.proxlb is not None:
            line["versions"][proxlb.PACKAGE] = proxlb.version(self.proxlb)
        with tempfile.TemporaryDirectory() as folder:
            try:
                ended, told = self._ask(peer, Path(folder))
            except NotFor as reason:
                return {**line, "status": "not-for", "said": str(reason)}
        line |= ended.figures
        crashed = (ended.said or "no answer in its time") if told.answer is None and not ended.killed else ""
        said = "; ".join(filter(None, (ended.killed, told.said, crashed)))
        line |= {"said": said, "bound": told.bound, "trace": told.trace}
        if told.answer is None:
            return {**line, "status": "none"}
        faults = verify(self.snapshot, told.answer, shipped_decision(DECISION))
        if faults:
            return {**line, "status": "refused", "said": f"{len(faults)} faults: {faults[0]}"}
        cluster = self.snapshot.content
        milli = sum(milli_of(cluster, cluster.vms[placed.vm]) for placed in told.answer.placed)
        status = "optimal" if told.optimal else "feasible"
        return {**line, "status": status, "judged": True, "gpu_milli": milli, "vms": len(told.answer.placed)}

    def _line(self, peer: str) -> dict[str, Any]:
        return {
            "work": "peers",
            "instance": self.snapshot.cluster,
            "snapshot_sha256": self.snapshot.sha256,
            "hosts": len(self.snapshot.hosts),
            "asked": len(self.snapshot.content.asked),
            "peer": peer,
            "status": "none",
            "judged": False,
            "gpu_milli": 0,
            "vms": 0,
            "bound": None,
            "seconds": None,
            "cpu_seconds": None,
            "peak_rss_mib": None,
            "said": "",
            "time_limit": self.limit,
            "seed": self.seed,
            "trace": [],
            **about(),
        }

    def _ask(self, peer: str, folder: Path) -> tuple[Ended, Told]:
        if peer == "proxlb":
            return self._proxlb(folder)
        out = folder / "out.json"
        command = [sys.executable, "-m", "bench.peers.child", peer, str(self.path.resolve()), str(out)]
        command += [str(time.monotonic()), str(self.limit), str(self.seed)]
        ended = self._watch(command, folder)
        if not out.exists():
            return ended, Told(None)
        found = json.loads(out.read_text(encoding="utf-8"))
        if "not_for" in found:
            raise NotFor(found["not_for"])
        if "answer" in found:
            return ended, self._ours(parse(Placements, found["answer"], "placer's answer"), found["trace"])
        choices = {vm: (node, tuple(devices)) for vm, (node, devices) in found["choices"].items()}
        answer = Instance.of(self.snapshot).answer(choices) if found["trace"] else None
        return ended, Told(answer, found["bound"], found["optimal"], found["trace"])

    def _ours(self, answer: Placements, trace: Sequence[Sequence[float | int | None]]) -> Told:
        by_gpu = answer.score.get("gpu-milli", 0) or answer.bound.get("gpu-milli")
        labels = [label for label in answer.bound if (label == "gpu-milli") is bool(by_gpu)]
        bound = answer.bound[labels[0]] if labels else None
        return Told(answer, bound, answer.status == "optimal", trace, answer.stopped)

    def _proxlb(self, folder: Path) -> tuple[Ended, Told]:
        program = self.proxlb and proxlb.program(self.proxlb)
        assert program is not None, "run() looks first whether it is there"
        instance = Instance.of(self.snapshot)
        command, report = proxlb.call(program, proxlb.scenario(instance), folder)
        ended = self._watch(command, folder, proxlb.environment(os.environ))
        if not report.exists():
            return ended, Told(None)
        text = report.read_text(encoding="utf-8")
        choices = proxlb.choices(text, instance)
        return ended, Told(instance.answer(choices) if choices else None, said=f"says {proxlb.status(text)}")

    def _watch(self, command: Sequence[str], folder: Path, own: Mapping[str, str] | None = None) -> Ended:
        return watch(
            command,
            folder / "errors",
            most_seconds=1.5 * self.limit + 10,
            most_mib=self.memory_mib,
            environment=own or environment(),
            folder=folder,
        )


@click.command()
@click.argument("snapshot", required=False, type=FILE)
@click.option("--peer", "names", type=click.Choice(PEERS), multiple=True, help="May be repeated; default: all.")
@click.option("--time-limit", type=SECONDS, default=20.0, show_default=True, metavar="SECONDS")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("--memory-limit", type=click.IntRange(64), default=4096, show_default=True, metavar="MIB")
@click.option("--proxlb", "folder", type=FOLDER, help="Where it is installed.")
@click.option("--install-proxlb", "target", type=FOLDER, help="Install it and stop.")
@click.option("--repeat", type=click.IntRange(1), default=1, show_default=True, help="Runs of each peer.")
@click.option("--plot", "picture", type=PICTURE, help="Also draw score against time (PNG, SVG).")
def peers(
    snapshot: Path | None,
    names: Sequence[str],
    time_limit: float,
    seed: int,
    memory_limit: int,
    folder: Path | None,
    target: Path | None,
    repeat: int,
    picture: Path | None,
) -> None:
    """Let placer and its peers place the VMs of SNAPSHOT: a JSON line for each, then a table with ratios."""
    if target is not None:
        try:
            proxlb.install(target)
        except (OSError, subprocess.CalledProcessError) as error:
            raise click.ClickException(f"{proxlb.PACKAGE} could not be installed: {error}") from error
        click.echo(f"{proxlb.PACKAGE} {proxlb.version(target)} is installed; give --proxlb {target}", err=True)
        return
    if snapshot is None:
        raise click.UsageError("Missing argument 'SNAPSHOT'.")
    try:
        race = Race(
            snapshot, Snapshot.load(snapshot.read_bytes(), snapshot.name), time_limit, seed, memory_limit, folder
        )
    except Faults as faults:
        raise click.UsageError(str(faults)) from faults
    lines = []
    for run in range(1, repeat + 1):
        for name in names or PEERS:
            lines.append({"run": run, **race.run(name)})
            click.echo(json.dumps(lines[-1]))
    console(stderr=True).print(peers_table(lines))
    if picture is not None and any(line["judged"] for line in lines):
        draw_peers(lines, picture)
