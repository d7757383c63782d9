"""`python -m placer`."""

from __future__ import annotations

from placer.cli import main

main()
