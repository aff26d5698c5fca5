"""Study crates of four archives and IDR's own study files: what is one data set."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvester.biostudies.items import StudyItem, raw
from harvester.sources.biostudies import BioStudies
from harvester.sources.ssbd import Ssbd
from parfocal.catalogue import Catalogue
from parfocal.cli import main
from parfocal.config import load
from parfocal.identity import identity_of
from parfocal.model import ANONYMOUS, Dataset, Record
from parfocal.sameness import Sameness, compare
from parfocal.testing.sources import fetch_all, normalise_all
from parfocal.values import Problem

pytestmark = pytest.mark.corpus

DIFFERENT = {
    # One paper, one title, the same authors, two screens.
    frozenset({"gide:idr0128", "idr:idr0129-georgi-rhinovirus"}),
    frozenset({"gide:idr0129", "idr:idr0128-georgi-influenza"}),
    frozenset({"gide:S-BIAD2233", "gide:S-BIAD2245"}),
    frozenset({"idr:idr0134-peters-bryophytes", "idr:idr0137-peters-bryophytes"}),
}


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code in (0, 3)


@pytest.fixture(scope="module")
def configured(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a place where both are harvested; of IDR only the descriptions of studies."""
    folder = tmp_path_factory.mktemp("same")
    for file in sorted((corpus / "idr").glob("idr*/idr*-study.txt*")):
        place = folder / "idr" / file.parent.name
        place.mkdir(parents=True)
        shutil.copy(file, place)
    settings = folder / "parfocal.toml"
    settings.write_text(
        f"""data_dir = "{folder}/data"
search.engine = "memory"
graph.engine = "memory"
[[sources]]
name = "idr"
kind = "idr-studies"
path = "{folder}/idr"
[[sources]]
name = "gide"
kind = "rocrate"
path = "{corpus}/rocrate/gide-crates"
"""
    )
    run("--config", str(settings), "harvest")
    return settings


@pytest.fixture(scope="module")
def catalogue(configured: Path) -> Iterator[Catalogue]:
    with Catalogue.open(load(configured)) as opened:
        yield opened


@pytest.fixture(scope="module")
def found(catalogue: Catalogue) -> Sameness:
    return catalogue.sameness(ANONYMOUS)


def studies(catalogue: Catalogue) -> dict[str, Dataset]:
    every = catalogue.store.records(limit=100_000)
    return {
        c.id: c.record for c in every if isinstance(c.record, Dataset) and c.record.level == "study"
    }


def test_pairs_are_found_and_each_has_evidence(found: Sameness) -> None:
    kinds = Counter(tuple(e.kind for e in pair.evidence) for pair in found.merges)
    assert kinds == {("same accession",): 31, ("says so",): 2}
    assert all(pair.evidence and not pair.against for pair in found.merges)
    assert Counter(map(len, found.clusters)) == {2: 33}
    assert ("gide:S-BIAD1961", "idr:idr0170-rose-mibitof") in found.clusters
    assert ("gide:S-BIAD2282", "idr:idr0171-kuzikov-remedi4all") in found.clusters


def test_every_pair_agrees_in_what_was_not_evidence(found: Sameness, catalogue: Catalogue) -> None:
    """A second witness: merges rest on accessions, and titles that nobody asked agree as well."""
    known = studies(catalogue)
    for pair in found.merges:
        one, other = known[pair.one], known[pair.other]
        assert one.title.strip(" .").casefold() == other.title.strip(" .").casefold(), pair


def test_no_crate_of_a_study_that_is_there_was_missed(
    found: Sameness, catalogue: Catalogue
) -> None:
    known = studies(catalogue)
    crates = {id.partition(":")[2] for id in known if id.startswith("gide:idr")}
    there = {id.partition(":")[2][:7] for id in known if id.startswith("idr:")}
    merged = {pair.one.partition(":")[2] for pair in found.merges}
    assert {name for name in merged if name.startswith("idr")} == crates & there
    assert len(crates & there) == 31


