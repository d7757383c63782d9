"""The commands: read, call, write, exit code."""

from __future__ import annotations

import sys

from placer.cli.commands import cli
from placer.cli.exits import run


def main() -> None:
    """What the script `placer` runs."""
    sys.exit(run(cli))
