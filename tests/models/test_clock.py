"""Windows by wall clocks: across midnight, into and out of daylight saving, several nights."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from placer_models.clock import Clock, Nightly, Span, Window, merged
from placer_models.document import Document, Faults, parse

WINDOW: TypeAdapter[Span | Nightly] = TypeAdapter(Window)


class Asked(Document):
    """A document with a window."""

    window: Window


def nightly(
    first: str, begin: str = "22:00", until: str = "06:30", zone: str = "Europe/Berlin", nights: int = 1
) -> Nightly:
    return Nightly.model_validate(
        {"from": begin, "until": until, "zone": zone, "first": date.fromisoformat(first), "nights": nights}
    )


def hours(window: Nightly) -> list[float]:
    return [(end - begin) / timedelta(hours=1) for begin, end in window.spans()]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "length"),
    [
        (nightly("2026-11-20"), 8.5),
        (nightly("2026-03-28"), 7.5),
        (nightly("2026-10-24"), 9.5),
        (nightly("2026-03-07", zone="America/New_York"), 7.5),
        (nightly("2026-10-31", zone="America/New_York"), 9.5),
        (nightly("2026-03-28", zone="Asia/Kolkata"), 8.5),
    ],
    ids=["plain", "forward", "back", "forward in New York", "back in New York", "no daylight saving"],
)
def test_a_night_is_as_long_as_the_clock_on_the_wall_makes_it(window: Nightly, length: float) -> None:
    assert hours(window) == [length]


def test_each_of_several_nights_has_its_own_length() -> None:
    assert hours(nightly("2026-10-23", nights=3)) == [8.5, 9.5, 8.5]


def test_several_nights_begin_at_the_same_time_on_the_wall() -> None:
    begins = [begin for begin, _ in nightly("2026-03-27", nights=3).spans()]
    assert begins == [utc("2026-03-27T21:00"), utc("2026-03-28T21:00"), utc("2026-03-29T20:00")]


def test_hours_of_one_day_do_not_cross_midnight() -> None:
    (span,) = nightly("2026-11-20", "09:00", "17:30", "UTC").spans()
    assert span == (utc("2026-11-20T09:00"), utc("2026-11-20T17:30"))


def test_the_same_time_is_a_whole_day() -> None:
    assert hours(nightly("2026-11-20", "20:00", "20:00")) == [24]


def test_a_time_that_the_clock_shows_twice_is_the_first() -> None:
    (span,) = nightly("2026-10-24", "22:00", "02:30").spans()
    assert span[1] == utc("2026-10-25T00:30")


def test_a_time_that_the_clock_skips_is_an_hour_later_on_the_wall() -> None:
    (span,) = nightly("2026-03-28", "22:00", "02:30").spans()
    assert span[1] == utc("2026-03-29T01:30")  # 03:30 in Berlin


def test_a_night_that_the_clock_skips_is_left_out() -> None:
    assert hours(nightly("2026-03-28", "02:30", "03:00", nights=3)) == [0.5, 0.5]


def test_a_window_without_a_zone_is_one_span() -> None:
    window = WINDOW.validate_json('{"from": "2026-11-20T22:00:00+01:00", "until": "2026-11-21T05:30:00Z"}')
    assert window.spans() == [(utc("2026-11-20T21:00"), utc("2026-11-21T05:30"))]


BERLIN = {"from": "22:00", "until": "06:30", "zone": "Europe/Berlin", "first": "2026-11-20"}
SPAN = {"from": "2026-11-20T22:00:00Z", "until": "2026-11-21T06:00:00Z"}


def without(window: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in window.items() if name != key}


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        (
            {**BERLIN, "zone": "Berlin"},
            "window.zone: found 'Berlin', expected a time zone such as 'Europe/Berlin' or 'UTC'",
        ),
        (
            {**BERLIN, "zone": "../etc"},
            "window.zone: found '../etc', expected a time zone such as 'Europe/Berlin' or 'UTC'",
        ),
        ({**BERLIN, "from": "24:00"}, "window.from: found '24:00', expected a time of day such as '22:00'"),
        ({**BERLIN, "until": "6:30"}, "window.until: found '6:30', expected a time of day such as '22:00'"),
        (BERLIN | {"first": "20.11.2026"}, "window.first: found '20.11.2026', expected a day such as 2026-11-20"),
        (without(BERLIN, "first"), "window: missing 'first' (a day such as 2026-11-20)"),
        (without(BERLIN, "zone"), "window: missing 'zone' (text)"),
        (without(BERLIN, "until"), "window: missing 'until' (text)"),
        (without(SPAN, "until"), "window: missing 'until' (a time such as 2026-11-20T18:00:00Z)"),
        ({**BERLIN, "nights": 0}, "window.nights: found 0, expected at least 1"),
        (
            {**BERLIN, "first": "9999-12-31"},
            "window: found a first night in 9999, expected one in 2 to 9996",
        ),
        (
            {**SPAN, "until": "9999-12-31T23:59:59-12:00"},
            "window.until: found 9999-12-31T23:59:59-12:00, expected a time in the years 2 to 9998",
        ),
        (
            {**SPAN, "until": SPAN["from"]},
            "window: found an end at 2026-11-20T22:00:00+00:00, expected one after 2026-11-20T22:00:00+00:00",
        ),
        (
            {**SPAN, "until": "2026-11-21T06:00:00"},
            "window.until: found '2026-11-21T06:00:00', expected a time with its zone",
        ),
    ],
)
def test_a_window_that_is_none_is_refused_in_words(window: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Faults) as refused:
        parse(Asked, {"window": window}, "the request")
    assert [text for text in refused.value.sentences if text.startswith(sentence)], refused.value.sentences
    assert len(refused.value.sentences) == 1


def test_seconds_are_counted_from_the_origin_and_rounded_down() -> None:
    clock = Clock(utc("2026-11-20T22:00"))
    assert clock.seconds(utc("2026-11-20T22:00:01.999")) == 1
    assert clock.seconds(utc("2026-11-20T21:59:59.5")) == -1
    assert clock.seconds(datetime.fromisoformat("2026-11-20T23:01:00+01:00")) == 60


@given(st.integers(-(10**9), 10**9))
def test_seconds_and_back(seconds: int) -> None:
    clock = Clock(utc("2026-11-20T22:00"))
    assert clock.seconds(clock.instant(seconds)) == seconds


def test_stretches_that_touch_or_overlap_are_one() -> None:
    at = [utc(f"2026-11-20T{hour:02}:00") for hour in range(10)]
    spans = [(at[6], at[8]), (at[0], at[3]), (at[3], at[4]), (at[1], at[2]), (at[7], at[9])]
    assert merged(spans) == [(at[0], at[4]), (at[6], at[9])]
