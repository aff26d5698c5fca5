"""The source idr-studies on the bundled studies and on hand-made ones."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

import parfocal
from harvester.sources.idr_studies import IdrStudies
from parfocal.errors import SourceUnavailable
from parfocal.model import Dataset, Image, Record
from parfocal.testing.sources import (
    SourceContract,
    fetch_all,
    normalise_all,
    raw_items,
)
from parfocal.values import Problem, RawItem

DEMO = Path(parfocal.__file__).parent / "data" / "demo" / "idr"
STUDY = "Study Title\tA study\nScreen Number\t1\nScreen Imaging Method\tconfocal microscopy\n"


def source(path: Path) -> IdrStudies:
    return IdrStudies("idr", IdrStudies.Options(path=path))


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def records(path: Path) -> list[Record]:
    made = source(path)
    return normalise_all(made, fetch_all(made))


def problems(path: Path) -> list[Problem]:
    return [one for one in fetch_all(source(path)) if isinstance(one, Problem)]


def rows(path: Path) -> list[Record]:
    return [record for record in records(path) if record.provenance.native_id.count("/") > 1]


def pairs(record: Record) -> list[tuple[str, str]]:
    return [(pair.key, pair.value) for pair in record.key_values]


def table(tmp_path: Path, content: str | bytes, bulkmap: str = "") -> Path:
    write(tmp_path, "s1-x/s1-study.txt", STUDY)
    write(tmp_path, "s1-x/s1-screenA-annotation.csv", content)
    if bulkmap:
        write(tmp_path, "s1-x/s1-screenA-bulkmap-config.yml", bulkmap)
    return tmp_path


class TestDemo(SourceContract):
    @pytest.fixture
    def name(self) -> str:
        return "demo"

    @pytest.fixture
    def source(self) -> IdrStudies:
        return IdrStudies("demo", IdrStudies.Options(path=DEMO))

    @pytest.fixture
    def broken(self, tmp_path: Path) -> IdrStudies:
        table(tmp_path, "Plate,Well\nP,A1\n")
        write(tmp_path, "s1-x/s1-screenB-annotation.csv", b"Plate,Well\nP,\x00\n")
        write(tmp_path, "s2-x/s2-screenA-annotation.csv.gz", gzip.compress(b"Plate\n" * 99)[:-9])
        return source(tmp_path)


class TestManyRuns(SourceContract):
    """A table of several runs of rows, with repeated names across them."""

    @pytest.fixture
    def name(self) -> str:
        return "idr"

    @pytest.fixture
    def source(self, tmp_path: Path) -> IdrStudies:
        lines = [f"P{n % 7},A{n % 400}" for n in range(2345)]
        return source(table(tmp_path, "\n".join(["Plate,Well", *lines])))


def test_demo_has_all_kinds_of_records() -> None:
    found = records(DEMO)
    kinds = {(type(record).__name__, record.ome_type) for record in found}
    assert {
        ("Dataset", "Study"),
        ("Dataset", "Screen"),
        ("Dataset", "Dataset"),
        ("Image", "Well"),
        ("Image", "Image"),
    } == kinds
    assert len(found) == 13 + 72 + 96 + 24 + 30 + 48 + 37 + 40


def test_study_record_says_who_made_it_and_how_it_may_be_used() -> None:
    study = next(r for r in records(DEMO) if r.id == "idr:demo0004-moreau-antibodyatlas")
    assert isinstance(study, Dataset)
    assert [person.name for person in study.creators] == ["Hélène Moreau-Brûlé", "Elin Söderström"]
    assert study.creators[0].roles == ("submitter",)
    assert (study.licence, study.date) == ("CC-BY-SA-4.0", "2021-06-09")
    assert "doi:10.5072/parfocal.demo0004" in study.identifiers
    assert study.publications[0].authors == "Moreau-Brûlé H, Söderström E, Peña J"
    assert "antibody" in study.keywords


def test_addresses_of_people_are_left_out() -> None:
    for record in records(DEMO):
        assert "@" not in str(record.creators)
        assert not any("@example.org" in value for _, value in pairs(record))


def test_container_has_its_own_sections_keys() -> None:
    by_id = {record.id: record for record in records(DEMO)}
    embryos = by_id["idr:demo0003-tanaka-mouselightsheet/experimentA"]
    kidneys = by_id["idr:demo0003-tanaka-mouselightsheet/experimentB"]
    assert ("Imaging Method", "SPIM") in pairs(embryos)
    assert ("Experiment Imaging Method", "bright-field microscopy") in pairs(kidneys)
    methods = [a.term for a in kidneys.annotations if a.field == "imaging_method"]
    assert methods == ["FBbi:00000364", "FBbi:00000243"]


def test_well_has_keys_of_the_bulkmap_and_curated_terms() -> None:
    well = next(r for r in rows(DEMO) if r.id == "idr:demo0001-lindqvist-mitosis/screenA/MIT01/A1")
    assert isinstance(well, Image)
    assert (well.plate, well.well, well.title) == ("MIT01", "A1", "MIT01 A1")
    assert ("Gene Symbol", "KIF11") in pairs(well)
    assert ("Phenotype", "binucleate") in pairs(well)
    claims = {(a.field, a.term, a.text, a.label, a.method) for a in well.annotations}
    assert ("organism", "NCBITaxon:9606", "Homo sapiens", "Homo sapiens", "curated") in claims
    assert ("cell_line", "EFO:0001185", "HeLa", "HeLa", "curated") in claims
    phenotype = ("phenotype", "CMPO:0000213", "binucleate", "binuclear cell phenotype", "curated")
    assert phenotype in claims


def test_dragged_accessions_are_doubted_and_told_once() -> None:
    told = [problem for problem in problems(DEMO) if "count up" in problem.reason]
    assert len(told) == 1
    assert told[0].severity == "warning"
    assert told[0].place == "column 'Term Source 1 Accession', rows 26 to 41"
    claims = [
        annotation
        for record in rows(DEMO)
        if "demo0006" in record.id
        for annotation in record.annotations
        if annotation.field == "organism"
    ]
    assert len(claims) == 40
    assert {a.term for a in claims if a.believed} == {"NCBITaxon:3702"}
    assert sum(a.method == "doubted" and a.score == 0.2 for a in claims) == 16


def test_row_without_image_is_a_data_set() -> None:
    beads = next(r for r in rows(DEMO) if r.title == "Calibration beads")
    assert isinstance(beads, Dataset)
    assert beads.part_of == "idr:demo0005-silva-lateralline/experimentA"


def test_path_may_be_one_study() -> None:
    whole = [r for r in records(DEMO) if r.id.startswith("idr:demo0003")]
    assert records(DEMO / "demo0003-tanaka-mouselightsheet") == whole


def test_compressing_a_file_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "demo0001-lindqvist-mitosis"
    shutil.copytree(DEMO / folder.name, folder)
    before = fetch_all(source(tmp_path))
    for path in list(folder.iterdir()):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert fetch_all(source(tmp_path)) == before


def test_rows_put_in_do_not_rename_others(tmp_path: Path) -> None:
    before = [r.id for r in rows(table(tmp_path, "Plate,Well,X\nP,A1,a\nP,A1,b\nP,A2,c\n,,d\n"))]
    after = [
        r.id for r in rows(table(tmp_path, "Plate,Well,X\nP,B9,\nP,A1,a\nP,A1,b\nP,A2,c\n,,d"))
    ]
    base = "idr:s1-x/screenA"
    assert before[:3] == [f"{base}/P/A1", f"{base}/P/A1~2", f"{base}/P/A2"]
    assert after == [f"{base}/P/B9", *before]


def test_a_name_that_looks_like_a_repeat_stays_unique(tmp_path: Path) -> None:
    found = rows(table(tmp_path, "Plate,Well\nP,A1\nP,A1~2\nP,A1\nP,A1\nP,A1~3\n"))
    assert len({record.id for record in found}) == 5


def test_keys_without_bulkmap_are_unwrapped(tmp_path: Path) -> None:
    header = "Plate,Well,Characteristics [Cell Line],Comment [Gene Symbol],Notes,\n"
    found = rows(table(tmp_path, header + "P,A1,HeLa, ,x,y\n"))
    assert pairs(found[0]) == [
        ("Plate", "P"),
        ("Well", "A1"),
        ("Cell Line", "HeLa"),
        ("Notes", "x"),
        ("column 6", "y"),
    ]


def test_bulkmap_renames_splits_and_prefers_words_to_addresses(tmp_path: Path) -> None:
    bulkmap = """
