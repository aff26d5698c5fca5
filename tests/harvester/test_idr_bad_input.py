"""Files that cannot be read become problems with file, place, reason and hint; the walk goes on."""

from __future__ import annotations

import gzip
import os
import random
import time
from pathlib import Path

import pytest

from harvester.sources.idr_studies import IdrStudies
from parfocal.testing.sources import Fetched, fetch_all, normalise_all
from parfocal.values import Problem

GOOD = "Plate,Well\nP,A1\n"
NAME = "s1-x/s1-screenA-annotation.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s1-x").mkdir()
    (tmp_path / "s9-good").mkdir()
    (tmp_path / "s1-x" / "s1-study.txt").write_text("Study Title\tT\n")
    (tmp_path / "s9-good" / "s9-screenA-annotation.csv").write_text(GOOD)
    return tmp_path


def walk(folder: Path) -> tuple[list[Problem], list[Fetched], list[str]]:
    source = IdrStudies("idr", IdrStudies.Options(path=folder))
    found = fetch_all(source)
    ids = [str(record.id) for record in normalise_all(source, found)]
    return [one for one in found if isinstance(one, Problem)], found, ids


def only_problem(folder: Path) -> Problem:
    problems, _, ids = walk(folder)
    assert "idr:s9-good/screenA/P/A1" in ids, "the walk must go on"
    assert len(problems) == 1
    return problems[0]


@pytest.mark.parametrize(
    ("content", "reason", "place"),
    [
        (b"", "empty", ""),
        (b"Plate,Well\nP,A\x00\n", "NUL", "line 2"),
        (b"a," * 1_000_000, "1000001 columns", "row 1"),
        (b"Plate,Well\n" + b"x," * 20_000, "20001 columns", "row 2"),
        (b'Plate,Well\nP,"' + b"x" * 200_000, "CSV", "row 2"),
    ],
    ids=["empty", "nul", "wide header", "wide row", "endless cell"],
)
def test_unreadable_table(folder: Path, content: bytes, reason: str, place: str) -> None:
    (folder / NAME).write_bytes(content)
    problem = only_problem(folder)
    assert problem.item == NAME
    assert problem.severity == "error"
    assert reason in problem.reason
    assert problem.place == place
    assert problem.hint


def test_gzip_cut_short(folder: Path) -> None:
    whole = gzip.compress(random.Random(1).randbytes(5000))
    (folder / f"{NAME}.gz").write_bytes(whole[:3000])
    problem = only_problem(folder)
    assert (problem.item, problem.severity) == (NAME, "error")
    assert "gzip" in problem.reason


def test_gzip_that_is_none(folder: Path) -> None:
    (folder / f"{NAME}.gz").write_text(GOOD)
    assert "gzip" in only_problem(folder).reason


def test_gzip_bomb(folder: Path) -> None:
    (folder / "s1-x" / "s1-study.txt").unlink()
    (folder / "s1-x" / "s1-study.txt.gz").write_bytes(gzip.compress(b"\n" * 50_000_000))
    started = time.monotonic()
    problem = only_problem(folder)
    assert "larger than 8 MB" in problem.reason
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("columns: [", "YAML"),
        ("just text", "columns"),
        ("a: &a [1,1]\nb: &b [*a,*a]\ncolumns: [*b,*b]", "aliases"),
        ("[" * 100_000, "nested"),
        ("- " * 100_000 + "x", "nested"),
        ("\x01: 2", "YAML"),
    ],
    ids=["cut short", "text", "aliases", "deep flow", "deep block", "control"],
)
def test_bad_bulkmap_keeps_the_rows(folder: Path, content: str, reason: str) -> None:
    (folder / NAME).write_text(GOOD)
    (folder / "s1-x" / "s1-screenA-bulkmap-config.yml").write_text(content)
    problems, _, ids = walk(folder)
    assert "idr:s1-x/screenA/P/A1" in ids
    assert [problem.item for problem in problems] == ["s1-x/s1-screenA-bulkmap-config.yml"]
    assert reason in problems[0].reason


