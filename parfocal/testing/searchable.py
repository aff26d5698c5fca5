"""Records and queries for the contract of search indexes; all of it is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec
from hypothesis import strategies as st

from parfocal.identifiers import Curie, RecordId, record_id
from parfocal.interfaces import SearchIndex
from parfocal.model import (
    ANONYMOUS,
    Access,
    Annotation,
    Dataset,
    Image,
    KeyValue,
    Provenance,
    Quantity,
    Record,
    Viewer,
)
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Concept,
    Everything,
    FacetRequest,
    FieldContains,
    FieldExists,
    FieldIn,
    FieldRange,
    KeyMatch,
    LiesIn,
    Match,
    Not,
    Page,
    Phrase,
    Query,
    Sort,
    Terms,
    Token,
)
from parfocal.values import Change

LAB = Viewer(groups=frozenset({"lab"}))
PRIVATE_GENE = "SECRET9"
HELD = ["st/screen/w1", "st/screen/w2", "st/screen/w3"]
"""The public images of the sample archive's screen."""
FACETS = ("organism", "gene", "container", "study", "source", "type", "phenotype")


_PUBLIC = Access()


def study(
    source: str, name: str, title: str, access: Access = _PUBLIC, date: str = "", **more: object
) -> Dataset:
    """Make a study."""
    return Dataset(
        id=record_id(source, name),
        title=title,
        ome_type="Study",
        provenance=Provenance(source, name),
        access=access,
        date=date,
        **more,  # type: ignore[arg-type]
    )


def image(source: str, name: str, title: str, *pairs: KeyValue, **more: object) -> Image:
    """Make an image."""
    return Image(
        id=record_id(source, name),
        title=title,
        provenance=Provenance(source, name),
        key_values=pairs,
        **more,  # type: ignore[arg-type]
    )


def well(source: str, name: str, title: str, *pairs: KeyValue, **more: object) -> Image:
    """Make a well."""
    return msgspec.structs.replace(image(source, name, title, *pairs, **more), ome_type="Well")


def numbered(records: Iterable[tuple[Record, tuple[Dataset, ...]]]) -> list[Change]:
    """Make the changes that bring records, with their ancestors, into an index."""
    return [
        Change(number, number, record.id, record, ancestors)
        for number, (record, ancestors) in enumerate(records, 1)
    ]


def _claim(field: str, text: str, term: str, label: str, score: float = 1.0) -> Annotation:
    return Annotation(field, text, Curie(term), label, "curated", score, "sample")


def archive() -> list[Change]:
    """Return the sample archive: a study with a screen of wells, a lone image, private records."""
    human = _claim("organism", "Homo sapiens", "NCBITaxon:9606", "human")
    st_ = study(
        "s",
        "st",
        "Spindle assembly in dividing cells",
        date="2019-05",
        key_values=(KeyValue("Organism", "Homo sapiens"),),
        annotations=(human,),
    )
    screen = Dataset(
        id=record_id("s", "st/screen"),
        title="Screen A",
        ome_type="Screen",
        part_of=st_.id,
        provenance=Provenance("s", "st/screen"),
    )
    wells = [
        well(
            "s",
            "st/screen/w1",
            "first",
            KeyValue("Gene Symbol", "CDK1"),
            KeyValue("Dose", "0,5 uM"),
            size_x=512,
            pixel_size_x=Quantity(200, "nm"),
            annotations=(_claim("organism", "9607", "NCBITaxon:9607", "", 0.2),),
        ),
        well(
            "s",
            "st/screen/w2",
            "w2",
            KeyValue("Gene Symbol", "TUB1"),
            KeyValue("Dose", "2.5 uM"),
            KeyValue("Antibody", "alpha Tubulin"),
            size_x=1024,
        ),
        well(
            "s",
            "st/screen/w3",
            "third",
            KeyValue("Gene Symbol", "CDK1"),
            KeyValue("Gene Symbol", "ABC2"),
            KeyValue("Dose", "12 uM"),
        ),
    ]
    lone = image("t", "lone", "Lone picture", size_x=2048, licence="CC0-1.0")
    hidden = well(
        "s",
        "st/screen/vault1",
        "confidential",
        KeyValue("Gene Symbol", PRIVATE_GENE),
        access=Access(("lab",)),
    )
    private = study("s", "vault", "Study of the vault", Access(("lab",)), "2022")
    inside = [(each, (screen, st_)) for each in (*wells, hidden)]
    return numbered([(st_, ()), (screen, (st_,)), *inside, (lone, ()), (private, ())])


