"""What the records of OMERO objects have in common: who owns and may see them, plain values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from harvester.omero.items import Held
from harvester.omero.notes import Said
from harvester.omero.options import OmeroOptions
from harvester.words.coerce import read_date
from harvester.words.facts import number
from harvester.words.leaves import Json, child, leaves, words
from harvester.words.people import person
from harvester.words.units import quantity
from parfocal.errors import SourceMalformed
from parfocal.identifiers import RecordId, record_id
from parfocal.model import Access, KeyValue, Link, Person, Provenance, Quantity

READ = frozenset(
    {"@id", "@type", "@context", "omero:details", "omero:childCount", "Name", "Description"}
    | {"AcquisitionDate", "Pixels", "omero:format", "WellSamples", "Row", "Column"}
)
"""Keys of objects that records have fields of their own for, or that say nothing of the data."""
_EVERYBODY = "*"


class Context(Struct, frozen=True):
    """What all records of one item have in common."""

    source: str
    options: OmeroOptions
    held: Held
    body: Json
    group: Json

    def id(self, kind: str, number: object) -> RecordId:
        """Return the identifier of an object's record."""
        return record_id(self.source, f"{kind}-{number}")


def read_object(content: bytes) -> Json:
    """Read an object's JSON; an answer about one object wraps it, sometimes in a list."""
    try:
        found: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SourceMalformed(f"not an object of OMERO: {error}") from error
    if isinstance(found, dict) and "data" in found and "@id" not in found:
        found = found["data"]
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict):
        raise SourceMalformed("not an object of OMERO")
    return found


@lru_cache(maxsize=4096)
def shared_object(content: bytes) -> Json:
    """Read the JSON of an owner or group, which many objects share; not to be changed."""
    return object_or_empty(content)


def object_or_empty(content: bytes) -> Json:
    """Read an object's JSON; an empty one when there is none."""
    try:
        return read_object(content) if content else {}
    except SourceMalformed:
        return {}


def merged(body: Json, detail: bytes) -> Json:
    """Return what the list said of an image with what it says alone."""
    alone = object_or_empty(detail)
    pixels = {**as_object(body.get("Pixels")), **as_object(alone.get("Pixels"))}
    return {**body, **alone, **({"Pixels": pixels} if pixels else {})}


def as_object(value: object) -> Json:
    """Return a JSON object as it is, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


# ------------------------------------------------------------------ who


def _group_name(context: Context) -> str:
    named = words(context.group.get("Name"))
    inside = words(child(context.body, "omero:details", "group", "Name"))
    number = words(child(context.body, "omero:details", "group", "@id")) or "unknown"
    return named or inside or f"group {number}"


def access_of(context: Context) -> Access:
    """Return who may see an object: everybody when it was read without a login."""
    options = context.options
    if not context.held.reader or _EVERYBODY in options.public_groups:
        return Access()
    name = _group_name(context)
    group_says = child(context.group, "omero:details", "permissions", "isWorldRead")
    object_says = child(context.body, "omero:details", "permissions", "isWorldRead")
    if name in options.public_groups or (group_says is True and object_says is not False):
        return Access()
    return Access(options.groups.get(name, (name,)))


def creators_of(context: Context) -> tuple[Person, ...]:
    """Return the owner of an object."""
    if context.held.owner:
        return _owner_of(context.held.owner)
    return _person_of(as_object(child(context.body, "omero:details", "owner")))


@lru_cache(maxsize=4096)
def _owner_of(content: bytes) -> tuple[Person, ...]:
    return _person_of(object_or_empty(content))


def _person_of(owner: Json) -> tuple[Person, ...]:
    given, family = words(owner.get("FirstName")), words(owner.get("LastName"))
    name = f"{given} {family}".strip() or words(owner.get("UserName"))
    if not name:
        return ()
    email, institution = words(owner.get("Email")), words(owner.get("Institution"))
    return (
        person(
            name, given=given, family=family, email=email, affiliation=institution, roles=("owner",)
        ),
    )


def membership(context: Context) -> Iterator[KeyValue]:
    """Yield the group and the permissions of an object, as the server names them."""
    named = words(context.group.get("Name"))
    if named:
        yield KeyValue("omero:details.group.Name", named)
    permissions = words(child(context.body, "omero:details", "permissions", "perm"))
    if permissions:
        yield KeyValue("omero:details.permissions.perm", permissions)


# ------------------------------------------------------------------ where


def provenance_of(context: Context, native: str) -> Provenance:
    """Return where a record comes from."""
    return Provenance(context.source, native, f"{context.held.web}webclient/?show={native}")


def kind_and_number(key: str) -> tuple[str, str]:
    """Take a container's raw key apart."""
    kind, _, number = key.partition("/")
    return kind, number


def landing(held: Held, kind: str, id: object) -> Iterator[Link]:
    """Yield the page of OMERO.web that shows an object in its place."""
    yield Link(f"{held.web}webclient/?show={kind}-{id}", "OMERO", "landing")


def counted(said: Said) -> Iterator[KeyValue]:
    """Yield how many files are attached, if any are."""
    if said.files:
        yield KeyValue("Number of files attached", str(said.files))


def parent_of(context: Context) -> RecordId | None:
    """Return the container that an image or well lies in; None for an orphaned image."""
    parents = [key for key in context.held.parents if "/" in key]
    return context.id(*kind_and_number(parents[0])) if parents else None


# ------------------------------------------------------------------ values


def plain_value(given: object) -> str:
    """Return an enumeration's value, or a plain text."""
    return words(child(given, "value")) or words(given)


def quantity_of(given: object) -> Quantity | None:
    """Read a length or time with its unit."""
    if not isinstance(given, dict):
        return None
    unit = words(given.get("Unit")) or words(given.get("Symbol"))
    return quantity(given.get("Value"), unit)


def above_zero(given: object) -> Quantity | None:
    """Read a length or time with its unit that is more than nothing."""
    found = quantity_of(given)
    return found if found and found.value > 0 else None


def day_of(milliseconds: object) -> str:
    """Return the day of a time in milliseconds since 1970, UTC; "" for none."""
    value = number(milliseconds)
    if value is None or value <= 0:
        return read_date(milliseconds) if isinstance(milliseconds, str) else ""
    try:
        return datetime.fromtimestamp(value / 1000, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return ""


def rest_of(body: Json, read: frozenset[str], prefix: str = "") -> Iterator[KeyValue]:
    """Yield what no field of a record holds, under the server's own names."""
    for key, value in body.items():
        if key in read or key.startswith("url:") or (key == "omero:wellsampleIndex"):
            continue
        if isinstance(value, dict) and "value" in value:
            value = value["value"]
        elif isinstance(value, dict) and "Value" in value:
            value = f"{words(value['Value'])} {words(value.get('Symbol'))}".strip()
        for pair in leaves(value, prefix + key):
            if "@" not in pair.key and "omero:details" not in pair.key:
                yield pair
