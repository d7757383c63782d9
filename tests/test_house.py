"""The house stands: arrows between modules point down, and commands that do not solve never load a solver."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PACKAGES = {"placer_models": "models/placer_models", "placer": "placer"}
"""Import name -> folder."""

FLOORS: Mapping[str, tuple[frozenset[str], ...]] = {
    "placer_models": (
        frozenset({"snapshot", "decision"}),
        frozenset({"rules", "goals"}),
        frozenset({"scene", "plan"}),
        frozenset({"cluster", "clock"}),
        frozenset({"document", "gpus"}),
    ),
    "placer": (
        frozenset({"cli", "__main__"}),
        frozenset({"power_on", "consolidate", "evacuate", "set_mode", "session", "report", "formats"}),
        frozenset({"solve", "judge", "waits"}),
    ),
}
"""The floors of each storey, from the roof down. A room not named here may stand anywhere, but is no way round."""

ONLY_IN = {
    "ortools": ("placer.solve",),
    "numpy": ("placer.solve", "placer.warm"),
    "pandas": ("placer.solve",),
    "click": ("placer.cli",),
}
"""Package -> the parts of placer that may import it."""

NOT_PRODUCT = frozenset({"tests", "bench", "examples", "fixtures"})


@dataclass(frozen=True)
class Arrow:
    """One import: which module imports which, and the line where it does."""

    by: str
    of: str
    line: int


@dataclass(frozen=True)
class House:
    """The modules of a checkout and the arrows between them; `trees` maps each module's name to its syntax."""

    trees: Mapping[str, ast.Module]
    arrows: tuple[Arrow, ...]

    @classmethod
    def of(cls, root: Path) -> House:
        """Read every Python file of both packages; a package's own name stands for its `__init__.py`."""
        trees: dict[str, ast.Module] = {}
        faces = set()
        for package, folder in PACKAGES.items():
            for file in sorted((root / folder).rglob("*.py")):
                parts = [package, *file.relative_to(root / folder).with_suffix("").parts]
                if parts[-1] == "__init__":
                    parts.pop()
                    faces.add(".".join(parts))
                trees[".".join(parts)] = ast.parse(file.read_text(encoding="utf-8"), str(file))
        arrows = (arrow for name, tree in trees.items() for arrow in _arrows(name, tree, name in faces, trees))
        return cls(trees, tuple(arrows))

    def way(self, start: str, goal: str) -> list[str] | None:
        """The shortest chain of imports from one part (a module, or a package and all in it) to another."""
        ways = [[name] for name in self.trees if _within(name, start)]
        seen = {way[-1] for way in ways}
        for way in ways:
            if _within(way[-1], goal):
                return way
            for arrow in self.arrows:
                if arrow.by == way[-1] and arrow.of in self.trees and arrow.of not in seen:
                    seen.add(arrow.of)
                    ways.append([*way, arrow.of])
        return None

    def rules(self) -> list[str]:
        """The modules of `placer_models.rules` that hold a rule: a class built on `Rule`. The base itself is none."""
        return self._built_on("Rule", "placer_models.rules")

    def goals(self) -> list[str]:
        """Likewise, the modules that hold a goal."""
        return self._built_on("Goal", "placer_models.goals")

    def _built_on(self, base: str, package: str) -> list[str]:
        return [
            name
            for name, tree in self.trees.items()
            if name.startswith(package + ".")
            for node in tree.body
            if isinstance(node, ast.ClassDef) and any(ast.unparse(its_base) == base for its_base in node.bases)
        ]