def test_what_looks_alike_is_proposed_or_left_and_never_merged(found: Sameness) -> None:
    merged = {frozenset((pair.one, pair.other)) for pair in found.merges}
    assert not merged & DIFFERENT
    kinds = Counter(tuple(e.kind for e in pair.evidence) for pair in found.proposals)
    assert kinds == {
        ("same publication", "same title, authors and year"): 14,
        ("same publication",): 8,
    }
    # One project as SSBD's database and SSBD's repository have it: people may decide.
    assert all(pair.other.startswith("gide:ssbd-repos-") for pair in found.proposals)


def test_the_command_names_pairs_and_proposals(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--config", str(configured), "sources", "same")
    out = capsys.readouterr().out
    assert "gide:idr0001  idr:idr0001-graml-sysgro\n    same accession: idr:idr0001" in out
    assert "66 records in 33 clusters by 33 merges; 22 proposals" in out
    run("--config", str(configured), "sources", "same", "--proposals", "--source", "gide")
    out = capsys.readouterr().out
    assert "same publication: doi:10.1371/journal.pcbi.1004970" in out
    run("--config", str(configured), "sources", "same", "--json", "--source", "idr")
    told = json.loads(capsys.readouterr().out)
    assert (len(told["merges"]), len(told["proposals"])) == (33, 0)
    assert told["merges"][0]["evidence"][0]["kind"] == "says so"
    run("--config", str(configured), "show", "gide:idr0001")
    assert json.loads(capsys.readouterr().out)["twins"][0]["record"] == "idr:idr0001-graml-sysgro"


# ------------------------------------------------------------------ four archives at once


@pytest.fixture(scope="module")
def four(catalogue: Catalogue, corpus: Path) -> tuple[dict[str, Dataset], Sameness]:
    """The same, with studies as BioStudies serves them and SSBD's own instances."""
    records = [change.record for change in catalogue.store.records(limit=100_000)]
    records += list(_of_biostudies(corpus))
    instances = corpus / "api" / "ssbd" / "ontology" / "ssbd_instances.ttl.gz"
    ssbd = Ssbd("ssbd", Ssbd.Options(path=instances))
    records += normalise_all(ssbd, fetch_all(ssbd))
    known = {r.id: r for r in records if isinstance(r, Dataset)}
    return known, compare(one for record in known.values() if (one := identity_of(record)))


def _of_biostudies(corpus: Path) -> Iterator[Record]:
    source = BioStudies("bia", BioStudies.Options())
    for path in sorted((corpus / "api" / "biostudies").glob("*/*_original.json")):
        item = StudyItem("https://www.ebi.ac.uk/biostudies", path.parent.name, path.read_bytes())
        found = source.normalise(raw(path.parent.name, item))
        yield from (record for record in found if not isinstance(record, Problem))


def test_more_archives_give_more_pairs_and_no_wrong_one(
    four: tuple[dict[str, Dataset], Sameness],
) -> None:
    known, found = four
    kinds = Counter(tuple(e.kind for e in pair.evidence) for pair in found.merges)
    assert kinds == {("same accession",): 39, ("says so",): 3, ("reference",): 1}
    assert ("bia:S-BIAD15", "gide:idr0067", "idr:idr0067-king-yeastmeiosis") in found.clusters
    for pair in found.merges:
        one, other = (known[id] for id in (pair.one, pair.other))
        # SSBD's crate of this project has the project's name for a title.
        assert one.title.strip(" .").casefold() == other.title.strip(" .").casefold() or (
            pair.one == "gide:2-Kyoda-WormEmbryoRNAi"
        )
    assert len(found.proposals) == 24


def test_a_reference_with_title_and_authors_is_one_data_set(
    four: tuple[dict[str, Dataset], Sameness],
) -> None:
    """What BioStudies serves as S-BIAD599 are the files of idr0079, as its root path says."""
    _, found = four
    assert ("bia:S-BIAD599", "idr:idr0079-hartmann-lateralline") in found.clusters
