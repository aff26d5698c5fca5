"""The contract of annotators; subclass it and give a fixture ``make`` that takes a term store."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from parfocal.fields import field_named, field_of_key
from parfocal.identifiers import Curie, record_id
from parfocal.interfaces import Annotator
from parfocal.knowledge import Knowledge
from parfocal.model import Annotation, Image, KeyValue, Provenance
from parfocal.terms import MemoryTermStore
from parfocal.testing.terms import TAXA, term

Make = Callable[[Knowledge], Annotator]
TERMS = (
    *TAXA,
    term("CLO:1", "HeLa cell", synonyms=(("EXACT", "HeLa"),)),
    term("CMPO:1", "elongated cell phenotype"),
    term("CMPO:2", "obsolete long cell", obsolete=True, replaced_by=("CMPO:1",)),
)


def well(*pairs: tuple[str, str], annotations: tuple[Annotation, ...] = ()) -> Image:
    """Make a well with key-values."""
    return Image(
        id=record_id("s", "plate/A1"),
        ome_type="Well",
        provenance=Provenance("s", "plate/A1"),
        key_values=tuple(KeyValue(key, value) for key, value in pairs),
        annotations=annotations,
    )


class AnnotatorContract:
    """What every annotator does with the texts of a record."""

    @pytest.fixture
    def make(self) -> Make:
        raise NotImplementedError

    @pytest.fixture
    def annotator(self, make: Make) -> Annotator:
        return make(Knowledge(MemoryTermStore(TERMS)))

    def test_record_without_texts_gets_no_claim(self, annotator: Annotator) -> None:
        assert annotator.annotate(well()) == ()

    def test_claims_carry_evidence(self, annotator: Annotator) -> None:
        pairs = (("Organism", "Homo sapiens"), ("Cell Line", "HeLa"), ("Strange", "Homo sapiens"))
        claims = tuple(annotator.annotate(well(*pairs)))
        assert {(claim.field, claim.term) for claim in claims} == {
            ("organism", "NCBITaxon:9606"),
            ("cell_line", "CLO:1"),
        }
        for claim in claims:
            assert (claim.key, claim.text) in pairs
            assert claim.by
            assert claim.label
            assert 0 < claim.score <= 1
            assert claim.method not in ("", "curated", "doubted")
            assert field_named(claim.field) is not None
            assert field_of_key(claim.key) == field_named(claim.field)

    def test_is_pure(self, annotator: Annotator) -> None:
        record = well(("Organism", "mouse"), ("Phenotype", "Elongated cell phenotype"))
        before = msgspec.json.encode(record)
        assert tuple(annotator.annotate(record)) == tuple(annotator.annotate(record))
        assert msgspec.json.encode(record) == before

    def test_yields_nothing_that_the_record_carries(self, annotator: Annotator) -> None:
        record = well(("Organism", "Homo sapiens"), ("Cell Line", "HeLa"))
        again = msgspec.structs.replace(record, annotations=annotator.annotate(record))
        assert annotator.annotate(again) is again.annotations

    def test_leaves_a_curated_text_alone(self, annotator: Annotator) -> None:
        curated = _claim("organism", "Homo sapiens", "NCBITaxon:9606", "curated", 1.0)
        record = well(("Organism", "Homo sapiens"), annotations=(curated,))
        assert annotator.annotate(record) == (curated,)

    def test_claims_beside_a_doubted_one(self, annotator: Annotator) -> None:
        doubted = _claim("organism", "Homo sapiens", "NCBITaxon:9607", "doubted", 0.1)
        record = well(("Organism", "Homo sapiens"), annotations=(doubted,))
        first, second = annotator.annotate(record)
        assert (first, second.term) == (doubted, "NCBITaxon:9606")

    def test_obsolete_name_means_the_replacement(self, annotator: Annotator) -> None:
        claims = tuple(annotator.annotate(well(("Phenotype", "long cell"))))
        assert [(claim.term, claim.label) for claim in claims] == [
            ("CMPO:1", "elongated cell phenotype")
        ]

    def test_strange_texts_do_no_harm(self, annotator: Annotator) -> None:
        texts = ("", " ", "\x00", "x" * 100_000, "%_'\"\\", "🔬", "ß" * 50, "NCBITaxon:")
        record = well(*(("Organism", text) for text in texts), ("", "human"), ("\ud800", "x"))
        assert tuple(annotator.annotate(record)) == ()


def _claim(field: str, text: str, curie: str, method: str, score: float) -> Annotation:
    return Annotation(field, text, Curie(curie), "", method, score, "curator")
