"""What the page of one record shows, ready for its template."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from urllib.parse import urlencode

import msgspec
from flask import render_template
from markupsafe import Markup
from msgspec import Struct

from api import parameters
from api.cards import Picture, picture_of, safe_links
from api.context import base_url, catalogue
from api.viewers import viewer
from api.words import TIMES, quantity, title_of
from parfocal.answers import HitAnnotation, RecordView
from parfocal.identifiers import native_of, record_iri, source_of
from parfocal.jsonld import to_jsonld
from parfocal.model import Dataset, Evidence, Image, Record
from parfocal.values import Change

CHILDREN_SHOWN = 36
PAIRS_SHOWN = 80
DATA_SHOWN = 12_000
CHANNELS_SHOWN = 24


class Row(Struct, frozen=True):
    """A key-value pair with the terms that its value means."""

    key: str
    value: str
    terms: tuple[HitAnnotation, ...]


class Child(Struct, frozen=True):
    """A record in this one."""

    record: Record
    title: str
    picture: Picture


def _rows(view: RecordView) -> tuple[list[Row], list[HitAnnotation]]:
    """Return the key-values with the claims about them, and the claims about nothing shown."""
    by_text: dict[tuple[str, str], list[HitAnnotation]] = defaultdict(list)
    for one in view.annotations:
        if one.inherited_from is None:
            by_text[one.claim.key.casefold(), one.claim.text.casefold()].append(one)
    used: set[tuple[str, str]] = set()
    rows = []
    for pair in view.record.key_values:
        place = (pair.key.casefold(), pair.value.casefold())
        used.add(place)
        rows.append(Row(pair.key, pair.value, tuple(by_text.get(place, ()))))
    rest = [one for place, claims in by_text.items() if place not in used for one in claims]
    return rows, rest + [one for one in view.annotations if one.inherited_from is not None]


def _image_facts(image: Image) -> list[tuple[str, str]]:
    axes = [
        f"{name} {count:,}"
        for name, count in zip(
            "XYZCT",
            (image.size_x, image.size_y, image.size_z, image.size_c, image.size_t),
            strict=True,
        )
        if count is not None
    ]
    sides = (image.pixel_size_x, image.pixel_size_y, image.pixel_size_z)
    lens = image.objective
    objective = ""
    if lens is not None:
        shown = f"{lens.magnification:g}\u00d7" if lens.magnification else ""
        aperture = f"NA {lens.numerical_aperture:g}" if lens.numerical_aperture else ""
        objective = " ".join(filter(None, (shown, aperture, lens.immersion, lens.model)))
    return [
        ("Size", TIMES.join(axes)),
        ("Pixel size", TIMES.join(quantity(side) for side in sides if side)),
        ("Time step", quantity(image.time_increment)),
        ("Pixel type", image.pixel_type),
        ("Order of axes", image.dimension_order),
        ("Objective", objective),
        ("Microscope", image.instrument),
        ("Plate", image.plate),
        ("Well", image.well),
        ("Regions of interest", f"{image.roi_count:,}" if image.roi_count else ""),
        ("Label images", ", ".join(image.labels)),
        ("Format", image.format),
        ("File", image.location),
    ]


def _facts(record: Record) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = [("Kind", record.ome_type)]
    if isinstance(record, Image):
        facts += _image_facts(record)
    else:
        facts += [
            ("Publisher", record.publisher),
            ("Keywords", ", ".join(record.keywords)),
            ("Funding", "; ".join(record.funding)),
        ]
    return [(name, value) for name, value in facts if value]


def _citation(view: RecordView) -> str:
    """Return a line to cite: people, year, title, publisher, DOI."""
    holders = (view.record, *view.ancestors)
    people = next((each.creators for each in holders if each.creators), ())
    names = ", ".join(person.name for person in people[:6]) + (" et al." if len(people) > 6 else "")
    date = next((each.date for each in holders if each.date), "")
    identifiers = [i for each in holders for i in each.identifiers if i.startswith("doi:")]
    publisher = next(
        (each.publisher for each in holders if isinstance(each, Dataset) and each.publisher), ""
    )
    parts = (
        names,
        f"({date[:4]})" if date else "",
        title_of(view.record).rstrip("."),
        publisher or source_of(view.record.id),
        f"https://doi.org/{identifiers[0][4:]}"
        if identifiers
        else record_iri(view.record.id, base_url()),
    )
    return ". ".join(part for part in parts if part)


def _children(view: RecordView) -> tuple[list[Child], int]:
    if not isinstance(view.record, Dataset):
        return [], 0
    after = parameters.number("after", 0, 0, 10**11)
    found: list[Change] = catalogue().children(
        view.record.id, viewer(), after=after, limit=CHILDREN_SHOWN + 1
    )
    shown = found[:CHILDREN_SHOWN]
    children = [
        Child(one.record, title_of(one.record), picture_of(one.record, 128))
        for one in shown
        if one.record is not None
    ]
    return children, shown[-1].seq if len(found) > CHILDREN_SHOWN else 0


def _json_ld(record: Record) -> Markup:
    """Return the record as JSON-LD that no text in it can end or escape."""
    text = msgspec.json.encode(to_jsonld(record, base_url())).decode()
    if len(text) > DATA_SHOWN:
        text = msgspec.json.encode(to_jsonld(_core(record), base_url())).decode()
    for letter, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(letter, escaped)
    return Markup(text)  # noqa: S704 - every < > & is escaped above


def _core(record: Record) -> Record:
    """Return a record without what can be long: the whole of it is one link away."""
    shorter = msgspec.structs.replace(
        record,
        title=record.title[:1000],
        description=record.description[:2000],
        key_values=(),
        annotations=(),
        links=(),
        creators=record.creators[:20],
    )
    return (
        shorter if isinstance(shorter, Dataset) else msgspec.structs.replace(shorter, channels=())
    )


class Same(Struct, frozen=True):
    """The same data in another source, with the evidence."""

    record: Record
    evidence: tuple[Evidence, ...]


def _same(view: RecordView) -> list[Same]:
    found = catalogue().store.get_many([twin.record for twin in view.twins])
    pairs = [(found[twin.record], twin) for twin in view.twins if twin.record in found]
    return [Same(one, twin.evidence) for one, twin in pairs if one.access.visible_to(viewer())]


def _search_inside(record: Record) -> str:
    """Return the address of a search within this record."""
    if not isinstance(record, Dataset):
        return ""
    field = "study" if record.level == "study" else "container"
    return "/?" + urlencode({"filter": f"{field}:{native_of(record.id)}", "level": "image"})


def record_page(view: RecordView, alternates: list[tuple[str, str, str]]) -> str:
    """Return the page of a record."""
    record = view.record
    rows, rest = _rows(view)
    children, following = _children(view)
    start = parameters.number("pairs", 0, 0, 10**7)
    values: dict[str, Any] = {
        "rows": rows[start : start + PAIRS_SHOWN],
        "pairs": len(rows),
        "pairs_from": start,
        "pairs_next": start + PAIRS_SHOWN if len(rows) > start + PAIRS_SHOWN else 0,
        "rest": rest,
        "children": children,
        "following": following,
    }
    return render_template(
        "record.html",
        view=view,
        record=record,
        title=title_of(record),
        crumbs=[*reversed(view.ancestors)],
        picture=picture_of(record, 512),
        facts=_facts(record),
        channels=record.channels[:CHANNELS_SHOWN] if isinstance(record, Image) else (),
        links=safe_links(record.links),
        citation=_citation(view),
        alternates=alternates,
        json_ld=_json_ld(view.told(base_url())),
        inside=_search_inside(record),
        same=_same(view),
        same_search="/?" + urlencode({"filter": f"cluster:{record.id}"}),
        iri=record_iri(record.id, base_url()),
        **values,
    )
