"""MetaXpress and ImageXpress plates: descriptions, names of files, the records of their fields."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.formats import metaseries
from harvester.formats.htd import Htd, read_htd
from harvester.formats.jdce import read_jdce, read_table
from harvester.formats.plate_files import read_name
from harvester.sources.local import LocalFiles
from parfocal.errors import SourceMalformed
from parfocal.model import Dataset, Image, KeyValue
from parfocal.testing.sources import SourceContract
from tests.fakes.lab_disk import (
    harvest,
    htd,
    jdce,
    local,
    tiff,
    write,
    write_acquisition,
    write_plate,
)
from tests.fakes.lab_disk import (
    metaseries as described,
)


class TestPlatesAsSource(SourceContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> LocalFiles:
        write_plate(tmp_path / "screen" / "p1", times=2, z_steps=2)
        write_plate(tmp_path / "screen" / "p2", "P2", guid=True)
        write_acquisition(tmp_path / "other" / "run")
        write(tmp_path / "other" / "loose.tif", tiff(8, described(), "MetaSeries"))
        return local(tmp_path)

    @pytest.fixture
    def name(self) -> str:
        return "lab"

    @pytest.fixture
    def broken(self, tmp_path: Path) -> LocalFiles:
        write_plate(tmp_path / "screen" / "p1")
        write(tmp_path / "screen" / "p1" / "P1_A01_s1_w1.tif", b"II*\0\xff\xff")
        write(tmp_path / "screen" / "p2" / "P2.HTD", "rubbish")
        write(tmp_path / "screen" / "p3" / "R.jdce", "{")
        return local(tmp_path)


# ------------------------------------------------------------------ HTD


def test_htd_tells_wells_sites_and_waves() -> None:
    found = read_htd(htd(("A02", "B03"), sites=(2, 2), waves=2).encode("latin-1"))
    assert found.wells == ("A02", "B03")
    assert found.sites == (1, 2, 3, 4)
    assert found.waves == ("wave 1", "wave 2")
    assert found.description == "fixed, stained\u201a"
    assert found.warnings == ()


@pytest.mark.parametrize("selection", [True, False])
def test_htd_without_sites_is_one_field_whatever_its_grid(selection: bool) -> None:
    found = read_htd(htd(sites=None, selection=selection).encode("latin-1"))
    assert found.sites == ()


def test_htd_without_site_selection_takes_every_site() -> None:
    assert read_htd(htd(sites=(3, 1), selection=False).encode("latin-1")).sites == (1, 2, 3)


def test_htd_with_sites_left_out_knows_both_ways_to_count() -> None:
    text = htd(sites=(3, 1)).replace(
        '"SiteSelection1", TRUE, TRUE', '"SiteSelection1", TRUE, FALSE'
    )
    found = read_htd(text.encode("latin-1"))
    assert (found.sites, found.grid) == ((1, 2), (1, 3))


def test_htd_that_is_cut_off_is_told() -> None:
    text = htd().replace('"EndFile"', "").encode("latin-1")
    assert ["cut off" in warning for warning in read_htd(text).warnings] == [True]


@pytest.mark.parametrize(
    "text", ["", "rubbish", '"Key", 1', '"HTSInfoFile"\n"XWells", 100000\n"YWells", 8'],
)  # fmt: skip
def test_what_is_no_htd_is_malformed(text: str) -> None:
    with pytest.raises(SourceMalformed):
        read_htd(text.encode())


_VALUES = st.one_of(
    st.sampled_from(["TRUE", "FALSE", "TRUE, FALSE, TRUE", '"words, more"', "-1", "1e99", "3", ""]),
    st.text(max_size=20),
)
_KEYS = st.sampled_from(
    ["XWells", "YWells", "WellsSelection1", "Sites", "XSites", "YSites", "SiteSelection1",
     "NWavelengths", "WaveName1", "WaveCollect1", "TimePoints", "ZSteps", "ZSeries", "Description",
     "EndFile", "Unknown"]
)  # fmt: skip


@given(st.lists(st.tuples(_KEYS, _VALUES), max_size=20))
def test_any_htd_is_read_or_malformed(lines: list[tuple[str, str]]) -> None:
    text = '"HTSInfoFile", Version 1.0\n' + "".join(f'"{key}", {value}\n' for key, value in lines)
    try:
        found = read_htd(text.encode("utf-8", "replace"))
    except SourceMalformed:
        return
    assert isinstance(found, Htd)
    assert found.waves
    assert len(found.wells) <= 64 * 96


@given(st.binary(max_size=300))
def test_any_bytes_as_a_description_do_no_harm(content: bytes) -> None:
    for read in (read_htd, read_jdce, read_table):
        with suppress(SourceMalformed):
            read(content)


@given(
    wells=st.sets(st.sampled_from(["A01", "A02", "A03", "B01", "B02", "B03"]), min_size=1),
    across=st.integers(1, 5), down=st.integers(1, 5), waves=st.integers(1, 9),
    times=st.integers(1, 99),
)  # fmt: skip
def test_htd_there_and_back(
    wells: set[str], across: int, down: int, waves: int, times: int
) -> None:
    found = read_htd(htd(wells, sites=(across, down), waves=waves, times=times).encode("latin-1"))
    assert set(found.wells) == wells
    assert found.sites == tuple(range(1, across * down + 1))
    assert (len(found.waves), found.times) == (waves, times)


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("P_B02.TIF", ("P", "B02", 0, 0, 0)),
        ("P 1_x_b2_s12_w3.tif", ("P 1_x", "B02", 12, 3, 0)),
        ("P_B02_s117654C10-92F1-4DFD-98AA-6A01BBD77557.tif", ("P", "B02", 1, 0, 0)),
        ("P_AA24_w212345678-92F1-4DFD-98AA-6A01BBD77557.tif", ("P", "AA24", 0, 2, 0)),
        ("Run_t3_B02_s0_w1_z7.tif", ("Run", "B02", 0, 1, 7)),
    ],
)
def test_names_of_files(base: str, expected: tuple[str, str, int, int, int]) -> None:
    name = read_name(base)
    assert name is not None
    assert (name.plate, name.well, name.site, name.wave, name.z) == expected


@pytest.mark.parametrize("base", ["P.tif", "P_B02.png", "B02.tif", "P_B02_s1_w1_extra.tif", ""])
def test_names_of_other_files(base: str) -> None:
    assert read_name(base) is None


@given(st.text(max_size=60))
def test_any_name_is_read_quickly(base: str) -> None:
    read_name(f"{base}.tif")


# ------------------------------------------------------------------ MetaSeries


def test_tags_of_a_plane() -> None:
    plane = metaseries.read_plane(described("C04", 3, nm="461.0", second=7).encode())
    facts = metaseries.facts_of(plane)
    assert (facts.date, facts.well, facts.description) == ("2024-03-11", "C04", "Fixed cells")
    assert facts.pixel_size_x is not None
    assert (facts.pixel_size_x.value, facts.pixel_size_x.unit) == (0.65, "\u00b5m")
    assert facts.objective is not None
    assert (facts.objective.magnification, facts.objective.numerical_aperture) == (20.0, 0.75)
    assert facts.channels[0].emission is not None
    assert facts.channels[0].emission.value == 461.0
    assert facts.position is not None
    assert facts.position.x is not None
    assert facts.position.x.value == 10_000.0
    pairs = metaseries.pairs_of(plane)
    assert KeyValue("Exposure", "10 ms") in pairs
    assert KeyValue("Note", "high & low") in pairs
    assert KeyValue("Acquired from", "Example Camera") in pairs
    assert not any(pair.key == "stage-label" for pair in pairs)


def test_a_description_without_line_breaks_is_split_before_its_keys() -> None:
    text = '<MetaData><prop id="Description" type="string" value="Exposure: 5 ms Binning: 1 X 1"/>'
    pairs = metaseries.pairs_of(metaseries.read_plane(text.encode()))
    assert pairs == (KeyValue("Exposure", "5 ms"), KeyValue("Binning", "1 X 1"))


def test_an_uncalibrated_plane_has_no_pixel_size() -> None:
    text = described().replace('type="bool" value="on"', 'type="bool" value="off"')
    assert metaseries.facts_of(metaseries.read_plane(text.encode())).pixel_size_x is None


@given(st.binary(max_size=400))
def test_any_text_is_read_as_a_plane(content: bytes) -> None:
    plane = metaseries.read_plane(b'<MetaData><prop id="a" value="b"/>' + content)
    metaseries.facts_of(plane)
    metaseries.pairs_of(plane)


def test_a_plane_without_a_plate_is_an_image_with_its_tags(tmp_path: Path) -> None:
    write(tmp_path / "s" / "a.tif", tiff(8, described("D05"), "MetaSeries"))
    image = harvest(tmp_path)[0]["lab:s/a.tif"]
    assert isinstance(image, Image)
    assert (image.well, image.size_x, image.channels[0].name) == ("D05", 8, "DAPI")
    assert KeyValue("Laser focus score", "10") in image.key_values


# ------------------------------------------------------------------ plates


@pytest.mark.parametrize("guid", [False, True])
@pytest.mark.parametrize("suffix", [".tif", ".TIF"])
def test_a_plate_and_its_fields(tmp_path: Path, guid: bool, suffix: str) -> None:
    write_plate(tmp_path / "screen" / "p1", guid=guid, suffix=suffix)
    records, problems = harvest(tmp_path)
    assert problems == []
    plate = records["lab:screen/p1/P1.HTD"]
    assert isinstance(plate, Dataset)
    assert (plate.ome_type, plate.title, plate.part_of) == ("Plate", "P1", "lab:screen")
    fields = [record for record in records.values() if isinstance(record, Image)]
    assert {(f.well, f.id.rpartition("_s")[2]) for f in fields} == {
        ("A01", "1"), ("A01", "2"), ("B02", "1"), ("B02", "2")
    }  # fmt: skip
    field = records["lab:screen/p1/P1.HTD#B02_s2"]
    assert isinstance(field, Image)
    assert (field.part_of, field.plate, field.title) == (plate.id, "P1", "P1 B02 site 2")
    assert (field.size_x, field.size_y, field.size_c, field.size_z, field.size_t) == (
        16,
        4,
        2,
        1,
        1,
    )
    assert [(c.name, c.emission and c.emission.value) for c in field.channels] == [
        ("wave 1", 452.0), ("wave 2", 536.0)
    ]  # fmt: skip
    assert field.date == "2024-03-11"
    assert KeyValue("Exposure", "20 ms", "wave 2") in field.key_values
    assert KeyValue("Binning", "2 x 2") in field.key_values
    assert KeyValue("Acquired from", "Example Camera") in plate.key_values
    assert (tmp_path / field.location).is_file()


def test_times_and_planes_are_counted_and_their_steps_told(tmp_path: Path) -> None:
    write_plate(tmp_path / "screen" / "p1", times=3, z_steps=4)
    records, problems = harvest(tmp_path)
    assert problems == []
    field = records["lab:screen/p1/P1.HTD#A01_s1"]
    assert isinstance(field, Image)
    assert (field.size_z, field.size_t, field.size_c) == (4, 3, 2)
    assert field.pixel_size_z is not None
    assert field.pixel_size_z.value == 2.5
    assert field.time_increment is not None
    assert (field.time_increment.value, field.time_increment.unit) == (10.0, "s")
    assert len([r for r in records.values() if isinstance(r, Image)]) == 4


def test_projections_are_counted_beside_the_planes(tmp_path: Path) -> None:
    write_plate(tmp_path / "s" / "p1", z_steps=2)
    for n, well in enumerate(("A01_s1_w1", "A01_s1_w2")):
        write(
            tmp_path / "s" / "p1" / "TimePoint_1" / "ZStep_0" / f"P1_{well}.tif",
            tiff(16, described(second=n), "MetaSeries"),
        )
    records, problems = harvest(tmp_path)
    assert problems == []
    field = records["lab:s/p1/P1.HTD#A01_s1"]
    assert isinstance(field, Image)
    assert field.size_z == 2
    assert KeyValue("Projections", "2") in records["lab:s/p1/P1.HTD"].key_values


def test_missing_and_extra_files_are_told_once(tmp_path: Path) -> None:
    write_plate(tmp_path / "s" / "p1")
    for name in ("P1_B02_s1_w1.tif", "P1_B02_s1_w2.tif", "P1_B02_s2_w1.tif"):
        (tmp_path / "s" / "p1" / name).unlink()
    write(tmp_path / "s" / "p1" / "P1_A03_s1_w1.tif", tiff(16, described(), "MetaSeries"))
    records, problems = harvest(tmp_path)
    assert [(p.item, p.severity) for p in problems] == [("s/p1/P1.HTD", "warning")] * 2
    assert "3 files of the plate are missing: B02_s1_w1, B02_s1_w2, B02_s2_w1" in problems[0].reason
    assert "P1_A03_s1_w1.tif" in problems[1].reason
    assert "lab:s/p1/P1.HTD#B02_s1" not in records
    assert "lab:s/p1/P1.HTD#A03_s1" in records


def test_a_damaged_file_is_an_error_and_its_field_is_kept(tmp_path: Path) -> None:
    write_plate(tmp_path / "s" / "p1")
    write(tmp_path / "s" / "p1" / "P1_A01_s1_w1.tif", b"II*\0\xff\xff")
    records, problems = harvest(tmp_path)
    assert [(p.item, p.severity) for p in problems] == [("s/p1/P1_A01_s1_w1.tif", "error")]
    field = records["lab:s/p1/P1.HTD#A01_s1"]
    assert isinstance(field, Image)
    assert [channel.name for channel in field.channels] == ["wave 1", "wave 2"]
    assert field.size_x == 16


def test_other_images_beside_a_plate_are_images(tmp_path: Path) -> None:
    write_plate(tmp_path / "s" / "p1")
    write(tmp_path / "s" / "p1" / "overview.tif", tiff())
    write(tmp_path / "s" / "p1" / "notes" / "sketch.tif", tiff())
    records, problems = harvest(tmp_path)
    assert problems == []
    assert {"lab:s/p1/overview.tif", "lab:s/p1/notes/sketch.tif", "lab:s/p1"} <= set(records)
    assert not any("thumb" in identifier for identifier in records)


def test_a_plate_in_the_root_and_two_plates_in_a_folder(tmp_path: Path) -> None:
    write_plate(tmp_path, "P1")
    write_plate(tmp_path, "P2")
    records, problems = harvest(tmp_path)
    assert problems == []
    assert records["lab:P1.HTD"].part_of == records["lab:P2.HTD"].part_of == f"lab:{tmp_path.name}"
    assert sum(1 for record in records.values() if isinstance(record, Image)) == 8


def test_a_plate_without_its_description_is_known_by_names_with_guid(tmp_path: Path) -> None:
    write_plate(tmp_path / "s" / "p1", guid=True)
    (tmp_path / "s" / "p1" / "P1.HTD").unlink()
    records, problems = harvest(tmp_path)
    assert problems == []
    assert records["lab:s/p1#P1"].ome_type == "Plate"
    field = records["lab:s/p1#P1#A01_s1"]
    assert isinstance(field, Image)
    assert [channel.name for channel in field.channels] == ["DAPI", "FITC"]


def test_sidecars_speak_of_plates(tmp_path: Path) -> None:
    write_plate(tmp_path / "s" / "p1")
    write(tmp_path / "s" / "parfocal.csv", "file,Compound\np1/P1_B02*,taxol\np1/P1.HTD,none\n")
    records, _ = harvest(tmp_path)
    assert KeyValue("Compound", "taxol") in records["lab:s/p1/P1.HTD#B02_s1"].key_values
    assert KeyValue("Compound", "taxol") not in records["lab:s/p1/P1.HTD#A01_s1"].key_values
    assert KeyValue("Compound", "none") in records["lab:s/p1/P1.HTD"].key_values


# ------------------------------------------------------------------ ImageXpress


@pytest.mark.parametrize("table", [True, False])
def test_an_acquisition_and_its_fields(tmp_path: Path, table: bool) -> None:
    write_acquisition(tmp_path / "s" / "run", table=table)
    records, problems = harvest(tmp_path)
    assert [p.severity for p in problems] == ([] if table else ["warning"])
    plate = records["lab:s/run/Run.jdce"]
    assert (plate.ome_type, plate.title) == ("Plate", "Run")
    assert KeyValue("Operator.Login", "somebody") in plate.key_values
    assert KeyValue("Plate.Name", "Example 96 Well") in plate.key_values
    fields = [record for record in records.values() if isinstance(record, Image)]
    assert len(fields) == 4
    field = records["lab:s/run/Run.jdce#B03_s1"]
    assert isinstance(field, Image)
    assert (field.size_c, field.size_z, field.size_t) == (2, 3, 2)
    assert [channel.name for channel in field.channels] == ["TL", "FITC"]
    assert field.pixel_size_x is not None
    assert field.pixel_size_x.value == 0.58
    assert field.pixel_size_z is not None
    assert field.pixel_size_z.value == 3.0
    assert field.objective is not None
    assert field.objective.magnification == 10.0
    assert field.date == "2026-02-03"
    if table:
        assert field.time_increment is not None
        assert field.time_increment.value == 600.0
        assert field.position is not None
        assert field.position.x is not None
        assert field.position.x.value == 1001.0
        assert KeyValue("ExposureTimeMs", "20", "FITC") in field.key_values


def test_missing_and_extra_files_of_an_acquisition_are_told(tmp_path: Path) -> None:
    write_acquisition(tmp_path / "s" / "run")
    (tmp_path / "s/run/timepoint0/Run_t0_B02_s0_w0_z0.tif").unlink()
    write(tmp_path / "s/run/timepoint0/Run_t0_C02_s0_w0_z0.tif", tiff())
    _, problems = harvest(tmp_path)
    assert ["1 files" in problem.reason for problem in problems] == [True, True]


def test_bad_lines_of_a_table_are_told(tmp_path: Path) -> None:
    write_acquisition(tmp_path / "s" / "run")
    path = tmp_path / "s/run/image_metadata_1.csv"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace("timepoint0", "../../secret")
    lines[2] = "too,short"
    path.write_text("\n".join(lines))
    _, problems = harvest(tmp_path)
    places = [problem.place for problem in problems if problem.severity == "error"]
    assert places == ["line 2", "line 3"]


def test_a_table_named_outside_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "secret.csv", "Well\n")
    write(tmp_path / "root" / "s" / "Run.jdce", jdce(("../../secret.csv",)))
    _, problems = harvest(tmp_path / "root")
    assert ["is not there" in problem.reason for problem in problems] == [True]


@pytest.mark.corpus
def test_real_plates(corpus: Path) -> None:
    records, problems = harvest(corpus / "ome" / "metaxpress")
    assert [p.item for p in problems] == ["ImageXpress_exported/9987_Plate_3434/9987.HTD"]
    assert "16 files of the plate are missing" in problems[0].reason
    fields = {r.id.rpartition("#")[2]: r for r in records.values() if isinstance(r, Image)}
    assert set(fields) == {"B02", "E07_s1", "E07_s2", "E08_s1", "E08_s2"}
    field = fields["E07_s1"]
    assert (field.well, field.plate, field.size_z, field.size_x) == (
        "E07",
        "Projection-Mix",
        2,
        512,
    )
    assert field.pixel_size_x is not None
    assert field.pixel_size_x.value == 1.3668
    assert field.date == "2023-02-21"
    assert fields["B02"].channels[0].name == "DAPI"
    assert fields["B02"].objective is not None
    assert fields["B02"].objective.numerical_aperture == 0.95
