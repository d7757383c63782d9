"""`placer report`: one page that is whole, well-formed, safe from names, and readable without a mouse or a network."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from placer.cli import main
from placer.cli.exits import BAD_INPUT, DONE, REFUSED
from placer.report.chart import GUTTER, RIGHT, WIDTH, chart
from placer.report.clock import WallClock
from placer.report.page import page
from placer_models.document import dump, parse
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot
from tests.good_nights import GOOD, desktops
from tests.night_stories import told
from tests.nights import Night

VOID = {"meta", "rect", "line", "path"}
HOSTILE = {"h1": "<script>alert(1)</script>", "a": "\"onload='x'", "b": "</svg><img src=x>", "film": "{{ 7 * 7 }}&amp;"}


class Page(HTMLParser):
    """Every element with its attributes, and all text; a tag that is not closed in its turn is a fault."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [attributes for found, attributes in self.elements if found == tag]


def plan_of(night: Night, values: dict[str, object]) -> Plan:
    """The plan with what it was asked for."""
    asked = {"request": json.loads(dump(night.asked)), "jobs": [json.loads(dump(job)) for job in night.work]}
    return parse(Plan, {**values, "asked": asked, "window": asked["request"]["windows"]}, "the plan")


def hostile() -> tuple[Plan, Snapshot]:
    """The night of desktops, with names as nobody should give them."""
    night, values = desktops()
    texts = []
    for text in (dump(plan_of(night, values)), dump(night.snapshot)):
        for name, other in HOSTILE.items():
            text = text.replace(f'"{name}"', json.dumps(other))
        texts.append(json.loads(text))
    return parse(Plan, texts[0], "the plan"), Snapshot.of(texts[1])


NIGHT, VALUES = desktops()
PLAN = plan_of(NIGHT, VALUES)


@pytest.mark.parametrize("name", GOOD)
def test_every_step_host_and_vm_is_on_the_page_which_is_well_formed(name: str) -> None:
    night, values = GOOD[name]()
    plan = plan_of(night, values)
    shown = Page(page(plan, night.snapshot))
    ids = Counter(attributes["id"] for _, attributes in shown.elements if "id" in attributes)
    assert max(ids.values()) == 1
    assert all(ids[f"step-{number}"] for number in range(1, len(plan.steps) + 1))
    targets = {attributes["href"] for attributes in shown.all("a")}
    assert all((target or "").removeprefix("#") in ids for target in targets)
    assert len(targets) == 1 + sum(step.job is None for step in plan.steps)
    words = " ".join(shown.text)
    assert [host.name for host in night.snapshot.hosts if host.name not in words] == []
    assert [vm.name for vm in night.snapshot.vms if vm.power == "on" and vm.name not in words] == []
    for freed in plan.freed:
        assert any(row["aria-label"] == freed.host for row in shown.all("g") if "aria-label" in row)


def test_without_a_snapshot_the_page_shows_what_the_plan_says() -> None:
    shown = Page(page(PLAN))
    words = " ".join(shown.text)
    assert "with its snapshot" in words
    assert "The judge" not in words
    assert {"h1", "h2", "h3"} <= {row.get("aria-label") for row in shown.all("g")}


def test_names_are_only_names() -> None:
    plan, snapshot = hostile()
    text = page(plan, snapshot)
    shown = Page(text)
    assert not {"script", "img"} & {tag for tag, _ in shown.elements}
    assert not [key for _, attributes in shown.elements for key in attributes if key.startswith("on")]
    assert set(HOSTILE.values()) <= {part.strip() for part in shown.text}
    assert "{{ 7 * 7 }}&amp;amp;" in text


def test_nothing_is_fetched_and_nothing_runs() -> None:
    text = page(PLAN, NIGHT.snapshot)
    shown = Page(text)
    assert "default-src 'none'" in text
    assert not {"script", "link", "img", "iframe", "object", "image", "use"} & {tag for tag, _ in shown.elements}
    assert not [part for part in ("http://", "https://", "url(", "@import", "src=") if part in text]
    assert all((link["href"] or "").startswith("#") for link in shown.all("a"))


def test_tables_have_captions_and_scopes_and_pictures_have_words() -> None:
    shown = Page(page(PLAN, NIGHT.snapshot))
    assert len(shown.all("caption")) == len(shown.all("table")) > 2
    assert {cell.get("scope") for cell in shown.all("th")} == {"col", "row"}
    assert {"lang": "en"} in shown.all("html")
    assert all("aria-labelledby" in svg or svg.get("aria-hidden") == "true" for svg in shown.all("svg"))
    assert all(link.get("aria-label") for link in shown.all("a") if (link["href"] or "").startswith("#step-"))
    assert shown.all("desc")


def test_a_desktop_that_moved_is_drawn_as_a_guest_and_the_job_as_a_job() -> None:
    shown = Page(page(PLAN, NIGHT.snapshot))
    kinds = Counter(item.get("class") for item in shown.all("li"))
    assert kinds["guest"] == 2  # a and b, in the night only
    assert kinds["job"] == 2  # one run, on two GPUs
    assert kinds["home"] == 3 + 1 + 3  # everybody, then c alone, then everybody
    assert kinds["card freed"] == 1


