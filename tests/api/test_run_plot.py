"""The history of a source: a table of its runs, and a plot that needs no script."""

import re
from xml.etree import ElementTree

import msgspec
import pytest

from api.app import create_app
from api.run_plot import plot_of
from parfocal.catalogue import Catalogue
from parfocal.testing.store import dataset, item
from parfocal.values import Batch, Counts, RunReport

BROWSER = {"Accept": "text/html"}


def run(day, state="complete", *, new=0, unchanged=0, seconds=1.0, **more):
    started = f"2026-11-{day:02d}T03:00:00Z"
    counts = Counts(new, 0, unchanged, 0)
    return RunReport("s", day, state, started, started, counts, seconds=seconds, **more)


def test_runs_stand_in_order_of_time_within_the_drawing():
    runs = [run(day, new=day * 10, seconds=day) for day in (20, 12, 2, 1)]
    plot = plot_of(runs)
    xs = [point.x for point in plot.points]
    assert xs == sorted(xs)
    assert 8 <= xs[0] < xs[-1] <= 712
    # Two days lie nearer together than eight.
    assert xs[1] - xs[0] < xs[3] - xs[2]
    assert (plot.most_records, plot.longest) == (200, 20)
    assert plot.points[-1].y == 18
    assert all(0 <= point.bar <= 46 for point in plot.points)


def test_failed_runs_are_marked_and_not_joined():
    plot = plot_of([run(3, unchanged=9), run(2, "failed", new=1), run(1, new=9)])
    assert [point.good for point in plot.points] == [True, False, True]
    assert len(plot.line.split()) == 2
    assert "1 failed" in plot.words


def test_one_run_is_no_plot_and_rebuilds_are_left_out():
    assert plot_of([]) is None
    assert plot_of([run(1, new=3), run(2, scope="renormalise")]) is None
    assert plot_of([run(2), run(1)]).most_records == 1


@pytest.fixture
def client():
    with Catalogue.in_memory() as catalogue:
        store = catalogue.store
        for number in range(3):
            begun, _ = store.begin("s", full=True)
            found = item("k", *(dataset(f"d{one}") for one in range(number + 2)))
            store.commit("s", begun, Batch((found,), requests=7, received=1_400_000, seconds=75.0))
            store.finish(
                "s", begun, complete=number != 1, message="host: no answer" * (number == 1)
            )
        catalogue.project()
        yield create_app(catalogue).test_client()


def test_the_page_shows_table_and_plot(client):
    assert "/sources?history=s#s" in client.get("/sources", headers=BROWSER).text
    page = client.get("/sources?history=s", headers=BROWSER).text
    rows = re.search(r'<table class="rows runs">.*?</table>', page, re.S).group()
    assert rows.count("<tr>") == 4
    for word in ("1 min 15 s", "1.4 MB", "failed", "host: no answer"):
        assert word in rows
    drawing = ElementTree.fromstring(
        re.search(r"run-plot.>\s*(<svg.*?</svg>)", page, re.S).group(1)
    )
    assert drawing.get("role") == "img"
    named = {one.get("id"): one.text for one in drawing if one.get("id")}
    assert all(named[name] for name in drawing.get("aria-labelledby").split())
    assert len(drawing.findall("circle")) == 2
    assert len(drawing.findall("path")) == 1


def test_a_source_that_is_not_there_has_no_history(client):
    assert client.get("/sources?history=nobody", headers=BROWSER).status_code == 404
    assert client.get("/api/v1/sources/nobody/runs").status_code == 404


def test_the_api_gives_the_runs(client):
    answer = client.get("/api/v1/sources/s/runs?size=2").json
    assert answer["source"] == "s"
    newest, failed = msgspec.convert(answer["runs"], list[RunReport])
    assert (newest.state, failed.state) == ("complete", "failed")
    assert (newest.requests, newest.received, newest.seconds) == (7, 1_400_000, 75.0)
