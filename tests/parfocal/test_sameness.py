"""Which records are one data set: rules of evidence, guards, order, access, and the real corpus."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parfocal.accessions import accession, address, names_in
from parfocal.identity import Identity, identity_of
from parfocal.model import (
    ANONYMOUS,
    Access,
    Dataset,
    KeyValue,
    Link,
    Person,
    Provenance,
    Publication,
    Viewer,
)
from parfocal.sameness import Sameness, compare, twins_for

TITLE = "Growth of small example cells under very bright light"


def study(id: str, **given: Any) -> Dataset:
    source, _, native = id.partition(":")
    values = {"title": native, "ome_type": "Study", **given}
    return Dataset(id=id, provenance=Provenance(source, native), **values)  # type: ignore[arg-type]


def landing(url: str) -> tuple[Link, ...]:
    return (Link(url, kind="landing"),)


def same(*records: Dataset) -> Sameness:
    return compare(identity for record in records if (identity := identity_of(record)))


def kinds(found: Sameness) -> list[tuple[str, ...]]:
    return [tuple(e.kind for e in pair.evidence) for pair in found.merges]


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("idr0001", "idr:idr0001"),
        ("idr0001-graml-sysgro", "idr:idr0001"),
        ("idr0018-neff-histopathology/experimentA", "idr:idr0018/experimenta"),
        ("S-BIAD144", "biostudies:s-biad144"),
        ("s-bsst12", "biostudies:s-bsst12"),
        ("EMPIAR-10943", "empiar:empiar-10943"),
        ("ssbd-repos-000083", "ssbd repository:83"),
        ("S-BIAD144 and more", ""),
        ("idr00011", ""),
        ("project:17", ""),
        ("", ""),
    ],
)
def test_accessions(text: str, expected: str) -> None:
    assert accession(text) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://idr.openmicroscopy.org/study/idr0001/", "idr:idr0001"),
        ("https://idr.openmicroscopy.org/search/?query=Name:idr0001", "idr:idr0001"),
        ("https://www.ebi.ac.uk/biostudies/bioimages/studies/S-BIAD144", "biostudies:s-biad144"),
        (
            "http://www.ebi.ac.uk/biostudies/BioImages/studies/S-BIAD144?query=x",
            "biostudies:s-biad144",
        ),
        ("https://www.ebi.ac.uk/biostudies/bioimages/studies/EMPIAR-10943", "empiar:empiar-10943"),
        ("https://www.ebi.ac.uk/empiar/EMPIAR-10943/", "empiar:empiar-10943"),
        ("https://ssbd.riken.jp/repository/ssbd-repos-000083/", "ssbd repository:83"),
        ("https://ssbd.riken.jp/repository/83/", "ssbd repository:83"),
        ("https://ssbd.riken.jp/database/project/1-A-B/", "ssbd database:1-a-b"),
        ("https://zenodo.org/records/123", "doi:10.5281/zenodo.123"),
        ("https://doi.org/10.17867/10000101", "doi:10.17867/10000101"),
        ("https://d.example/dataset.xhtml?persistentId=doi:10.7910/DVN/A", "doi:10.7910/dvn/a"),
        ("HTTPS://Example.ORG:443/A%20b/?utm_source=x#top", "url:example.org/A b"),
        ("https://example.org/?id=7", "url:example.org?id=7"),
        ("https://example.org", ""),
        ("https://example.org:99999/a", ""),
        ("https://[::1/a", ""),
        ("file:///etc/passwd", ""),
    ],
)
def test_addresses(url: str, expected: str) -> None:
    found = address(url)
    assert found == expected or (expected == "" and found.startswith("url:"))


@given(st.text(max_size=80))
def test_any_text_has_names_or_none(text: str) -> None:
    for name in (*names_in(text), *names_in("https://" + text), *names_in("doi:" + text)):
        assert ":" in name


# ------------------------------------------------------------------ evidence


def test_the_same_accession_is_one_data_set() -> None:
    found = same(study("idr:idr0001-graml-sysgro"), study("gide:idr0001"))
    assert found.clusters == (("gide:idr0001", "idr:idr0001-graml-sysgro"),)
    (pair,) = found.merges
    assert [(e.kind, e.value) for e in pair.evidence] == [("same accession", "idr:idr0001")]


def test_a_landing_page_names_the_data_set() -> None:
    page = "https://www.ebi.ac.uk/biostudies/bioimages/studies/S-BIAD144"
    found = same(study("bia:S-BIAD144"), study("crates:c17", links=landing(page)))
    assert kinds(found) == [("same accession",)]


def test_exact_landing_pages_are_evidence_and_hosts_are_not() -> None:
    one = study("a:1", links=landing("https://www.example.org/data/7/"))
    other = study("b:x", links=landing("http://example.org/data/7"))
    assert kinds(same(one, other)) == [("same landing page",)]
    home = [study(f"{s}:1", links=landing("https://example.org/")) for s in "ab"]
    assert same(*home) == Sameness()


def test_a_doi_of_the_data_is_evidence() -> None:
    one = study("zenodo:77", identifiers=("doi:10.5281/zenodo.77",))
    other = study("lab:cells", identifiers=("doi:10.5281/ZENODO.77",))
    assert kinds(same(one, other)) == [("same DOI",)]


def test_a_doi_of_a_publication_only_proposes() -> None:
    paper = (Publication(doi="10.1000/paper"),)
    one = study("a:1", publications=paper)
    other = study("b:2", publications=paper)
    dirty = study("c:3", identifiers=("doi:10.1000/paper",))
    dirtier = study("d:4", identifiers=("doi:10.1000/paper",))
    found = same(one, other, dirty, dirtier)
    assert found.merges == ()
    assert [(p.one, p.other, p.evidence[0].kind) for p in found.proposals] == [
        ("a:1", "b:2", "same publication")
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"same_as": ("https://www.ebi.ac.uk/biostudies/studies/S-BIAD3",)},
        {"identifiers": ("idr0056", "S-BIAD3")},
        {"identifiers": ("doi:10.6019/S-BIAD3",)},
        {"key_values": (KeyValue("relatedIdentifiers.IsIdenticalTo", "10.6019/S-BIAD3"),)},
        {"key_values": (KeyValue("isVariantFormOf", "S-BIAD3"),)},
        {"key_values": (KeyValue("metadata.related_identifiers.isidenticalto", "S-BIAD3"),)},
    ],
)
def test_what_a_record_says_of_itself_is_evidence(given: dict[str, Any]) -> None:
    found = same(study("idr:idr0056-stojic-lncrnas", **given), study("bia:S-BIAD3"))
    assert found.clusters == (("bia:S-BIAD3", "idr:idr0056-stojic-lncrnas"),)


def test_two_that_name_a_third_are_one() -> None:
    one = study("idr:idr0056", identifiers=("S-BIAD3",))
    other = study("omero:Project:7", same_as=("https://www.ebi.ac.uk/biostudies/studies/S-BIAD3",))
    assert kinds(same(one, other)) == [("same name elsewhere",)]


def test_a_reference_alone_only_proposes() -> None:
    refers = study("empiar:EMPIAR-1001", key_values=(KeyValue("biostudies_references", "S-BIAD3"),))
    found = same(refers, study("bia:S-BIAD3"))
    assert found.merges == ()
    assert [p.evidence[0].kind for p in found.proposals] == ["reference"]


def test_a_reference_between_equal_titles_and_authors_merges() -> None:
    told: dict[str, Any] = {"title": TITLE, "creators": (Person("Ada Example"),)}
    refers = (KeyValue("biostudies_references", "S-BIAD3"),)
    one = study("empiar:EMPIAR-1001", key_values=refers, **told)
    assert kinds(same(one, study("bia:S-BIAD3", **told))) == [("reference",)]


def test_a_reference_to_several_is_no_identity() -> None:
    one = study("idr:idr0056", identifiers=("S-BIAD3", "S-BIAD4"))
    found = same(one, study("bia:S-BIAD3"), study("bia:S-BIAD4"))
    assert found.merges == ()
    assert [(p.one, p.other) for p in found.proposals] == [
        ("bia:S-BIAD3", "idr:idr0056"),
        ("bia:S-BIAD4", "idr:idr0056"),
    ]


def test_several_that_name_one_are_not_that_one() -> None:
    records = [study(f"idr:idr00{n}", identifiers=("S-BIAD3",)) for n in (56, 57)]
    found = same(*records, study("bia:S-BIAD3"))
    assert found.merges == ()
    assert len(found.proposals) == 2
    assert all("two accessions of one archive" in pair.against for pair in found.proposals)


def test_title_authors_and_year_only_propose() -> None:
    told: dict[str, Any] = {"creators": (Person("Ada Example"), Person("Bo Muster"))}
    one = study("a:1", title=TITLE, date="2020-01-02", **told)
    other = study("b:2", title=TITLE.upper() + ".", date="2021", creators=(Person("Muster, Bo"),))
    found = same(one, other)
    assert found.clusters == ()
    assert [p.evidence[0].kind for p in found.proposals] == ["same title, authors and year"]
    later = study("b:2", title=TITLE, date="2024", **told)
    strangers = study("b:2", title=TITLE, date="2020", creators=(Person("Cy Sample"),))
    short = [study(f"{s}:1", title="HeLa cells", date="2020", **told) for s in "ab"]
    assert same(one, later) == same(one, strangers) == same(*short) == Sameness()


def test_a_doi_of_all_versions_does_not_undo_that_of_one() -> None:
    """Both DOIs are registered; the repository gives them to the one version that it shows."""
    versions = ("doi:10.5281/zenodo.2", "doi:10.5281/zenodo.1")
    shown = study("zenodo:2", links=landing("https://zenodo.org/records/2"), identifiers=versions)
    registered = [study(f"datacite:10.5281/zenodo.{number}") for number in (1, 2)]
    found = same(shown, *registered)
    assert found.clusters == (("datacite:10.5281/zenodo.2", "zenodo:2"),)
    assert [(p.one, p.other) for p in found.proposals] == [
        ("datacite:10.5281/zenodo.1", "zenodo:2")
    ]


def test_a_part_with_the_doi_of_the_whole_is_only_proposed() -> None:
    doi = ("doi:10.1000/whole",)
    part = study("omero:Dataset:4", ome_type="Dataset", part_of="omero:Project:1", identifiers=doi)
    found = same(study("a:1", identifiers=doi), part)
    assert (found.merges, len(found.proposals)) == ((), 1)


# ------------------------------------------------------------------ guards


def test_a_chain_never_joins_two_records_of_one_source() -> None:
    chain = [
        study("a:1", identifiers=("doi:10.1000/x",)),
        study("b:1", identifiers=("doi:10.1000/x", "doi:10.1000/y")),
        study("a:2", identifiers=("doi:10.1000/y",)),
    ]
    found = same(*chain)
    assert found.merges == ()
    assert [(p.one, p.other) for p in found.proposals] == [("a:1", "b:1"), ("a:2", "b:1")]
    assert {p.against for p in found.proposals} == {"two records of one source: a:1, a:2"}


def test_weaker_evidence_does_not_undo_surer() -> None:
    sure = [study("idr:idr0001"), study("gide:idr0001"), study("bia:S-BIAD3")]
    wrong = study("idr:idr0002", same_as=("https://idr.openmicroscopy.org/study/idr0001/",))
    found = same(*sure, wrong)
    assert found.clusters == (("gide:idr0001", "idr:idr0001"),)
    assert found.proposals == ()  # two accessions of one archive are certainly two


def test_a_collection_may_hold_one_data_set_of_two_archives() -> None:
    crates = [study("gide:idr0056", identifiers=("idr0056", "S-BIAD3")), study("gide:S-BIAD3")]
    assert same(*crates).clusters == (("gide:S-BIAD3", "gide:idr0056"),)


def test_part_and_whole_stay_two() -> None:
    whole = study("idr:idr0018-neff-histopathology")
    part = study("omero:Project:5", title="idr0018-neff-histopathology/experimentA")
    screen = study("idr:idr0018-neff-histopathology/experimentA", ome_type="Dataset")
    found = same(whole, part, screen)
    assert found.clusters == (("idr:idr0018-neff-histopathology/experimentA", "omero:Project:5"),)


def test_what_very_many_share_names_nothing() -> None:
    many = [study(f"s{n}:1", links=landing("https://example.org/portal")) for n in range(30)]
    assert same(*many) == Sameness()


def test_twins_through_another_say_so() -> None:
    records = [
        study("a:1", identifiers=("doi:10.1000/x",)),
        study("b:1", identifiers=("doi:10.1000/x", "doi:10.1000/y")),
        study("c:1", identifiers=("doi:10.1000/y",)),
    ]
    twins = {
        t.record: [(e.kind, e.value) for e in t.evidence] for t in same(*records).twins_of("a:1")
    }
    assert twins == {
        "b:1": [("same DOI", "doi:10.1000/x")],
        "c:1": [("through", "b:1")],
    }


# ------------------------------------------------------------------ properties

_names = st.sampled_from([f"10.1000/{letter}" for letter in "abcd"])
_worlds = st.lists(
    st.tuples(
        st.sampled_from("pqrs"), st.integers(1, 3), st.lists(_names, max_size=2), st.booleans()
    ),
    max_size=9,
    unique_by=lambda made: made[:2],
)


def _identities(world: list[tuple[str, int, list[str], bool]]) -> list[Identity]:
    records = [
        study(
            f"{source}:{number}",
            identifiers=tuple(f"doi:{name}" for name in names) if own else (),
            same_as=() if own else tuple(f"https://doi.org/{name}" for name in names),
        )
        for source, number, names, own in world
    ]
    return [identity for record in records if (identity := identity_of(record))]


@given(_worlds, st.randoms(use_true_random=False))
def test_order_does_not_matter(
    world: list[tuple[str, int, list[str], bool]], luck: random.Random
) -> None:
    identities = _identities(world)
    shuffled = luck.sample(identities, len(identities))
    assert compare(shuffled) == compare(identities)


@given(_worlds)
def test_no_cluster_holds_two_records_of_one_source(
    world: list[tuple[str, int, list[str], bool]],
) -> None:
    for cluster in compare(_identities(world)).clusters:
        assert len(cluster) == len({id.partition(":")[0] for id in cluster}) > 1


@given(_worlds)
def test_every_merge_has_evidence_and_clusters_are_made_of_merges(
    world: list[tuple[str, int, list[str], bool]],
) -> None:
    found = compare(_identities(world))
    assert all(pair.evidence for pair in found.merges)
    for cluster in found.clusters:
        reached = {cluster[0]}
        for _ in cluster:
            for pair in found.merges:
                if reached & {pair.one, pair.other}:
                    reached |= {pair.one, pair.other}
        assert reached == set(cluster)


@given(_worlds, st.sets(st.integers(0, 8)))
def test_what_a_viewer_cannot_see_decides_nothing(
    world: list[tuple[str, int, list[str], bool]], hidden: set[int]
) -> None:
    identities = [
        msgspec.structs.replace(identity, groups=("lab",) if number in hidden else ())
        for number, identity in enumerate(_identities(world))
    ]
    public = [identity for identity in identities if not identity.groups]
    for identity in public:
        told = twins_for(identity.id, identities, ANONYMOUS)
        assert told == compare(public).twins_of(identity.id)
        assert all(Access().visible_to(ANONYMOUS) for _ in told)
    lab = Viewer(frozenset({"lab"}))
    for identity in identities:
        assert twins_for(identity.id, identities, lab) == compare(identities).twins_of(identity.id)