def test_a_job_with_a_host_to_itself_is_said_to_have_it() -> None:
    story, plan = told("a-render-farm-leaves-a-host-on-which-the-desktops-would-start-again")
    words = Page(page(plan, story.snapshot)).text
    assert words.count("has the whole host") == 1
    assert words.count("empty") == 1  # the GPU of the host that is freed for nobody


def test_the_same_plan_gives_the_same_page() -> None:
    assert page(PLAN, NIGHT.snapshot) == page(PLAN, NIGHT.snapshot)


def test_bars_lie_on_the_chart_in_the_order_of_time() -> None:
    drawn = chart(PLAN, ["h1", "h2", "h3"], WallClock.of(PLAN), {step.id: step.id for step in PLAN.steps})
    assert drawn is not None
    bars = [bar for row in drawn.rows for bar in row.bars]
    assert all(bar.x >= GUTTER and bar.x + bar.width <= WIDTH - RIGHT + 2 for bar in bars)
    for row in drawn.rows:
        assert all(row.y <= bar.y and bar.y + bar.height <= row.y + row.height for bar in row.bars)
    places = {bar.said: bar.x for bar in bars if bar.number}
    assert sorted(places, key=lambda name: places[name]) == ["m1", "m2", "m3", "m4"]


def test_a_plan_in_which_nothing_happens_has_no_chart() -> None:
    idle = PLAN.model_copy(update={"steps": (), "jobs": (), "freed": ()})
    assert chart(idle, ["h1"], WallClock.of(idle), {}) is None
    assert "nothing is to be done" in page(idle, NIGHT.snapshot)


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `snapshot.json` and `plan.json`, in which commands run."""
    monkeypatch.chdir(tmp_path)
    Path("snapshot.json").write_text(dump(NIGHT.snapshot))
    Path("plan.json").write_text(dump(PLAN))
    return tmp_path


def report(*words: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["report", *words])


def test_the_page_is_written_to_the_file_that_is_named(desk: Path) -> None:
    done = report("plan.json", "--snapshot", "snapshot.json", "-o", "plan.html")
    assert (done.exit_code, done.stdout, done.stderr) == (DONE, "", "")
    assert "The judge has nothing against the plan" in Path("plan.html").read_text(encoding="utf-8")


def test_what_the_judge_refuses_is_on_the_page_and_in_the_exit_code(desk: Path) -> None:
    early = PLAN.model_copy(update={"freed": (PLAN.freed[0].model_copy(update={"from_": PLAN.steps[0].start}),)})
    Path("early.json").write_text(dump(early))
    done = report("early.json", "--snapshot", "snapshot.json")
    assert done.exit_code == REFUSED
    assert "h1: is not free from" in done.stderr
    assert "The judge refuses this plan" in done.stdout
    assert "h1: is not free from" in done.stdout


def test_what_has_changed_since_is_on_the_page(desk: Path) -> None:
    Path("old.json").write_text(dump(PLAN.model_copy(update={"snapshot_sha256": "0" * 64})))
    done = report("old.json", "--snapshot", "snapshot.json")
    assert done.exit_code == DONE
    assert "the plan was made for another snapshot" in done.stdout


def test_a_file_that_is_no_plan_is_refused(desk: Path) -> None:
    done = report("snapshot.json")
    assert done.exit_code == BAD_INPUT
    assert len(done.stderr.splitlines()) >= 1


# --- in a browser -----------------------------------------------------------------------------------------------------


def test_a_browser_shows_the_page_asks_nothing_and_walks_it_by_keyboard(tmp_path: Path) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    browser_file = shutil.which("chromium")
    if browser_file is None:
        pytest.skip("no chromium on this machine: the page is not looked at in a browser")
    plan, snapshot = hostile()
    file = tmp_path / "plan.html"
    file.write_text(page(plan, snapshot), encoding="utf-8")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        try:
            tab = browser.new_page(viewport={"width": 1280, "height": 800})
            asked: list[str] = []
            said: list[str] = []
            tab.on("request", lambda request: asked.append(request.url))
            tab.on("console", lambda message: said.append(message.text))
            tab.on("dialog", lambda dialog: said.append(dialog.message))
            tab.goto(file.as_uri())
            assert asked == [file.as_uri()]
            assert said == []
            walked = []
            for _ in range(2 + 4):  # the skip link, the chart, then each of four migrations
                tab.keyboard.press("Tab")
                walked.append(tab.evaluate("document.activeElement.getAttribute('href')"))
            assert walked == ["#steps", None, "#step-1", "#step-2", "#step-4", "#step-3"]  # host by host
            tab.keyboard.press("Enter")
            assert tab.url.endswith("#step-3")
            assert tab.get_by_role("table", name="Steps").count() == 1
            assert tab.get_by_role("heading", name=HOSTILE["h1"]).count() == 3
            assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
            tab.set_viewport_size({"width": 360, "height": 740})  # a phone: the page stays, its tables scroll
            assert tab.evaluate("document.documentElement.scrollWidth") <= 360
            assert tab.pdf().startswith(b"%PDF")
        finally:
            browser.close()
