"""The main job by the command line alone: init, harvest, search, graph, publish."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parfocal import demo

PARFOCAL = Path(sys.executable).with_name("parfocal")


class Desk:
    """A folder in which somebody works with the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [PARFOCAL, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert done.returncode == code, f"{arguments}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout if not code else done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk where the bundled archives were harvested by a settings file that init wrote."""
    folder = tmp_path_factory.mktemp("desk")
    work = Desk(folder)
    assert "parfocal.toml" in work.run("init")
    settings = demo.prepare(folder / "sample", 8000)
    assert settings.sources
    tables = [
        f'[[sources]]\nname = "{source.name}"\nkind = "{source.kind}"\n'
        f"path = {json.dumps(str(source.options['path']))}\naccess = {list(source.access)}\n"
        for source in settings.sources
    ]
    tables.append(
        f'[[server.viewers]]\nname = "member"\ntoken = "{demo.TOKEN}"\ngroups = ["{demo.GROUP}"]\n'
    )
    file = folder / "parfocal.toml"
    file.write_text(file.read_text() + "\n" + "\n".join(tables))
    work.run("harvest")
    return work


def test_init_does_not_write_over_a_file(desk: Desk) -> None:
    assert "there already" in desk.run("init", code=2)


def test_second_harvest_changes_nothing(desk: Desk) -> None:
    for report in desk.json("harvest"):
        counts = report["counts"]
        assert report["state"] == "complete"
        assert not any(counts.get(name) for name in ("new", "changed", "tombstoned"))
        assert counts["unchanged"] > 0


def test_sources_tell_what_there_is(desk: Desk) -> None:
    named = {source["name"]: source["records"] for source in desk.json("sources", "list")}
    assert set(named) == {"idr", "crates", "disk"}
    assert all(named.values())
    private = {s["name"] for s in desk.json("sources", "list", "--group", demo.GROUP)}
    assert private == {*named, "private"}


def test_words_are_understood_and_reach_both_archives(desk: Desk) -> None:
    answer = desk.json("search", "mitosis", "--facet", "source", "--level", "any")
    assert answer["total"] > 0
    assert answer["query"]
    sources = {value["value"] for value in answer["facets"]["source"]}
    assert len(sources) >= 2
    assert all(hit["reasons"] for hit in answer["hits"])


def test_counts_lists_and_pages_agree(desk: Desk) -> None:
    total = int(desk.run("search", "organism:human", "--count"))
    lines = desk.run("search", "organism:human", "--format", "jsonl").splitlines()
    assert total == len(lines) == len({json.loads(line)["id"] for line in lines})
    paged: list[str] = []
    after: tuple[str, ...] = ()
    while True:
        page = desk.json("search", "organism:human", "--size", "7", *after)
        paged += [hit["id"] for hit in page["hits"]]
        if not page["next"]:
            break
        after = ("--after", page["next"])
    assert sorted(paged) == sorted(json.loads(line)["id"] for line in lines)


def test_record_is_shown_in_every_form(desk: Desk) -> None:
    identifier = desk.json("search", "type:study source:idr")["hits"][0]["id"]
    assert json.loads(desk.run("show", identifier))["id"] == identifier
    linked = json.loads(desk.run("show", identifier, "--format", "jsonld"))
    assert "@context" in linked
    assert identifier.partition(":")[2] in desk.run("show", identifier, "--format", "turtle")


def test_graph_agrees_with_the_search(desk: Desk) -> None:
    total = int(desk.run("search", "", "--count"))
    graphs = "SELECT (COUNT(DISTINCT ?g) AS ?n) WHERE { GRAPH ?g { ?s a ?type } }"
    answer = desk.json("sparql", graphs)
    assert int(answer["results"]["bindings"][0]["n"]["value"]) == total


def test_private_records_leave_no_trace(desk: Desk) -> None:
    assert desk.run("search", "source:private", "--count").strip() == "0"
    seen = int(desk.run("search", "source:private", "--count", "--group", demo.GROUP))
    assert seen > 0
    hit = desk.json("search", "source:private", "--group", demo.GROUP)["hits"][0]["id"]
    assert "no record" in desk.run("show", hit, code=2)
    count = "SELECT (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } }"
    anybody, member = (
        int(desk.json("sparql", count, *group)["results"]["bindings"][0]["n"]["value"])
        for group in ((), ("--group", demo.GROUP))
    )
    assert 0 < anybody < member


def test_wrong_queries_are_pointed_at(desk: Desk) -> None:
    assert "^" in desk.run("search", "organism:human AND (", code=2)
    assert "hint" in desk.run("search", "organsm:human", code=2)
    assert "hint" in desk.run(
        "sparql", "SELECT * WHERE { SERVICE <http://x/> { ?s ?p ?o } }", code=2
    )


def test_data_set_is_published_once(desk: Desk) -> None:
    study = desk.json("search", "type:study source:idr")["hits"][0]["id"]
    desk.run("publish", "draft", study, "-o", "my-dataset.toml")
    desk.run("publish", "check", "my-dataset.toml")
    desk.run("publish", "run", "my-dataset.toml")
    packages = sorted(
        path.parent for path in desk.folder.rglob("published/**/ro-crate-metadata.json")
    )
    assert len(packages) == 1
    desk.run("publish", "run", "my-dataset.toml")
    assert (
        sorted(path.parent for path in desk.folder.rglob("published/**/ro-crate-metadata.json"))
        == packages
    )
    assert "my-dataset" in desk.run("publish", "status") or desk.json("publish", "status")


def test_index_and_graph_are_rebuilt_from_the_store(desk: Desk) -> None:
    before = desk.json("search", "mitosis", "--facet", "organism")
    desk.run("reindex")
    after = desk.json("search", "mitosis", "--facet", "organism")
    assert (after["total"], after["levels"], after["facets"]) == (
        before["total"],
        before["levels"],
        before["facets"],
    )
