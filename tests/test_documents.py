"""Whatever comes in at the door: an answer or sentences and exit code 2, never a traceback or a half-written file."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from placer.cli.commands import cli
from placer.cli.exits import run
from placer_models.faults import clean
from tests.malformed import SOUND, documents, encoded, floods, nowhere

DOCUMENTS = documents()
OLD = "what was there\n"
SCRIPT = "import sys; from placer.cli import main; sys.exit(main())"
PLACEMENTS = b'{"format": "placer.placements/1", "status": "feasible"}'
NOWHERE = (
    "missing file",
    "missing file of an odd name",
    "missing file of a name that is no text",
    "directory",
    "file used as a directory",
    "dangling link",
    "link to itself",
)


class Said(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


class Desk:
    """A folder in which commands are run, in this process because there are thousands of them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.out = folder / "out.json"
        monkeypatch.chdir(folder)

    def placer(self, *words: str | Path) -> Said:
        """Runs a command."""
        code = run(cli, [*map(str, words)])
        return Said(code, *self._capsys.readouterr())

    def refuses(self, path: Path) -> None:
        """No command takes what is at the path, as whatever it is given."""
        sound, placements = self.folder / "sound.json", self.folder / "placements.json"
        sound.write_bytes(encoded(SOUND))
        placements.write_bytes(PLACEMENTS)
        before = sorted(self.folder.iterdir())
        refused(self.placer("verify", path, placements), path)
        refused(self.placer("verify", sound, path), path)
        refused(self.placer("place", path), path)
        refused(self.placer("place", path, "-o", self.out), path)
        assert sorted(self.folder.iterdir()) == before
        self.out.write_text(OLD)
        refused(self.placer("place", path, "-o", self.out), path)
        assert self.out.read_text() == OLD
        assert sorted(self.folder.iterdir()) == sorted([*before, self.out])


def refused(said: Said, path: Path | str) -> None:
    """Exit code 2 and sentences about this document, each on a line that cannot pretend to be anything else."""
    assert said.code == 2, said
    assert said.out == ""
    lines = said.err.removesuffix("\n").split("\n")
    assert all(line.startswith(f"{clean(str(path))}: ") and clean(line) == line for line in lines), lines
    assert len(lines) <= 51
    assert "Traceback" not in said.err


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


def test_the_sound_document_from_which_all_are_made_is_taken(desk: Desk) -> None:
    (desk.folder / "in.json").write_bytes(encoded(SOUND))
    said = desk.placer("place", "in.json", "-o", desk.out, "--time-limit", "20")
    assert (said.code, said.out) == (0, ""), said
    assert [placed["vm"] for placed in json.loads(desk.out.read_bytes())["placed"]] == ["desk-002"]
    assert desk.placer("verify", "in.json", desk.out).code == 0


def test_there_are_more_than_two_hundred_malformed_documents() -> None:
    assert len(set(DOCUMENTS.values())) > 200


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_malformed_document_is_refused_in_sentences(desk: Desk, what: str) -> None:
    path = desk.folder / "in.json"
    path.write_bytes(DOCUMENTS[what])
    desk.refuses(path)


@pytest.mark.parametrize("what", NOWHERE)
def test_where_there_is_no_document_that_is_said(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory, what: str
) -> None:
    paths = nowhere(tmp_path_factory.mktemp("nowhere"))
    assert list(paths) == list(NOWHERE)
    desk.refuses(paths[what])


def _modest() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))


def _process(folder: Path, *words: str, data: bytes | None = None) -> Said:
    """The same as a user's shell would do it, with 2 GiB of memory at most."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        check=False,
        cwd=folder,
        input=data,
        capture_output=True,
        timeout=120,
        preexec_fn=_modest,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("what", floods())
def test_a_flood_is_refused_with_little_memory(tmp_path: Path, what: str) -> None:
    (tmp_path / "in.json").write_bytes(floods()[what]())
    (tmp_path / "out.json").write_text(OLD)
    refused(_process(tmp_path, "place", "in.json", "-o", "out.json"), "in.json")
    assert (tmp_path / "out.json").read_text() == OLD
    (tmp_path / "in.json").unlink()


@pytest.mark.parametrize(
    "what", ["an empty file", "noise", "a gzip cut off", "lists 100,000 deep", "a VM on an unknown host"]
)
def test_standard_input_is_a_door_like_any_other(tmp_path: Path, what: str) -> None:
    refused(_process(tmp_path, "place", "-", "-o", "out.json", data=DOCUMENTS[what]), "<stdin>")
    assert list(tmp_path.iterdir()) == []