columns:
  - {name: Antibody, clientname: Antibody Name, split: ";", include: yes}
  - group: {namespace: mapr/gene, columns: [
      {name: Gene Identifier, clientname: Gene Identifier URL, clientvalue: x},
      {name: Gene Identifier, clientname: Gene Identifier}]}
"""
    header = "Plate,Well,Antibody,Gene Identifier %% url=http://example.org/%s,Extra\n"
    found = rows(table(tmp_path, header + "P,A1,a ; b;,G1,e\n", bulkmap))
    assert pairs(found[0])[2:] == [
        ("Antibody Name", "a"),
        ("Antibody Name", "b"),
        ("Gene Identifier", "G1"),
        ("Extra", "e"),
    ]
    assert found[0].key_values[4].namespace == "mapr/gene"


def test_cells_with_line_ends_are_one_row(tmp_path: Path) -> None:
    found = rows(table(tmp_path, '\ufeffPlate,Well,Note\r\nP,A1,"two\nlines"\r\nP,A2,\r\n'))
    assert len(found) == 2
    assert ("Note", "two\nlines") in pairs(found[0])


def test_ragged_rows_are_kept_and_told(tmp_path: Path) -> None:
    folder = table(tmp_path, "Plate,Well,Note\nP,A1\nP,A2,n,more\nP,A3,n,,\n")
    assert [len(record.key_values) for record in rows(folder)] == [2, 4, 3]
    told = problems(folder)
    assert [(problem.place, problem.severity) for problem in told] == [("row 3", "warning")]


def test_study_text_without_tables_gives_its_containers(tmp_path: Path) -> None:
    write(tmp_path, "s1-x/s1-study.txt", STUDY)
    assert [record.id for record in records(tmp_path)] == ["idr:s1-x", "idr:s1-x/screenA"]


def test_table_without_study_text_gives_its_containers(tmp_path: Path) -> None:
    write(tmp_path, "s1-x/experimentB/s1-annotation.csv", "Dataset Name,Image Name\nD,I\n")
    ids = [record.id for record in records(tmp_path)]
    assert ids == ["idr:s1-x", "idr:s1-x/experimentB", "idr:s1-x/experimentB/D/I"]


def test_several_organisms_and_terms_in_one_cell(tmp_path: Path) -> None:
    header = (
        "Plate,Well,Characteristics [Organism 1],Term Source 1 REF,Term Source 1 Accession,"
        "Characteristics [Organism 2],Term Source 2 REF,Term Source 2 Accession,"
        "Characteristics [Strain],Term Source 3 REF,Term Source 3 Accession\n"
    )
    row = "P,A1,Homo sapiens,NCBI Taxonomy,9606,Virus,,NCBITaxon_10515,s,EFO,EFO_1;EFO_2\n"
    found = rows(table(tmp_path, header + row))[0]
    assert [(a.field, a.term) for a in found.annotations] == [
        ("organism", "NCBITaxon:9606"),
        ("organism", "NCBITaxon:10515"),
        ("term", "EFO:0000001"),
        ("term", "EFO:0000002"),
    ]


def test_missing_folder_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        fetch_all(source(tmp_path / "nowhere"))
    assert caught.value.hint


def test_items_hold_nothing_but_what_the_files_say() -> None:
    items = raw_items(fetch_all(source(DEMO)))
    assert [item.key for item in items[:3]] == [
        "demo0001-lindqvist-mitosis",
        "demo0001-lindqvist-mitosis/demo0001-screenA-annotation.csv#0000",
        "demo0002-okafor-fissionshape",
    ]
    assert all(isinstance(item, RawItem) and item.cursor == item.key for item in items)
