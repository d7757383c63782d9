"""The pages under docs/ say what the docstrings and options say now."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import click
import pytest

from placer_models.clock import Nightly
from placer_models.cluster import Ask, Gpu, Host, May, Measured, Needs, Seat, Vm
from placer_models.night import Consolidate, Evacuate, Job, Limits, LinkLimit, Running, SetMode
from placer_models.platform import Platform

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """`docs/build.py`, which is no package."""
    spec = importlib.util.spec_from_file_location("docs_build", DOCS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["rules.md", "commands.md"])
def test_a_page_is_up_to_date(page: str, build: ModuleType) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == build.PAGES[page](), "run: ./run python docs/build.py"


def test_the_readme_has_the_exit_codes(build: ModuleType) -> None:
    assert "\n".join(build.exit_codes()).strip() in (DOCS.parent / "README.md").read_text(encoding="utf-8")


def test_every_rule_has_an_example_that_passes_and_one_that_fails(build: ModuleType) -> None:
    silent = [rule.__name__ for rule in build.SHIPPED if not {"Passes", "Fails"} <= _words(rule.__doc__ or "")]
    assert silent == []


def test_every_command_and_option_says_what_it_is_for(build: ModuleType) -> None:
    commands = dict(build._commands("placer", build.cli))
    assert "placer place" in commands
    for name, command in commands.items():
        assert (command.help or "").strip(), name
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{name} {option.name}"


CITED = re.compile(r"\((?=[A-Z])((?!VM-VM)(?:[A-Z]+\d[A-Z0-9.]*|[A-Z]{2,3}-[A-Z0-9]{2,}))[,);]")


def test_every_source_that_is_cited_can_be_found() -> None:
    page = (DOCS / "sources.md").read_text(encoding="utf-8")
    known = {key for cell in re.findall(r"^\| (.*?) \|", page, re.MULTILINE) for key in cell.split(", ")}
    packages = [DOCS.parent / "models" / "placer_models", DOCS.parent / "placer"]
    cited = {key for package in packages for file in package.rglob("*.py") for key in CITED.findall(file.read_text())}
    assert {"AHV-PT", "UG17", "NTX-ADS"} <= cited
    assert cited - known == set()


def _words(text: str) -> set[str]:
    return {word.strip(":.,;()") for word in text.split()}


def test_the_page_on_snapshots_names_every_key_of_hosts_gpus_vms_and_asks() -> None:
    page = (DOCS / "snapshots.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    keys = {key for part in (Platform, Host, Gpu, Vm, Ask, Seat, Needs, May) for key in part.model_fields}
    assert keys - named == set()


def test_the_page_on_the_night_names_every_key_of_requests_limits_jobs_and_what_is_measured() -> None:
    page = (DOCS / "night.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page)) | set(re.findall(r'"(\w+)":', page))
    asked = (Consolidate, Evacuate, SetMode, Nightly, Limits, LinkLimit, Job, Running, Measured)
    keys = {field.alias or key for part in asked for key, field in part.model_fields.items()}
    assert keys - named - {"notes", "name"} == set()
