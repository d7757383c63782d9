"""The openb trace asked for at once: imported and placed as a user does, in processes of their own, and what it took.

What counts is the share of all GPUs that is given to pods, its bound, and the whole process' seconds and memory. The
trace's files are given by path and never shipped.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--nodes", type=FILE, required=True, help="The trace's node CSV.")
@click.option("--pods", type=FILE, required=True, help="The trace's pod CSV.")
@click.option("--time-limit", type=float, default=60, show_default=True, help="Seconds of search at most.")
@click.option("--least", type=float, default=0, show_default=True, help="Fail where fewer % of the GPUs are given.")
def openb(nodes: Path, pods: Path, time_limit: float, least: float) -> None:
    """Place the whole openb trace, nothing running before."""
    with tempfile.TemporaryDirectory() as folder:
        snapshot, answer = Path(folder) / "openb.json", Path(folder) / "out.json"
        read, _ = _run(["import", "openb", "--nodes", str(nodes), "--pods", str(pods), "-o", str(snapshot)])
        options = ["--decision", "gpu_allocation", "--time-limit", str(time_limit), "-o", str(answer)]
        took, peak = _run(["place", str(snapshot), *options])
        gpus = sum(len(host["gpus"]) for host in json.loads(snapshot.read_bytes())["hosts"])
        found = json.loads(answer.read_bytes())
    score, bound = found["score"], found["bound"]
    share = score["gpu-milli"] / (10 * gpus)
    most = "no bound" if bound.get("gpu-milli") is None else f"at most {bound['gpu-milli'] / (10 * gpus):.3f} %"
    click.echo(f"{share:.3f} % of {gpus} GPUs are given ({most})")
    click.echo(f"{score['placed']} VMs are placed (bound: {bound.get('placed')}), {len(found['unplaced'])} stay off")
    click.echo(f"import {read:.1f} s, place {took:.1f} s, {peak:.0f} MiB; stopped: {found['stopped']}")
    if share < least:
        raise click.ClickException(f"expected at least {least} %")


def _run(arguments: Sequence[str]) -> tuple[float, float]:
    """Seconds and peak memory in MiB of one command of placer's; 1 (some stay off) is no failure."""
    started = time.monotonic()
    child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-m", "placer", *arguments])
    _, status, used = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise click.ClickException(f"placer {arguments[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - started, used.ru_maxrss / 1024
