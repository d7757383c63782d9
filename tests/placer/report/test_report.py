"""What people see: names as they are, long lists cut, one line of progress."""

from __future__ import annotations

import pytest

from placer.report.console import MOST_ROWS, cut, row, stderr, table, to_text
from placer.report.explanation import sentences
from placer.report.live import Live, line
from placer.report.placements import gpus_text
from placer.report.view import view_text
from placer_models.explanation import Explanation
from placer_models.plan import PlacedGpu
from placer_models.view import HostView, View


def test_markup_in_a_name_is_no_markup() -> None:
    made = table("name")
    row(made, "[red]x[/red]")
    assert "[red]x[/red]" in to_text([made])


def test_tables_do_not_go_to_standard_output_where_standard_error_is_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    stderr().print("a table")
    assert capsys.readouterr().out == ""


def test_a_long_list_says_how_much_is_left() -> None:
    assert str(cut(45, MOST_ROWS, "hosts")) == "... and 5 more hosts"
    assert cut(MOST_ROWS, MOST_ROWS, "hosts") is None


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (40, "placed 37, bound 40, gap 7.50%, 12 s"),
        (None, "placed 37, 12 s"),
        (0, "placed 37, bound 0, gap 3700.00%, 12 s"),
    ],
)
def test_progress_is_one_line(bound: int | None, said: str) -> None:
    assert line("placed", 37, bound, 12.4) == said


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Live() as live:
        live.progress("placed", 1, 2)
    assert capsys.readouterr() == ("", "")
    assert live.seconds >= 0


def test_gpus_are_said_with_what_is_taken_of_them() -> None:
    gpus = [
        PlacedGpu(gpu="3b", profile="M60-2Q", slot=1),
        PlacedGpu(gpu="3c", milli=460),
        PlacedGpu(gpu="af", sharing="mig", profile="1g.5gb", slot=0),
    ]
    assert gpus_text(gpus) == "3b M60-2Q at slot 1, 3c 460/1000, af 1g.5gb at slot 0 (put in mig)"


def test_an_explanation_in_sentences() -> None:
    stands = Explanation(vm="x", power="on", asked=False, host="a", could=("b", "c"), could_migrate=("b",))
    assert sentences(stands) == ["x stands on a", "it could also stand on b, c", "a live migration could take it to b"]
    waits = Explanation(vm="x", power="suspended", asked=True)
    assert sentences(waits) == ["x is suspended; it is to be started", "no host would take it"]


def test_many_hosts_are_cut_in_the_table() -> None:
    hosts = tuple(
        HostView(name=f"h{i}", state="up", vms=0, cpus_used=0, cpus=1, memory_used_mib=0, memory_mib=1)
        for i in range(MOST_ROWS + 3)
    )
    said = view_text(View(cluster="c", taken_at="now", hosts=hosts), to_terminal=False)
    assert "... and 3 more hosts (--format json has all)" in said
    assert f"h{MOST_ROWS}" not in said
