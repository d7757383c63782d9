"""Makes docs/pictures/vdi-night.png: the report of a night of ninety-six desktops, as Chromium shows it.

Run: ./run python docs/picture.py
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from placer.consolidate import consolidate
from placer.report.page import page
from placer_models.decision import shipped_decision
from placer_models.night import Consolidate
from placer_models.snapshot import Snapshot

DOCS = Path(__file__).resolve().parent
STORY = "ninety-six-desktops-leave-three-hosts-to-the-render-farm-and-are-back-by-half-past-six"
PICTURE = DOCS / "pictures" / "vdi-night.png"
WIDTH, HEIGHT = 1280, 1860
"""In pixels: down to the hosts in the night."""


def main() -> None:
    """Plan the night, make its page, look at it."""
    browser_file = shutil.which("chromium") or shutil.which("chrome")
    if browser_file is None:
        sys.exit("docs/picture.py: no chromium on this machine")
    source = DOCS.parent / "fixtures" / "night" / STORY / "snapshot.json"
    snapshot = Snapshot.load(source.read_bytes(), source.name)
    request = next(one for one in snapshot.requests if isinstance(one, Consolidate))
    plan = consolidate(snapshot, request, snapshot.jobs, shipped_decision("consolidate"))
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        file = Path(folder, "plan.html")
        file.write_text(page(plan, snapshot), encoding="utf-8")
        browser = driver.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(file.as_uri())
        tab.screenshot(path=PICTURE)
        browser.close()
    print(PICTURE)


if __name__ == "__main__":
    main()
