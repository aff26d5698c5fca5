import pytest
from click.testing import CliRunner

from ontology.changes import Comparison, Touched
from ontology.cli import ontology
from ontology.document import Document, Skipped
from ontology.terms import SqliteTermStore
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import OntologyInvalid
from parfocal.harvesting import harvest
from parfocal.model import Annotation, Dataset, KeyValue, Provenance
from parfocal.testing.loopback import Given, serve
from parfocal.testing.terms import term

HEADER = "format-version: 1.2\ndata-version: {version}\nontology: cmpo\n"
FIRST = (
    ("CMPO:1", "cell phenotype", ()),
    ("CMPO:2", "binucleate", ("is_a: CMPO:1", 'synonym: "two nuclei" EXACT []')),
    ("CMPO:3", "dead cells", ("is_a: CMPO:1",)),
    ("CMPO:4", "small cells", ("is_a: CMPO:1",)),
    ("CMPO:5", "big cells", ()),
)
SECOND = (
    ("CMPO:1", "cell phenotype", ()),
    ("CMPO:2", "binucleate cell", ("is_a: CMPO:1", 'synonym: "two nuclei" EXACT []')),
    ("CMPO:3", "obsolete dead cells", ("is_obsolete: true", "replaced_by: CMPO:6")),
    ("CMPO:4", "small cells", ("is_a: CMPO:1",)),
    ("CMPO:5", "big cells", ("is_a: CMPO:1",)),
    ("CMPO:6", "cell death", ("is_a: CMPO:1",)),
)


def obo(terms, version):
    frames = [
        "\n".join(("[Term]", f"id: {curie}", f"name: {name}", *more)) for curie, name, more in terms
    ]
    return "\n\n".join((HEADER.format(version=version), *frames)).encode()


class Releases:
    """A server that gives one file."""

    def __init__(self, content):
        self.content = content
        self.status = 200

    def answer(self, asked):
        return Given(self.status, self.content, "text/plain")


@pytest.fixture
def releases():
    return Releases(obo(FIRST, "2020-01-01"))


@pytest.fixture
def server(releases):
    with serve(releases) as server:
        yield server


