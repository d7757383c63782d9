"""Rule `stay`: running VMs that may not be touched."""

from __future__ import annotations

from placer_models.scene import Scene, Stand
from tests.asked import Asked
from tests.build import host, off, on, values

ASKED = values(
    [host("h1"), host("h2")], [on("db", "h1"), on("web", "h1"), off("new")], rules=[{"kind": "stay", "vms": ["db"]}]
)


def test_db_is_left_alone() -> None:
    asked = Asked(ASKED, "stay")
    assert asked.breaches == {}
    assert asked.rule.pins(asked.cluster.vms["db"])
    assert not asked.rule.pins(asked.cluster.vms["web"])


def test_db_moved_or_stopped_is_a_breach() -> None:
    asked = Asked(ASKED, "stay")
    for stands in ([Stand("db", "h2")], []):
        asked.scene = Scene(asked.cluster, stands)
        assert asked.breaches == {"db is to stay on h1 as it stands": 1}


def test_who_is_started_does_not_matter() -> None:
    assert Asked(ASKED, "stay").why_not("new", "h1") is None
