"""What is installed from a wheel is whole: both packages, with the data that they read."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = {".json", ".toml", ".typed", ".j2"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of a fresh wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("gpu_placer-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def test_a_wheel_holds_both_packages_and_nothing_else(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"placer", "placer_models"}


def test_a_wheel_holds_every_module_and_all_data(installed: Path) -> None:
    for folder in ("models/placer_models", "placer"):
        here = ROOT / folder
        files = [path for path in here.rglob("*") if path.suffix in {".py", *DATA} and "__pycache__" not in path.parts]
        assert {path.suffix for path in files} >= {".py", ".typed"}
        assert [path for path in files if not (installed / here.name / path.relative_to(here)).exists()] == []


def test_placer_runs_from_a_wheel(installed: Path) -> None:
    run = "import placer.cli, sys; print(placer.__file__, flush=True); sys.argv[1:] = ['--help']; placer.cli.main()"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", run], cwd=installed, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(installed / "placer" / "__init__.py"))