@pytest.fixture
def lab(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name, phenotype in (("a", "dead cells"), ("b", "small cells"), ("c", "two nuclei")):
        (folder / f"{name}.ome.xml").write_text(OME.format(name=name, phenotype=phenotype))
    return folder


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Image ID="Image:0" Name="{name}"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8"
 SizeX="2" SizeY="2" SizeZ="1" SizeC="1" SizeT="1"><MetadataOnly/></Pixels>
<AnnotationRef ID="Annotation:0"/></Image>
<StructuredAnnotations><MapAnnotation ID="Annotation:0"><Value><M K="Phenotype">{phenotype}</M>
</Value></MapAnnotation></StructuredAnnotations></OME>
"""


@pytest.fixture
def settings(tmp_path, server, lab):
    return Settings(
        data_dir=tmp_path / "data",
        search={"engine": "memory"},
        graph={"engine": "memory"},
        ontology={"bundled": False, "sources": {"cmpo": server.url + "/cmpo.obo"}},
        sources=({"name": "lab", "kind": "local", "path": str(lab)},),
    )


def run(settings, *arguments):
    return CliRunner().invoke(ontology, ["update", *arguments], obj=settings)


def claims(settings):
    with Catalogue.open(settings) as catalogue:
        found = {}
        for change in catalogue.store.changes(0):
            if change.record is not None:
                for claim in change.record.annotations:
                    found[claim.text] = (claim.term, change.revision)
        return found


def test_first_update_loads_and_tells_of_new_terms(settings):
    result = run(settings)
    assert result.exit_code == 0, result.output
    assert "cmpo 2020-01-01: 5 new" in result.output


def test_update_tells_what_changes_and_touches_only_that(settings, releases):
    run(settings)
    with Catalogue.open(settings) as catalogue:
        list(harvest(catalogue))
    before = claims(settings)
    assert {text: told for text, (told, _) in before.items()} == {
        "dead cells": "CMPO:3",
        "small cells": "CMPO:4",
        "two nuclei": "CMPO:2",
    }
    releases.content = obo(SECOND, "2021-01-01")
    result = run(settings)
    assert result.exit_code == 0, result.output
    assert "cmpo 2020-01-01 -> 2021-01-01: 1 new, 1 replaced, 1 renamed, 1 moved" in result.output
    assert "replaced: CMPO:3" in result.output
    assert "by CMPO:6" in result.output
    assert "(was binucleate)" in result.output
    after = claims(settings)
    assert after["dead cells"][0] == "CMPO:6"
    assert after["small cells"] == before["small cells"]
    assert after["two nuclei"][1] > before["two nuclei"][1]
    # Nothing is left for the next harvest to make anew.
    with Catalogue.open(settings) as catalogue:
        source = settings.sources[0]
        assert catalogue.store.fingerprint("lab") == catalogue.fingerprint(source)


def test_trying_it_changes_nothing(settings, releases):
    run(settings)
    releases.content = obo(SECOND, "2021-01-01")
    result = run(settings, "--dry-run", "--json")
    assert '"renamed": 1' in result.output.replace('"renamed":1', '"renamed": 1')
    store = SqliteTermStore(settings.data_dir / "terms.sqlite")
    assert [(one.version, one.former) for one in store.ontologies()] == [("2020-01-01", "")]
    store.close()
    run(settings)
    store = SqliteTermStore(settings.data_dir / "terms.sqlite")
    assert [(one.version, one.former) for one in store.ontologies()] == [
        ("2021-01-01", "2020-01-01")
    ]
    store.close()


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (
            b"<!DOCTYPE html><html><body>Log in to the network</body></html>",
            200,
            "web page",
        ),
        (obo(SECOND, "2021")[:60], 200, "no term"),
        (b"gone", 404, "status 404"),
    ],
)
def test_last_good_version_stays_when_an_update_fails(settings, releases, content, status, reason):
    run(settings)
    releases.content, releases.status = content, status
    result = run(settings)
    assert reason in str(result.exception)
    store = SqliteTermStore(settings.data_dir / "terms.sqlite")
    assert [one.version for one in store.ontologies()] == ["2020-01-01"]
    assert store.find("dead cells")
    store.close()


def test_unknown_name_is_named(settings):
    result = run(settings, "fbbi")
    assert "no address is configured for 'fbbi'" in str(result.exception)


def test_find_tells_what_is_loaded(settings):
    run(settings)
    result = CliRunner().invoke(ontology, ["find", "two nuclei"], obj=settings)
    assert "CMPO:2" in result.output


def compared(tmp_path, first, second):
    store = SqliteTermStore(tmp_path / "t.sqlite")
    comparison = Comparison()
    store.load(Document("x", "1", "test", iter(first), Skipped()))
    store.load(Document("x", "2", "test", iter(second), Skipped()), comparison=comparison)
    store.close()
    return comparison


def record(*values, claim=""):
    claims = (Annotation("organism", "x", claim, "x", "label", 0.9, "test"),) if claim else ()
    return Dataset(
        id="s:1",
        provenance=Provenance("s", "1"),
        key_values=tuple(KeyValue("Key", value) for value in values),
        annotations=claims,
    )


def test_records_are_touched_by_claims_and_by_names_in_any_wording(tmp_path):
    first = [term("X:1", "light-sheet microscopy"), term("X:2", "Mus musculus"), term("X:3", "ER")]
    touched = Touched(compared(tmp_path, first, first[3:]))
    assert touched(record(claim="X:1"))
    assert touched(record("with Lightsheets, mostly"))
    assert touched(record("M. musculus"))
    assert touched(record("er"))
    assert not touched(record("after", "confocal microscopy", claim="X:9"))


def test_nothing_changes_when_the_same_is_loaded_again(tmp_path):
    terms = [term("X:1", "one", "X:0", synonyms=(("EXACT", "a"),), part_of=("X:2",))]
    comparison = compared(tmp_path, terms, terms)
    assert [changes.counts for changes in comparison.found] == [{}]
    assert not comparison.terms


def test_links_and_revived_terms_are_told(tmp_path):
    first = [term("X:1", "one", "X:0"), term("X:2", "two", obsolete=True)]
    second = [term("X:1", "one", part_of=("X:0",)), term("X:2", "two")]
    assert compared(tmp_path, first, second).found[0].counts == {"revived": 1, "moved": 1}


def test_file_that_was_cut_off_is_refused(tmp_path):
    terms = [term(f"X:{n}", f"name {n}", "X:0") for n in range(200)]
    store = SqliteTermStore(tmp_path / "t.sqlite")
    store.load(Document("x", "1", "test", iter(terms), Skipped()))
    half = Document("x", "2", "test", iter(terms[:100]), Skipped())
    with pytest.raises(OntologyInvalid, match=r"holds 100 terms, 200 are loaded"):
        store.load(half)
    assert [(one.version, one.terms) for one in store.ontologies()] == [("1", 200)]
    half = Document("x", "2", "test", iter(terms[:100]), Skipped())
    assert store.load(half, allow_shrink=True).terms == 100
    store.close()