def pages(
    index: SearchIndex, query: Query, viewer: Viewer, between: Callable[[], None] | None = None
) -> Iterator[Page]:
    """Yield all pages of a query; ``between`` is called after each."""
    while True:
        page = index.search(query, viewer)
        yield page
        if page.next is None:
            return
        if between:
            between()
        query = msgspec.structs.replace(query, after=page.next)


def hits(index: SearchIndex, query: Query, viewer: Viewer = ANONYMOUS) -> list[Match]:
    """Return the hits of all pages."""
    return [match for page in pages(index, query, viewer) for match in page.matches]


def names(index: SearchIndex, clause: Clause, viewer: Viewer = ANONYMOUS) -> list[str]:
    """Return the names of the matching records, in order of first sight."""
    found = hits(index, Query(clause, sort=Sort("id"), size=100), viewer)
    return [match.id.partition(":")[2] for match in found]


# ------------------------------------------------------------------ random worlds

_WORDS = ("cell", "Mitosis", "spindle-pole", "HeLa", "p53", "Ünïcode", "ß")
_KEYS = ("Gene Symbol", "gene  symbol", "Dose", "Organism", "a.*b", "Phenotype")
_VALUES = ("CDK1", "cdk1", "2.5 uM", "-3", "1e3", "Homo sapiens", "", "a.*b", "x" * 4100, "\x00")
_CURIES = ("X:1", "X:2", "NCBITaxon:9606")
_TITLES = st.lists(st.sampled_from(_WORDS), max_size=4).map(" ".join)
_PAIRS = st.lists(
    st.builds(KeyValue, st.sampled_from(_KEYS), st.sampled_from(_VALUES)), max_size=4
).map(tuple)
_CLAIMS = st.lists(
    st.builds(
        _claim,
        st.sampled_from(("organism", "phenotype", "term")),
        st.sampled_from(("Homo sapiens", "CDK1", "cell")),
        st.sampled_from(_CURIES),
        st.sampled_from(("Homo sapiens", "label two", "")),
        st.sampled_from((0.2, 1.0)),
    ),
    max_size=2,
).map(tuple)
_ACCESS = st.sampled_from((Access(), Access(), Access(), Access(("lab",)), Access(("x", "lab"))))
_DATES = st.sampled_from(("", "", "2019", "2020-05", "2020-05-02"))


@st.composite
def _record(draw: st.DrawFn, name: str, parent: Dataset | None, kind: str) -> Record:
    common = {
        "id": RecordId(f"s:{name}"),
        "title": draw(_TITLES),
        "part_of": parent.id if parent else None,
        "access": draw(_ACCESS),
        "provenance": Provenance("s", name),
        "key_values": draw(_PAIRS),
        "annotations": draw(_CLAIMS),
        "date": draw(_DATES),
    }
    if kind in ("Study", "Screen", "Plate"):
        return Dataset(ome_type=kind, **common)  # type: ignore[arg-type]
    size = draw(st.sampled_from((None, 1, 512, 512, 1024)))
    return Image(ome_type=kind, size_x=size, **common)  # type: ignore[arg-type]


