"""Exit codes, and how what goes wrong becomes one of them and a sentence."""

from __future__ import annotations

import traceback
from pathlib import Path

import click

from placer.power_on import Disagreement
from placer_models.document import Faults

DONE, SOME_NOT, BAD_INPUT, REFUSED, NO_ANSWER, OUR_BUG, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130

MEANINGS = {
    DONE: "all that was asked is done",
    SOME_NOT: "some of it could not be done; the answer says why",
    BAD_INPUT: "bad usage or a bad document",
    REFUSED: "the judge refuses the placements or the plan",
    NO_ANSWER: "time ran out with no answer",
    OUR_BUG: "a bug of placer's",
    INTERRUPTED: "interrupted; the best judged answer so far is written",
}


def run(command: click.Command) -> int:
    """Run the command line and return the exit code."""
    try:
        code = command.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.ClickException as wrong:
        wrong.show()
        return BAD_INPUT
    except Faults as faults:
        click.echo(str(faults), err=True)
        return BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted before there was an answer", err=True)
        return INTERRUPTED
    except Disagreement as bug:
        click.echo("a bug of placer's: its judge refuses what its search proposed; please report it", err=True)
        for fault in bug.faults:
            click.echo(f"  {fault}", err=True)
        return OUR_BUG
    except Exception:
        report = Path("placer-bug.txt")
        try:
            report.write_text(traceback.format_exc(), encoding="utf-8")
            where = f"what happened stands in {report}"
        except OSError:
            where = traceback.format_exc().strip().splitlines()[-1]
        click.echo(f"a bug of placer's: please report it ({where})", err=True)
        return OUR_BUG
    return int(code or DONE)
