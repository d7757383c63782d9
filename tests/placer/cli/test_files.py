"""A file is as it was or as it should be, and never in between."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from placer.cli import files, main
from placer.cli.files import read, write
from placer_models.document import Faults

STORY = Path(__file__).resolve().parents[3] / "fixtures" / "place" / "not-all-can-start-on-monday-morning"
OLD, NEW = "what was there\n", "Zürich\n"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing half-written may be left behind."""
    yield tmp_path
    assert [path for path in tmp_path.rglob("*") if path.name.startswith(".placer-")] == []


def _refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_file_is_read_whole_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_bytes(b"\xff\x00")
    assert read(str(tmp_path / "in.json")) == (b"\xff\x00", str(tmp_path / "in.json"))


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff{}")))
    assert read("-") == (b"\xff{}", "<stdin>")


def test_what_is_read_is_not_written_over(tmp_path: Path) -> None:
    snapshot, link = tmp_path / "s.json", tmp_path / "link.json"
    snapshot.write_bytes((STORY / "snapshot.json").read_bytes())
    link.symlink_to(snapshot)
    for output in (snapshot, link):
        found = CliRunner().invoke(main, ["show", str(snapshot), "-o", str(output)])
        assert found.exit_code == 2
        assert f"{output}: is read by this command, expected another file to write to" in found.output
    assert snapshot.read_bytes() == (STORY / "snapshot.json").read_bytes()
    assert CliRunner().invoke(main, ["show", str(snapshot), "-o", str(tmp_path / "view.txt")]).exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "s.json", "desk-101", "--placements", "x"],
        ["explain", "s.json", "desk-101", "--plan", "x"],
        ["consolidate", "s.json", "--continue", "x"],
        ["consolidate", "s.json", "--jobs", "x", "--window", "2026-11-20T22:00Z/2026-11-21T06:00Z"],
        ["place", "s.json", "--gpu-models", "x"],
        ["place", "s.json", "--decision", "x"],
        ["diff", "s.json", "x"],
        ["report", "x"],
    ],
    ids=" ".join,
)
def test_no_file_that_a_command_reads_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.json").write_bytes((STORY / "snapshot.json").read_bytes())
    Path("x").write_text("mine")
    found = CliRunner().invoke(main, [*words, "-o", "x"])
    assert (found.exit_code, Path("x").read_text()) == (2, "mine")
    assert "x: is read by this command, expected another file to write to" in found.output


def test_closed_standard_streams_are_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(Faults, match="<stdin>: cannot be read: it is closed"):
        read("-")
    with pytest.raises(Faults, match="<stdout>: cannot be written: it is closed"):
        write(None, NEW)


def test_no_more_is_read_than_a_document_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 10)
    (tmp_path / "in.json").write_bytes(b"x" * 100)
    assert read(str(tmp_path / "in.json"))[0] == b"x" * 11


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "found a directory"),
        ("no.json", "no such file"),
        ("file/in.json", "cannot be read: Not a dir"),
        ("a\0b", "null"),
    ],
)
def test_what_cannot_be_read_is_a_fault(tmp_path: Path, path: str, sentence: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Faults, match=sentence):
        read(f"{tmp_path}/{path}")


def test_a_new_file_is_what_the_umask_allows(folder: Path) -> None:
    before = os.umask(0o027)
    try:
        write(str(folder / "out.json"), NEW)
    finally:
        os.umask(before)
    assert (folder / "out.json").read_bytes() == NEW.encode()
    assert stat.S_IMODE((folder / "out.json").stat().st_mode) == 0o640


def test_an_old_file_keeps_its_mode(folder: Path) -> None:
    out = folder / "out.json"
    out.write_text(OLD)
    out.chmod(0o604)
    write(str(out), NEW)
    assert out.read_text(encoding="utf-8") == NEW
    assert stat.S_IMODE(out.stat().st_mode) == 0o604


def test_a_link_stays_and_its_target_is_written(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "out.json").symlink_to("elsewhere/real.json")
    for text in (OLD, NEW):
        write(str(folder / "out.json"), text)
        assert (folder / "elsewhere" / "real.json").read_text(encoding="utf-8") == text
    assert (folder / "out.json").is_symlink()


def test_a_pipe_is_written_and_not_replaced(folder: Path) -> None:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        write(str(pipe), NEW)
        assert reader.communicate(timeout=30)[0] == NEW.encode()
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.replace"])
@pytest.mark.parametrize(("how", "seen"), [(_refuse, Faults), (_interrupt, KeyboardInterrupt)])
def test_a_failed_write_leaves_everything_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, existed: bool, broken: str, how: object, seen: type[BaseException]
) -> None:
    out = folder / "out.json"
    if existed:
        out.write_text(OLD)
    monkeypatch.setattr(broken, how)
    with pytest.raises(seen):
        write(str(out), NEW)
    assert (out.read_text() if out.exists() else None) == (OLD if existed else None)


def test_a_full_disk_is_said_in_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _refuse)
    with pytest.raises(Faults, match=r"out\.json: cannot be written: No space left on device"):
        write(str(folder / "out.json"), NEW)


def test_text_that_is_no_text_does_not_touch_the_file(folder: Path) -> None:
    (folder / "out.json").write_text(OLD)
    with pytest.raises(UnicodeEncodeError):
        write(str(folder / "out.json"), "\ud800")
    assert (folder / "out.json").read_text() == OLD


def test_where_nothing_can_be_written_is_a_fault(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").touch()
    with pytest.raises(Faults, match="found a directory, expected a file to write"):
        write(str(folder), NEW)
    with pytest.raises(Faults, match="its folder does not exist"):
        write(str(folder / "no" / "out.json"), NEW)
    with pytest.raises(Faults, match="cannot be written: Not a directory"):
        write(str(folder / "file" / "out.json"), NEW)
    with pytest.raises(Faults, match="null"):
        write("a\0b", NEW)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(Faults, match="file: cannot be written: it is read-only"):
        write(str(folder / "file"), NEW)


def _python(code: str, **more: object) -> subprocess.Popen[bytes]:
    program = f"from placer.cli.files import write; {code}"
    return subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, **more)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("path", ["None", "'-'"])
def test_standard_output_gets_what_was_said_before_and_the_text_in_utf8(path: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    code = f"print('first'); write({path}, {NEW!r})"
    with _python(code, stdout=subprocess.PIPE, env=environment) as process:
        assert process.communicate(timeout=60) == (b"first\n" + NEW.encode(), b"")


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    with _python("write(None, 'x' * 10_000_000)", stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.read(1) == b"x"
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_standard_output_that_takes_nothing_is_a_fault() -> None:
    code = "\ntry:\n  write(None, 'x')\nexcept ValueError as fault:\n  raise SystemExit(str(fault))"
    with Path("/dev/full").open("wb") as full, _python(code, stdout=full) as process:
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (1, b"<stdout>: cannot be written: No space left on device\n")


def test_help_that_nobody_can_read_is_no_bug() -> None:
    with Path("/dev/full").open("wb") as full:
        words = [sys.executable, "-m", "placer", "--help"]
        found = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    said = b"<stdout> or <stderr>: cannot be written: No space left on device\n"
    assert (found.returncode, found.stderr) == (2, said)


def test_a_folder_that_may_not_be_written_is_a_fault(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)  # chmod would not stop root, who runs many a CI
    with pytest.raises(Faults, match="cannot be written: Permission denied"):
        write(str(folder / "out.json"), NEW)