def test_bulkmap_makes_no_objects(folder: Path, tmp_path: Path) -> None:
    (folder / NAME).write_text(GOOD)
    text = f"columns: !!python/object/apply:os.mkdir ['{tmp_path}/made']"
    (folder / "s1-x" / "s1-screenA-bulkmap-config.yml").write_text(text)
    _, _, ids = walk(folder)
    assert "idr:s1-x/screenA/P/A1" in ids
    assert not (tmp_path / "made").exists()


def test_links_out_of_the_tree(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret-annotation.csv").write_text(GOOD)
    (folder / NAME).symlink_to(outside / "secret-annotation.csv")
    (folder / "s2-linked").symlink_to(outside)
    problems, _, ids = walk(folder)
    assert sorted(problem.item for problem in problems) == [NAME, "s2-linked"]
    assert all("out of the folder" in problem.reason for problem in problems)
    assert not any("secret" in identifier or "s2" in identifier for identifier in ids)


def test_link_within_the_tree_is_followed(folder: Path) -> None:
    (folder / NAME).symlink_to(folder / "s9-good" / "s9-screenA-annotation.csv")
    problems, _, ids = walk(folder)
    assert problems == []
    assert "idr:s1-x/screenA/P/A1" in ids


def test_link_in_a_circle(folder: Path) -> None:
    (folder / NAME).symlink_to(folder / NAME)
    assert "cannot be followed" in only_problem(folder).reason


def test_pipe_does_not_block(folder: Path) -> None:
    os.mkfifo(folder / NAME)
    assert "pipe" in only_problem(folder).reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission(folder: Path) -> None:
    (folder / NAME).write_text(GOOD)
    (folder / NAME).chmod(0)
    assert "cannot be read" in only_problem(folder).reason


@pytest.mark.parametrize(
    "text",
    ["Screen Number\t1\n" * 100_000, "Study Type Term Accession\t1\n" * 100_000],
    ids=["sections", "rows"],
)
def test_endless_study_file(folder: Path, text: str) -> None:
    (folder / "s1-x" / "s1-study.txt").write_text(text)
    source = IdrStudies("idr", IdrStudies.Options(path=folder))
    started = time.monotonic()
    found = [one for item in fetch_all(source)[:1] for one in source.normalise(item)]  # type: ignore[arg-type]
    assert isinstance(found[0], Problem)
    assert len(found) == 2, "the study itself still stands"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("line", ["a\n", "a\t\n", "\t\n", "\t"])
def test_endless_cell_of_a_study_file(folder: Path, line: str) -> None:
    (folder / "s1-x" / "s1-study.txt").write_text("Study Title\tT\n" + line * 500_000)
    started = time.monotonic()
    _, _, ids = walk(folder)
    assert "idr:s1-x" in ids
    assert time.monotonic() - started < 10


def test_wrong_orcid_is_told(folder: Path) -> None:
    text = "Study Person Last Name\tA\nStudy Person ORCID\t0000-0002-1825-0098\n"
    (folder / "s1-x" / "s1-study.txt").write_text(text)
    source = IdrStudies("idr", IdrStudies.Options(path=folder))
    found = [one for item in fetch_all(source)[:1] for one in source.normalise(item)]  # type: ignore[arg-type]
    assert isinstance(found[0], Problem)
    assert (found[0].severity, found[0].place) == ("warning", "Study Person ORCID, column 1")


def test_random_damage_never_raises(folder: Path) -> None:
    random_ = random.Random(5)
    study = b'Study Title\tT\nScreen Number\t1\n"Screen Description"\t"a\nb"\n# x\n' * 3
    good = b'Plate,Well,Characteristics [Organism],Term Source 1 Accession\nP,"A,1",h,9606\n' * 5
    for _ in range(150):
        for name, content in (("s1-x/s1-study.txt", study), (NAME, good)):
            damaged = bytearray(content)
            for _ in range(random_.randrange(1, 8)):
                damaged[random_.randrange(len(damaged))] = random_.randrange(256)
            (folder / name).write_bytes(damaged[: random_.randrange(len(damaged))])
        _, _, ids = walk(folder)
        assert "idr:s9-good/screenA/P/A1" in ids
        assert len(set(ids)) == len(ids)
