"""The command line: one story for each command, option and exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import placer.power_on
from placer.cli import main
from placer.cli.exits import BAD_INPUT, DONE, INTERRUPTED, MEANINGS, NO_ANSWER, OUR_BUG, REFUSED, SOME_NOT
from placer.cli.tell import DOCUMENTS, SHELLS
from placer.disagreement import Disagreement
from placer_models.document import digest
from placer_models.rules import RULES, kind_of
from tests.build import gpu, host, off, on, profile, values

ROOT = Path(__file__).resolve().parents[1]
M60 = gpu(sharing="same-size")
HOSTS = [host("esx01", M60, cpus=8), host("esx02", cpus=8, state="maintenance")]
FITS = values(HOSTS, [on("desk-1", "esx01", profile("M60-2Q", "g0", 0)), off("desk-2", profile("M60-2Q"))])
SOME = values(HOSTS, [on("desk-1", "esx01", profile("M60-2Q", "g0", 0)), off("cad", profile("M60-8Q"))])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `fits.json` (all can start) and `some.json` (one cannot), in which commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fits.json").write_text(json.dumps(FITS))
    (tmp_path / "some.json").write_text(json.dumps(SOME))
    return tmp_path


def placer_(*words: object, stdin: bytes | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(word) for word in words], input=stdin)


# --- exit codes ----------------------------------------------------------------------------------------------------


def test_0_when_all_that_was_asked_is_done(desk: Path) -> None:
    done = placer_("place", "fits.json")
    assert done.exit_code == DONE
    assert json.loads(done.stdout)["placed"][0]["vm"] == "desk-2"
    assert "1 of 1 requests can start; optimal" in done.stderr


def test_1_when_some_of_it_could_not_be_and_the_reason_is_on_both_sides(desk: Path) -> None:
    done = placer_("place", "some.json")
    assert done.exit_code == SOME_NOT
    (off_,) = json.loads(done.stdout)["unplaced"]
    assert off_["vm"] == "cad"
    assert off_["nearest"] == "esx01: 1 x M60-8Q short"
    assert off_["change"] == "stop desk-1 on esx01"
    for said in (*off_["reasons"], "nearest: esx01", "would let it in: stop desk-1 on esx01"):
        assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["plce"], "did you mean place?"),
        (["place"], "Missing argument 'SNAPSHOT'"),
        (["place", "fits.json", "--moove", "1"], "No such option '--moove'"),
        (["place", "fits.json", "--time-limit", "0"], "--time-limit"),
        (["place", "fits.json", "--time-limit", "nan"], "'nan' is not a number"),
        (["place", "none.json"], "none.json: no such file"),
        (["place", "."], "found a directory"),
        (["place", "fits.json", "--decision", "power-on"], "power_on"),
        (["place", "fits.json", "--decision", "none.toml"], "none.toml: no such file"),
        (["place", "fits.json", "--gpu-models", "none.json"], "none.json: no such file"),
        (["place", "fits.json", "-o", "no/such/folder.json"], "folder does not exist"),
        (["verify", "-", "-"], "given for two files"),
        (["explain", "fits.json", "desk-3"], "did you mean 'desk-"),
        (["capacity", "fits.json"], "expected --ask or --like"),
        (["capacity", "fits.json", "--ask", "{"], "--ask"),
        (["capacity", "fits.json", "--ask", '{"gpus": [{"profile": "M60-2X"}]}'], "gpus[0].profile: found 'M60-2X'"),
        (["capacity", "fits.json", "--like", "desk"], "did you mean 'desk-"),
        (["rules", "limt"], "did you mean 'limit'"),
        (["schema", "snapshots"], "'snapshots'"),
        (["completion", "dash"], "'dash'"),
    ],
    ids=" ".join,
)
def test_2_and_one_sentence_for_bad_usage(desk: Path, words: list[str], sentence: str) -> None:
    done = placer_(*words, stdin=json.dumps(FITS).encode())
    assert done.exit_code == BAD_INPUT
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout == ""


def test_2_and_the_help_when_nothing_is_said() -> None:
    done = placer_()
    assert done.exit_code == BAD_INPUT
    assert "Commands:" in done.stderr


def test_3_when_the_judge_refuses(desk: Path) -> None:
    assert placer_("place", "fits.json", "-o", "out.json").exit_code == DONE
    assert placer_("verify", "fits.json", "out.json").exit_code == DONE
    answer = json.loads(Path("out.json").read_text())
    answer["placed"][0]["gpus"][0]["slot"] = 0
    Path("out.json").write_text(json.dumps(answer))
    done = placer_("verify", "fits.json", "out.json")
    assert done.exit_code == REFUSED
    assert "GPU g0" in done.stderr
    drifted = placer_("verify", "some.json", "out.json")
    assert drifted.exit_code == REFUSED
    assert "its digest differs" in drifted.stderr


def _changed(monkeypatch: pytest.MonkeyPatch, **update: Any) -> None:
    real = placer.power_on.place

    def place(*words: Any, **more: Any) -> Any:
        return real(*words, **more).model_copy(update=update)

    monkeypatch.setattr(placer.power_on, "place", place)


def test_4_when_time_ran_out_with_no_answer(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _changed(monkeypatch, status="unknown", stopped="time limit")
    assert placer_("place", "fits.json").exit_code == NO_ANSWER


def test_130_when_interrupted_and_the_best_answer_so_far_is_written(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _changed(monkeypatch, status="feasible", stopped="interrupted")
    done = placer_("place", "fits.json", "-o", "out.json")
    assert done.exit_code == INTERRUPTED
    assert json.loads(Path("out.json").read_text())["placed"] != []
    assert "the best answer so far" in done.stderr


def test_130_when_interrupted_before_there_was_an_answer(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placer.power_on, "place", _raising(KeyboardInterrupt()))
    done = placer_("place", "fits.json", "-o", "out.json")
    assert done.exit_code == INTERRUPTED
    assert "interrupted before there was an answer" in done.stderr
    assert not Path("out.json").exists()


def _raising(error: BaseException) -> Callable[..., Any]:
    def place(*_: Any, **__: Any) -> Any:
        raise error

    return place


@pytest.mark.parametrize("bug", [RuntimeError("it broke"), Disagreement(["placed[0]: too full"])])
def test_70_leaves_a_snapshot_that_shows_the_bug_and_overwrites_nothing(
    bug: Exception, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placer.power_on, "place", _raising(bug))
    (desk / "out").mkdir()
    done = placer_("place", "fits.json", "-o", "out/answer.json", "--seed", 7)
    assert done.exit_code == OUR_BUG
    assert "Traceback" not in done.stderr
    data = (desk / "fits.json").read_bytes()
    left = desk / "out" / f"placer-bug-{digest(data)[:12]}.json"
    assert left.read_bytes() == data
    assert str(Path("out") / left.name) in done.stderr
    report = left.with_suffix(".txt").read_text()
    assert "$ placer place fits.json -o out/answer.json --seed 7" in report
    assert "Traceback" in report
    left.write_text("somebody's own")
    assert placer_("place", "fits.json", "-o", "out/answer.json").exit_code == OUR_BUG
    assert left.read_text() == "somebody's own"
    assert (desk / "out" / left.name.replace(".", "-1.", 1)).read_bytes() == data
    assert not (desk / "out" / "answer.json").exists()


def test_70_leaves_nothing_beside_a_device(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placer.power_on, "place", _raising(RuntimeError("it broke")))
    assert placer_("place", "fits.json", "-o", "/dev/null").exit_code == OUR_BUG
    assert not list(Path("/dev").glob("placer-bug-*"))
    assert len(list(desk.glob("placer-bug-*"))) == 2


def test_70_without_a_place_to_write_still_says_what_happened(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placer.power_on, "place", _raising(RuntimeError("it broke")))
    monkeypatch.setattr("placer.cli.exits._new", lambda path, data: None)
    done = placer_("place", "fits.json")
    assert done.exit_code == OUR_BUG
    assert "it broke" in done.stderr


def test_every_exit_code_is_in_the_help() -> None:
    told = " ".join(placer_("--help").stdout.split())
    assert all(f"{code} {meaning}" in told for code, meaning in MEANINGS.items())


# --- commands ------------------------------------------------------------------------------------------------------


def test_place_reads_standard_input_and_writes_a_file_while_quiet(desk: Path) -> None:
    done = placer_("place", "-", "-o", "out.json", "-q", stdin=json.dumps(FITS).encode())
    assert (done.exit_code, done.stdout, done.stderr) == (DONE, "", "")
    assert json.loads(Path("out.json").read_text())["status"] == "optimal"


def test_place_takes_a_decision_of_the_sites_own(desk: Path) -> None:
    Path("own.toml").write_text('format = "placer.decision/1"\nname = "own"\ngoals = ["placed"]\n')
    answer = json.loads(placer_("place", "fits.json", "--decision", "own.toml", "--seed", "3").stdout)
    assert (answer["decision"], answer["seed"], list(answer["score"])) == ("own", 3, ["placed"])


def test_place_prints_moves_and_cuts_long_lists(desk: Path) -> None:
    hosts = [host("a", cpus=100), host("b", cpus=4)]
    movers = [on("mover", "a", cpus=4, may={"live_migrate": True})]
    only_a = {"kind": "affinity", "vms": [f"vm-{i:02}" for i in range(50)], "hosts": ["a"]}
    many = [off(f"vm-{i:02}", cpus=2, memory_gib=1) for i in range(50)]
    Path("many.json").write_text(json.dumps(values(hosts, [*movers, *many], rules=[only_a])))
    done = placer_("place", "many.json", "--moves", "1")
    assert done.exit_code == DONE
    assert "50 to start" in done.stderr
    assert "... and 10 more to start" in done.stderr
    assert "1 to move before" in done.stderr
    assert "makes room on a for vm-" in " ".join(done.stderr.split())


def test_names_stand_in_tables_as_they_are(desk: Path) -> None:
    odd = "[bold]x[/bold] :smile: "
    Path("odd.json").write_text(json.dumps(values([host("a")], [off(odd.strip())])))
    assert odd.strip() in placer_("place", "odd.json").stderr


def test_explain_says_why_and_writes_it(desk: Path) -> None:
    done = placer_("explain", "some.json", "cad")
    assert done.exit_code == DONE
    found = json.loads(done.stdout)
    assert found["format"] == "placer.explanation/1"
    assert [(group["hosts"], group["rule"]) for group in found["elsewhere"]] == [
        (["esx01"], "gpu"),
        (["esx02"], "host-state"),
    ]
    assert "no host would take it" in done.stderr
    assert "in maintenance" in done.stderr
    running = placer_("explain", "some.json", "desk-1", "-o", "why.json")
    assert running.stdout == ""
    assert "desk-1 stands on esx01 with g0 M60-2Q at slot 0" in running.stderr
    assert json.loads(Path("why.json").read_text())["stays"] == "may not be live-migrated"


def test_explain_looks_at_the_cluster_after_an_answer(desk: Path) -> None:
    placer_("place", "fits.json", "-o", "out.json")
    done = placer_("explain", "fits.json", "desk-2", "--placements", "out.json", "-q")
    assert json.loads(done.stdout)["host"] == "esx01"
    assert done.stderr == ""


def test_show_prints_a_table_or_json(desk: Path) -> None:
    table = placer_("show", "some.json")
    assert table.exit_code == DONE
    assert "desk-1 (M60-2Q at 0)" in table.stdout
    assert "3 M60-2Q" in table.stdout
    assert json.loads(placer_("show", "some.json", "--format", "json").stdout)["format"] == "placer.view/1"
    placer_("show", "some.json", "-o", "view.json")
    assert json.loads(Path("view.json").read_text())["cluster"] == "small"
    placer_("show", "some.json", "--format", "table", "-o", "view.txt")
    assert "desk-1 (M60-2Q at 0)" in Path("view.txt").read_text()


def test_capacity_counts_every_ask_by_itself(desk: Path) -> None:
    done = placer_("capacity", "fits.json", "--ask", '{"cpus": 1, "gpus": [{"profile": "M60-2Q"}]}', "--like", "desk-1")
    assert done.exit_code == DONE
    found = json.loads(done.stdout)
    assert [(one["more"], one["bound"], one["proven"]) for one in found["asks"]] == [(3, 3, True), (1, 1, True)]
    assert "exact" in done.stderr


def test_rules_lists_every_rule_and_prints_the_page_of_one() -> None:
    assert [line.split()[0] for line in placer_("rules").stdout.splitlines()] == [kind_of(rule) for rule in RULES]
    page = placer_("rules", "apart").stdout
    assert "Passes:" in page
    assert "strength: must or should (if absent: must)" in page


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_shipped_schema_is_the_one_that_is_printed(document: str) -> None:
    printed = placer_("schema", document).stdout
    shipped = (ROOT / "models" / "schema" / f"{document}.json").read_text(encoding="utf-8")
    assert shipped == printed, "run: placer schema --write models/schema"
    assert json.loads(printed)["$schema"].startswith("https://json-schema.org/")


def test_there_is_no_other_schema() -> None:
    assert {path.stem for path in (ROOT / "models" / "schema").iterdir()} == set(DOCUMENTS)


def test_schema_writes_all_into_a_folder(desk: Path) -> None:
    (desk / "schema").mkdir()
    assert placer_("schema", "--write", "schema").exit_code == DONE
    assert {path.stem for path in (desk / "schema").iterdir()} == set(DOCUMENTS)
    assert placer_("schema").stdout == (desk / "schema" / "snapshot.json").read_text()


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_prints_a_script_for_a_shell(shell: str) -> None:
    done = placer_("completion", shell)
    assert done.exit_code == DONE
    assert "_PLACER_COMPLETE" in done.stdout


def test_completion_completes_commands() -> None:
    words = {**os.environ, "_PLACER_COMPLETE": "bash_complete", "COMP_WORDS": "placer ex", "COMP_CWORD": "1"}
    script = "from placer.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], env=words, capture_output=True, text=True, check=False)
    assert "explain" in done.stdout


def test_help_and_version_load_neither_documents_nor_tables() -> None:
    for words in (["--help"], ["--version"], ["place", "--help"], ["completion", "bash"]):
        script = (
            f"import sys; sys.argv[1:] = {words!r}\n"
            "from placer.cli import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "heavy = {'pydantic', 'networkx', 'rich', 'ortools'} & set(sys.modules)\n"
            "sys.exit(f'{heavy}' if heavy else 0)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr)


def test_verify_and_explain_load_no_search(desk: Path) -> None:
    placer_("place", "fits.json", "-o", "out.json")
    for words in (["verify", "fits.json", "out.json"], ["explain", "fits.json", "desk-2"], ["schema"], ["rules"]):
        script = (
            f"import sys; sys.argv[1:] = {words!r}\n"
            "from placer.cli import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "heavy = {'networkx', 'ortools', 'numpy'} & set(sys.modules)\n"
            "sys.exit(f'{heavy}' if heavy else 0)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=desk)
        assert done.returncode == 0, (words, done.stderr)


def test_on_a_terminal_there_is_colour_unless_no_color_is_set(desk: Path) -> None:
    colour = re.compile(r"\x1b\[(\d;)*3\dm")
    assert colour.search(_on_a_terminal(desk, {}))
    assert not colour.search(_on_a_terminal(desk, {"NO_COLOR": "1"}))


def _on_a_terminal(folder: Path, more: dict[str, str]) -> str:
    """What `placer place` prints where standard error is a terminal."""
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")}
    environment |= {"TERM": "xterm-256color", **more}
    words = [sys.executable, "-m", "placer", "place", "some.json", "-o", "out.json"]
    done = subprocess.Popen(words, cwd=folder, env=environment, stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    assert done.wait() == SOME_NOT
    return said.decode()
