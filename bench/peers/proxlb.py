"""proxlb-solver as a peer: another's program (GPL-3.0-or-later), installed in an environment of its own and run there.

It knows neither GPUs nor pending VMs. So it gets instances of CPU and memory only: what is free on each host as a node,
and every pending VM on one more node that is in maintenance and must be left. It places all or says INFEASIBLE, by its
own balance goal and its own time limit (60 s). Nothing of it is imported here: it reads a scenario file (YAML, of which
JSON is a part) and writes a Markdown report.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from bench.peers.instance import Instance, NotFor
from bench.world import Choice

PACKAGE = "proxlb-solver"
WAITING = "waiting"


def install(folder: Path) -> None:
    """Make an environment in a folder and install it there with pip. Raises CalledProcessError."""
    venv.create(folder, with_pip=True)
    # Its output is for people, as is ours on standard error; standard output is for JSON lines.
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", PACKAGE]
    subprocess.run(command, check=True, stdout=sys.stderr)


def program(folder: Path) -> Path | None:
    """The program in an environment, or None where it is not installed."""
    found = folder / "bin" / PACKAGE
    return found if found.is_file() else None


def version(folder: Path) -> str:
    """The version that is installed in an environment."""
    ask = f"import importlib.metadata; print(importlib.metadata.version({PACKAGE!r}))"
    done = subprocess.run([folder / "bin" / "python", "-c", ask], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def scenario(instance: Instance) -> str:
    """The instance in its format. Raises NotFor where somebody asks for GPU."""
    if instance.by_gpu:
        raise NotFor("it knows no GPUs")
    world, pods = instance.world, instance.pods
    nodes = {
        _node(index): {"cpu_total": max(0, int(cpu)), "memory_total_gb": max(0, int(memory)) / 1024}
        for index, (cpu, memory) in enumerate(zip(world.cpu, world.memory, strict=True))
        if cpu >= 0
    }
    nodes[WAITING] = {
        "cpu_total": sum(pod.cpu_milli for pod in pods),
        "memory_total_gb": sum(pod.memory_mib for pod in pods) / 1024,
        "maintenance": True,
    }
    vms = {
        f"vm-{index}": {"node": WAITING, "cpu": pod.cpu_milli, "memory_gb": pod.memory_mib / 1024}
        for index, pod in enumerate(pods)
    }
    # CPUs are in thousandths, which its whole numbers allow; nothing is over-committed beyond what the snapshot says.
    balancing = {"method": "memory", "cpu_overcommit": 1.0}
    return json.dumps({"name": "placer", "description": "", "balancing": balancing, "nodes": nodes, "vms": vms})


def choices(report: str, instance: Instance) -> dict[str, Choice]:
    """Where its report says that the waiting VMs go."""
    rows = re.findall(rf"^\| vm-(\d+) \| {WAITING} \| host-(\d+) \|", report, re.MULTILINE)
    return {instance.pods[int(vm)].name: (int(node), ()) for vm, node in rows}


def call(program: Path, scenario: str, folder: Path) -> tuple[list[str], Path]:
    """The command by which it solves a scenario, which is left in a folder, and where its report will be."""
    scenarios, report = folder / "scenarios", folder / "report.md"
    scenarios.mkdir()
    (scenarios / "scenario.yaml").write_text(scenario, encoding="utf-8")
    return [str(program), "--scenarios", str(scenarios), "--markdown", str(report), "--quiet"], report


def status(report: str) -> str:
    """What it says of its search: OPTIMAL, FEASIBLE, INFEASIBLE ..."""
    found = re.search(r"Status: \*\*(\w+)\*\*", report)
    return found[1] if found else "no status"


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Its process must not see our packages."""
    return {name: value for name, value in variables.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def _node(index: int) -> str:
    return f"host-{index}"