def _within(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def _arrows(name: str, tree: ast.Module, is_face: bool, known: Mapping[str, ast.Module]) -> Iterator[Arrow]:
    """All imports of a module, also those inside functions and under TYPE_CHECKING: an arrow is an arrow."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Arrow(name, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                above = name.split(".") if is_face else name.split(".")[:-1]
                source = ".".join([*above[: len(above) - node.level + 1], *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield Arrow(name, inner if inner in known else source, node.lineno)


def faults(root: Path) -> list[str]:
    """Every arrow of a checkout that points the wrong way, one sentence each."""
    house = House.of(root)
    found = [fault for arrow in house.arrows for fault in _wrong(arrow)]
    for package, floors in FLOORS.items():
        for height, floor in enumerate(floors):
            for room in sorted(floor):
                for upstairs in sorted(frozenset().union(*floors[:height])):
                    if way := house.way(f"{package}.{room}", f"{package}.{upstairs}"):
                        found.append(f"an arrow points up: {' -> '.join(way)}")
    if way := house.way("placer.judge", "placer.solve"):
        found.append(f"the judge asks the solver: {' -> '.join(way)}")
    for kind, modules in (("rule", house.rules()), ("goal", house.goals())):
        for one in modules:
            for other in (*modules, one.rpartition(".")[0]):
                if other != one and any(arrow.by == one and arrow.of == other for arrow in house.arrows):
                    found.append(f"{one} imports {other}: a {kind} knows no other {kind}, nor their list")
    return found


def _wrong(arrow: Arrow) -> Iterator[str]:
    """What is wrong with one arrow by itself."""
    where = f"{arrow.by} imports {arrow.of} (line {arrow.line})"
    package = arrow.of.partition(".")[0]
    if package in NOT_PRODUCT:
        yield f"{where}: code knows no tests, benchmarks or fixtures"
    if _within(arrow.of, "placer.cli") and not _within(arrow.by, "placer.cli") and arrow.by != "placer.__main__":
        yield f"{where}: nothing imports the command line"
    if _within(arrow.by, "placer_models"):
        if package not in {"pydantic", "pydantic_core", "placer_models", *sys.stdlib_module_names}:
            yield f"{where}: placer_models needs pydantic and the standard library only"
        if arrow.of == "placer_models":
            yield f"{where}: the face is for others"
    elif package in ONLY_IN and not any(_within(arrow.by, part) for part in ONLY_IN[package]):
        yield f"{where}: only {' and '.join(ONLY_IN[package])} may"


def test_every_arrow_points_down() -> None:
    assert faults(ROOT) == []


def test_both_packages_are_read() -> None:
    house = House.of(ROOT)
    assert {name.partition(".")[0] for name in house.trees} == set(PACKAGES)
    assert Arrow("placer_models.scene", "placer_models.cluster", 0) in {Arrow(a.by, a.of, 0) for a in house.arrows}
    assert "placer_models.rules.capacity" in house.rules()
    assert "placer_models.rules.rule" not in house.rules()


RULE = "from placer_models.rules.rule import Rule\nclass {}(Rule): ...\n"

PLANTED = {
    "a_model_imports_the_solver": (
        {"models/placer_models/scene.py": "import ortools.sat"},
        "pydantic and the standard",
    ),
    "a_model_imports_placer": (
        {"models/placer_models/plan.py": "from placer import place"},
        "pydantic and the standard",
    ),
    "a_room_imports_its_own_face": ({"models/placer_models/plan.py": "from . import Host"}, "the face is for others"),
    "the_cluster_imports_the_scene": ({"models/placer_models/cluster.py": "from .scene import Scene"}, "points up"),
    "the_plan_imports_a_rule": ({"models/placer_models/plan.py": "from .rules.capacity import Capacity"}, "points up"),
    "the_scene_goes_up_by_a_helper": (
        {
            "models/placer_models/scene.py": "from . import helper",
            "models/placer_models/helper.py": "from . import rules",
        },
        "scene -> placer_models.helper -> placer_models.rules",
    ),
    "a_rule_imports_a_rule": (
        {"models/placer_models/rules/apart.py": RULE.format("Apart") + "from .capacity import Capacity"},
        "knows no other rule",
    ),
    "a_rule_imports_the_list": (
        {"models/placer_models/rules/apart.py": RULE.format("Apart") + "from placer_models import rules"},
        "nor their list",
    ),
    "the_judge_imports_the_solver": ({"placer/judge/check.py": "from placer.solve import run"}, "the judge asks"),
    "the_judge_asks_in_secret": (
        {"placer/judge/check.py": "def f():\n    from .. import odd", "placer/odd.py": "import placer.solve.run"},
        "the judge asks",
    ),
    "the_solver_calls_the_job": ({"placer/solve/run.py": "from ..power_on import place"}, "points up"),
    "a_report_reads_the_command_line": ({"placer/report/tables.py": "from placer.cli import main"}, "the command line"),
    "a_job_imports_cp_sat": ({"placer/power_on.py": "from ortools.sat.python import cp_model"}, "only placer.solve"),
    "a_job_imports_a_fixture": ({"placer/power_on.py": "import fixtures.place"}, "no tests"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str, tmp_path: Path) -> None:
    planted, sentence = PLANTED[name]
    sound = {
        "models/placer_models/rules/__init__.py": "from placer_models.rules import capacity",
        "models/placer_models/rules/rule.py": "from placer_models.scene import Scene\nclass Rule: ...",
        "models/placer_models/rules/capacity.py": RULE.format("Capacity"),
        "models/placer_models/scene.py": "import json",
        "placer/power_on.py": "def place():\n    from placer.solve import run",
        "placer/solve/run.py": "import ortools",
    }
    _write(tmp_path, sound)
    assert faults(tmp_path) == []
    _write(tmp_path, planted)
    assert any(sentence in fault for fault in faults(tmp_path)), faults(tmp_path)


def _write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def test_models_is_a_folder_and_no_package() -> None:
    assert not (ROOT / "models" / "__init__.py").exists()


def test_every_rule_and_goal_is_in_its_list() -> None:
    house = House.of(ROOT)
    for package, modules in (("placer_models.rules", house.rules()), ("placer_models.goals", house.goals())):
        listed = {arrow.of for arrow in house.arrows if arrow.by == package}
        assert set(modules) <= listed, package


def test_every_rule_has_its_test() -> None:
    names = [module.rpartition(".")[2] for module in House.of(ROOT).rules()]
    assert [name for name in names if not (ROOT / f"tests/models/rules/test_{name}.py").exists()] == []


def test_every_imported_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {line.partition(">")[0].strip() for line in project["dependencies"]}
    used = {arrow.of.partition(".")[0] for arrow in House.of(ROOT).arrows}
    known = {*declared, *PACKAGES, *sys.stdlib_module_names, "pydantic_core"}
    assert used - known == set()


# --- what a command loads ---------------------------------------------------------------------------------------------

HEAVY = ("ortools", "pandas", "numpy")

WATCHED = """
import json, sys
try:
    {run}
finally:
    json.dump([name for name in {heavy} if name in sys.modules], open({report!r}, "w"))
"""

MAIN = "import sys; sys.argv[1:] = {args!r}; from placer.cli import main; main()"


def loaded_by(run: str, tmp_path: Path) -> tuple[list[str], int]:
    """Which heavy packages a piece of Python has loaded when it ends, and its exit code."""
    report = tmp_path / "loaded.json"
    code = WATCHED.format(run=run, heavy=HEAVY, report=str(report))
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return json.loads(report.read_text(encoding="utf-8")), done.returncode


@pytest.mark.parametrize("module", ["placer_models", "placer", "placer.cli", "placer.judge"])
def test_importing_loads_no_solver(module: str, tmp_path: Path) -> None:
    assert loaded_by(f"import {module}", tmp_path) == ([], 0)


@pytest.mark.parametrize(
    "command", [["--help"], ["--version"], ["place", "--help"], ["schema"], ["rules"]], ids=" ".join
)
def test_a_command_that_only_tells_loads_no_solver(command: list[str], tmp_path: Path) -> None:
    assert loaded_by(MAIN.format(args=command), tmp_path) == ([], 0)


def test_solving_is_seen_by_this_watch(tmp_path: Path) -> None:
    loaded, _ = loaded_by("import placer.solve.run", tmp_path)
    assert {"ortools", "pandas"} <= set(loaded)  # a library does not do without what its users may want


def test_looking_judging_and_explaining_load_no_solver(tmp_path: Path) -> None:
    snapshot = ROOT / "fixtures/place/not-all-can-start-on-monday-morning/snapshot.json"
    placements = tmp_path / "placements.json"
    loaded, code = loaded_by(MAIN.format(args=["place", str(snapshot), "-o", str(placements)]), tmp_path)
    assert "ortools" in loaded
    assert "pandas" not in loaded
    assert code in {0, 1}
    asked = next(request["vm"] for request in json.loads(snapshot.read_text(encoding="utf-8"))["requests"])
    for command in (
        ["show", str(snapshot)],
        ["verify", str(snapshot), str(placements)],
        ["explain", str(snapshot), asked],
    ):
        assert loaded_by(MAIN.format(args=command), tmp_path) == ([], 0), command
