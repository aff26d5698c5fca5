"""The contract of sources that ask servers, proved with the source of docs/add-an-archive.md."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from parfocal.config import SourceSettings
from parfocal.errors import SourceError
from parfocal.sources import make_source
from parfocal.testing.http_sources import FAST, HttpSourceContract
from parfocal.testing.loopback import Loopback, serve
from parfocal.values import Fetched, Problem, Unchanged

ROOT = Path(__file__).parents[2]


def load_file(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


FakeSpecimens = load_file(ROOT / "tests/fakes/specimens.py", "fake_specimens").FakeSpecimens


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The source as the guide prints it."""
    guide = (ROOT / "docs/add-an-archive.md").read_text(encoding="utf-8")
    source, test = re.findall(r"^```python\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    assert "HttpSourceContract" in test
    path = tmp_path_factory.mktemp("guide") / "specimens.py"
    path.write_text(source)
    return load_file(path, "specimens_of_the_guide")


class TestSpecimens(HttpSourceContract):
    skips_unchanged = True
    misbehaviour = ("empty", "duplicate-page", "endless-next")

    @pytest.fixture
    def archive(self) -> Any:
        return FakeSpecimens()

    @pytest.fixture
    def source(self, server: Loopback, specimens: ModuleType) -> Any:
        return specimens.Specimens("specimens", specimens.SpecimenOptions(url=server.url, **FAST))

    @pytest.fixture
    def name(self) -> str:
        return "specimens"


def test_preset_in_the_guide_is_the_one_that_is_shipped() -> None:
    guide = (ROOT / "docs/add-an-archive.md").read_text(encoding="utf-8")
    preset, table, *_ = re.findall(r"^```toml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    assert preset == (ROOT / "harvester/presets/bioimage-archive.toml").read_text()
    source = make_source(SourceSettings(**tomllib.loads(table)["sources"][0]))
    assert source.options.user_agent.endswith("(+imaging@lab.example)")
    assert source.options.url == tomllib.loads(preset)["url"]


class Careless:
    """A source that takes whatever went wrong for the end of the list."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.Options = source.Options
        self.normalise = source.normalise

    async def fetch(self, walk: Any) -> AsyncIterator[Fetched]:
        try:
            async for found in self.source.fetch(walk):
                if not isinstance(found, Problem):
                    yield found
        except SourceError:
            return


class Sleepy(Careless):
    """A source that believes that nothing ever changes."""

    async def fetch(self, walk: Any) -> AsyncIterator[Fetched]:
        if any(walk.stamp(f"s{number}") for number in range(9)):
            yield Unchanged("", below=True)
            return
        async for found in self.source.fetch(walk):
            yield found


class Restless(Careless):
    """A source that gives cursors but begins anew whatever they say."""

    async def fetch(self, walk: Any) -> AsyncIterator[Fetched]:
        class Forgetful:
            cursor = mark = ""
            stamp, answered = walk.stamp, walk.answered

        async for found in self.source.fetch(Forgetful()):
            yield found


class Gullible(Careless):
    """A source that follows redirects wherever they lead."""

    async def fetch(self, walk: Any) -> AsyncIterator[Fetched]:
        with urllib.request.urlopen(self.source.base + "/api/images"):
            pass
        async for found in self.source.fetch(walk):
            yield found


class TestContractFindsMistakes:
    """The contract is worth something only if bad sources fail it."""

    def check(self, specimens: ModuleType, kind: Any, test: str, *more: str) -> None:
        archive, contract = FakeSpecimens(), TestSpecimens()
        with serve(archive) as server:
            options = specimens.SpecimenOptions(url=server.url, **FAST)
            source = kind(specimens.Specimens("specimens", options))
            arguments = (server, source, "specimens", *more)
            getattr(contract, test)(*((archive,) if test in WITH_ARCHIVE else ()), *arguments)

    @pytest.mark.parametrize(
        ("kind", "test", "more"),
        [
            (Careless, "test_failure_that_lasts", ("500",)),
            (Careless, "test_failure_that_lasts", ("html",)),
            (Careless, "test_address_that_always_fails", ("403",)),
            (Careless, "test_archive_misbehaves", ("duplicate-page",)),
            (Careless, "test_objects_shift_while_pages_are_read", ()),
            (Gullible, "test_addresses_of_the_archive_lead_nowhere_inside", ()),
            (Sleepy, "test_addition_change_and_deletion_are_found", ()),
        ],
    )
    def test_bad_source_fails(
        self, specimens: ModuleType, kind: Any, test: str, more: tuple[str, ...]
    ) -> None:
        with pytest.raises(AssertionError):
            self.check(specimens, kind, test, *more)

    def test_source_that_begins_anew_fails(
        self, specimens: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with serve(FakeSpecimens(30)) as server:
            options = specimens.SpecimenOptions(url=server.url, **FAST)
            source: Any = Restless(specimens.Specimens("specimens", options))
            with pytest.raises(AssertionError, match="asked again"):
                TestSpecimens().test_resumes_wherever_it_was_killed(
                    server, source, "specimens", monkeypatch
                )


WITH_ARCHIVE = {
    "test_archive_misbehaves",
    "test_objects_shift_while_pages_are_read",
    "test_addition_change_and_deletion_are_found",
}
