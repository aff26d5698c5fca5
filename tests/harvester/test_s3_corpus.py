"""The source ``s3`` over real OME-Zarr trees, OME-TIFF and lists."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from harvester.s3.zarr_list import read_list, split_address
from harvester.sources.local import LocalFiles
from parfocal.model import Dataset, Image, Record
from parfocal.testing.loopback import serve
from parfocal.testing.sources import fetch_all, normalise_all
from parfocal.values import Problem
from tests.fakes.s3 import FakeS3
from tests.harvester.test_s3 import source_of

pytestmark = pytest.mark.corpus
TREES = (
    "ngff-challenge/zarr",
    "ngff-spec/tests/zarr",
    "ngff-spec/examples",
    "bioio-zarr",
    "ome-types",
    "bia",
)


def facts(records: list[Record], where: str) -> dict[str, tuple[Any, ...]]:
    """What records of OME-Zarr and OME files say of themselves, by their path below a folder."""
    found: dict[str, tuple[Any, ...]] = {}
    for r in records:
        native = r.provenance.native_id
        if native.startswith(where) and (isinstance(r, Image) or r.ome_type == "Plate"):
            own: tuple[Any, ...] = (r.ome_type, r.title, r.description, r.key_values, r.annotations)
            if isinstance(r, Image):
                own += (r.size_x, r.size_y, r.size_z, r.size_c, r.size_t, r.pixel_type)
                own += (r.channels, r.pixel_size_x, r.pixel_size_z, r.well, r.plate, r.labels)
                own += (r.dimension_order, r.format)
            found[native] = own
    return found


@pytest.mark.parametrize("tree", TREES)
def test_a_real_tree_reads_from_a_bucket_as_from_disk(corpus: Path, tree: str) -> None:
    root = corpus / "ome" / tree
    bucket = FakeS3(most_keys=7)
    for file in sorted(root.rglob("*")):
        if file.is_file():
            bucket.put(f"{root.name}/{file.relative_to(root)}", file.read_bytes())
    with serve(bucket) as server:
        source = source_of(server, timeout=20, concurrency=8, prefixes=[root.name])
        remote = fetch_all(source)
        records = normalise_all(source, remote)
        ranged = [a.path for a in server.asked if a.method == "GET" and a.headers.get("range")]
        whole = [a.path for a in server.asked if a.method == "GET" and "range" not in a.headers]
    disk = LocalFiles("s3", LocalFiles.Options(path=root))
    local = normalise_all(disk, fetch_all(disk))
    expected = {f"{root.name}/{path}": said for path, said in facts(local, "").items()}
    suffixes = (".h5", ".czi", ".nd2", ".lif")
    expected = {path: said for path, said in expected.items() if not path.endswith(suffixes)}
    assert facts(records, root.name) == expected
    if tree not in ("bioio-zarr", "ngff-spec/examples"):
        assert expected, "the tree holds images"
    assert not [path for path in whole if path.lower().endswith((".tif", ".tiff"))]
    assert len(ranged) > 0 or not list(root.rglob("*.tif*"))


def test_every_list_of_the_challenge_is_read(corpus: Path) -> None:
    files = sorted((corpus / "ome" / "ngff-challenge").glob("*.csv"))
    files.append(corpus / "ome" / "idr-ngff-samples" / "table.csv")
    assert len(files) > 15
    for file in files:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            held = [line for line in csv.reader(lines) if any(line)]
        rows = list(read_list(file.read_bytes(), file.name))
        plain = held[0][0].startswith("http")
        assert len(rows) == len(held) - (not plain), file.name
        for row in rows:
            root, path = split_address(row.address)
            assert (root, path.count("/") > 1) == ("https://", True), row
        if file.name == "jax_samples.csv":
            assert all(row.is_list for row in rows)


def test_rows_of_a_real_list_describe_images(corpus: Path, tmp_path: Path) -> None:
    """The list as it is; a server of our own answers for the addresses in it."""
    text = (corpus / "ome" / "ngff-challenge" / "idr0026_samples.csv").read_text()
    rows = list(read_list(text.encode(), "x"))
    bucket = FakeS3("idr")
    for row in rows[:20]:
        bucket.put_image(row.address.partition("/idr/")[2], "")
    with serve(bucket) as server:
        file = tmp_path / "idr0026_samples.csv"
        file.write_text(text.replace("https://livingobjects.ebi.ac.uk", server.url))
        source = source_of(server, bucket="", lists=[str(file)], concurrency=8, timeout=20)
        found = fetch_all(source)
        records = normalise_all(source, found)
    images = [r for r in records if isinstance(r, Image)]
    assert len(images) == 20
    assert len([one for one in found if isinstance(one, Problem)]) == len(rows) - 20
    assert isinstance(records[0], Dataset)
    assert records[0].title == "idr0026_samples"
    assert {image.licence for image in images} == {"CC-BY-4.0"}
    terms = {claim.term.partition(":")[0] for image in images for claim in image.annotations}
    assert terms == {"NCBITaxon", "FBbi"}
    assert all(image.description and image.links for image in images)
