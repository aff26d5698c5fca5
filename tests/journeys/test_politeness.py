"""Two sources of one host, harvested as the command does it; the host writes down what it sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.harvesting import harvest
from parfocal.testing.loopback import Asked, Fault, Given, Loopback, serve
from tests.fakes.dataverse import FakeDataverse
from tests.fakes.invenio import FakeInvenio


class TwoArchives:
    """A repository of each kind behind one host."""

    def __init__(self) -> None:
        self.invenio = FakeInvenio()
        self.dataverse = FakeDataverse(12)

    def answer(self, asked: Asked) -> Given:
        if asked.path.startswith(("/api/search", "/api/datasets")):
            return self.dataverse.answer(asked)
        return self.invenio.answer(asked)


def harvested(server: Loopback, folder: Path, **options: Any) -> list[str]:
    """Harvest both sources side by side, with an engine that needs nothing."""
    own = {"url": server.url, "timeout": 5, "retry_wait": 0.01, **options}
    settings = Settings.model_validate(
        {
            "data_dir": folder,
            "ontology": {"bundled": False},
            "search": {"engine": "memory"},
            "graph": {"engine": "memory"},
            "sources": [
                {"name": "one", "kind": "invenio", "page_size": 3, **own},
                {"name": "two", "kind": "dataverse", "page_size": 3, **own},
            ],
        }
    )
    with Catalogue.open(settings) as catalogue:
        return [report.state for report in harvest(catalogue)]


def most_within(times: list[float], seconds: float) -> int:
    """The largest number of requests that came within so many seconds."""
    return max(
        sum(1 for later in times[place:] if later - first < seconds)
        for place, first in enumerate(times)
    )


def by_source(server: Loopback) -> dict[bool, int]:
    of_one = [asked.path.startswith(("/api/search", "/api/datasets")) for asked in server.asked]
    return {True: sum(of_one), False: len(of_one) - sum(of_one)}


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_host_sees_more_at_once_than_was_set(tmp_path: Path, concurrency: int) -> None:
    with serve(TwoArchives(), delay=0.01) as server:
        states = harvested(server, tmp_path, concurrency=concurrency, rate=0)
    assert states == ["complete", "complete"]
    assert min(by_source(server).values()) >= 5
    assert server.most_at_once <= concurrency


def test_no_host_sees_more_a_second_than_was_set(tmp_path: Path) -> None:
    with serve(TwoArchives()) as server:
        # Repeats count like any other request.
        server.faults += [Fault("503", path="page=1"), Fault("503", path="/api/datasets", times=2)]
        states = harvested(server, tmp_path, rate=25, concurrency=8)
    assert states == ["complete", "complete"]
    times = sorted(asked.at for asked in server.asked)
    assert len(times) >= 15
    assert times[-1] - times[0] >= (len(times) - 3) / 25
    # A request may be late on its way, and then the next one follows it sooner.
    assert most_within(times, 0.4) <= 25 * 0.4 + 2