@st.composite
def _worlds(draw: st.DrawFn) -> list[Change]:
    """Make a few studies, containers in them and in each other, images anywhere."""
    made: list[tuple[Record, tuple[Dataset, ...]]] = []
    chains: list[tuple[Dataset, ...]] = [()]
    kinds = draw(
        st.lists(st.sampled_from(("Study", "Screen", "Plate", "Image", "Well")), max_size=12)
    )
    for number, kind in enumerate(kinds):
        chain = () if kind == "Study" else draw(st.sampled_from(chains))
        record = draw(_record(f"r{number}", chain[0] if chain else None, kind))
        made.append((record, chain))
        if isinstance(record, Dataset):
            chains.append((record, *chain))
    return numbered(made)


_TEXTS = st.one_of(_TITLES, st.sampled_from(("screen", "homo sapiens", "!", "cell cell")))
_TERMS = st.lists(st.sampled_from(_CURIES), max_size=2).map(lambda t: tuple(map(Curie, t)))
_VALUE_LISTS = st.lists(st.sampled_from(_VALUES), min_size=1, max_size=2).map(tuple)
_LEAVES: st.SearchStrategy[Clause] = st.one_of(
    st.just(Everything()),
    st.builds(Token, _TEXTS),
    st.builds(Phrase, _TEXTS),
    st.builds(
        Concept,
        _TEXTS,
        st.just(Curie("X:1")),
        st.just("label"),
        st.lists(_TEXTS, max_size=2).map(tuple),
        _TERMS,
    ),
    st.builds(Terms, st.just(""), st.just(""), _TERMS),
    st.builds(
        KeyMatch,
        st.sampled_from((None, *_KEYS)),
        st.sampled_from(("exists", "equals", "not_equals", "in", "not_in")),
        _VALUE_LISTS,
    ),
    st.builds(
        KeyMatch,
        st.sampled_from((None, *_KEYS)),
        st.sampled_from(("contains", "not_contains")),
        st.sampled_from((("dk",), ("",), (".*",), ("x" * 400,), ("\x00",), ("homo s", "3"))),
    ),
    st.builds(
        KeyMatch,
        st.sampled_from((None, *_KEYS)),
        st.sampled_from((">=", "<=", ">", "<")),
        st.sampled_from((("2.5",), ("-3",), ("0",), ("1000",))),
    ),
    st.builds(
        FieldIn,
        st.sampled_from(FACETS),
        st.lists(
            st.sampled_from(("cdk1", "homo sapiens", "r1", "r2", "s", "well", "x" * 4100)),
            max_size=2,
        ).map(tuple),
        _TERMS,
    ),
    st.builds(FieldContains, st.sampled_from(FACETS), st.sampled_from(("dk", "", "r", "o s"))),
    st.builds(
        FieldRange,
        st.sampled_from(("size_x", "date")),
        st.sampled_from((None, 1.0, 512.0, 20200101.0)),
        st.sampled_from((None, 512.0, 1024.0, 20200501.0)),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        LiesIn,
        st.just(""),
        st.lists(st.sampled_from(("s:r1", "s:r2", "t:r3", "s:s")), max_size=2).map(tuple),
    ),
    st.builds(FieldExists, st.sampled_from((*FACETS, "size_x", "date", "licence"))),
)


def _combine(parts: st.SearchStrategy[Clause]) -> st.SearchStrategy[Clause]:
    lists = st.lists(parts, max_size=3).map(tuple)
    return st.one_of(st.builds(All, lists), st.builds(AnyOf, lists), st.builds(Not, parts))


_CLAUSES = st.recursive(_LEAVES, _combine, max_leaves=4)
_SORTS = st.builds(
    Sort, st.sampled_from(("relevance", "relevance", "id", "size_x", "date")), st.booleans()
)
_ASKED = st.builds(
    Query,
    where=_CLAUSES,
    level=st.sampled_from(("any", "study", "container", "image")),
    facets=st.just(tuple(FacetRequest(field, 1000) for field in FACETS)),
    sort=_SORTS,
    size=st.sampled_from((1, 3, 100)),
)
_VIEWERS = st.sampled_from((ANONYMOUS, LAB, Viewer(frozenset({"x"}))))
WORLDS = _worlds()
QUERIES = st.lists(st.tuples(_ASKED, _VIEWERS), min_size=1, max_size=8)
