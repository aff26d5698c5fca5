"""What a record itself has in the searchable fields: numbers, keywords, texts of terms."""

from __future__ import annotations

from parfocal.fields import field_of_key
from parfocal.model import Dataset, Image, Quantity, Record
from parfocal.units import read_unit

_MICROMETRES = {
    "pm": 1e-6,
    "å": 1e-4,
    "a": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "nanometre": 1e-3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "millimetre": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "in": 25400.0,
    "inch": 25400.0,
}


def micrometres(value: float, unit: str) -> float | None:
    """Convert a length to micrometres; None for pixels and unknown units.

    >>> micrometres(200, "nm")
    0.2
    """
    factor = _MICROMETRES.get(unit.strip().lower()) or read_unit(unit)[1]
    return None if factor is None else round(value * factor, 9)


def _length(quantity: Quantity | None) -> tuple[float, ...]:
    converted = micrometres(quantity.value, quantity.unit) if quantity else None
    return () if converted is None else (converted,)


def _count(value: float | None) -> tuple[float, ...]:
    return () if value is None else (value,)


def _image_numbers(image: Image) -> dict[str, tuple[float, ...]]:
    channels = image.size_c if image.size_c is not None else len(image.channels) or None
    values = {
        "size_x": _count(image.size_x),
        "size_y": _count(image.size_y),
        "size_z": _count(image.size_z),
        "size_t": _count(image.size_t),
        "channels": _count(channels),
        "pixel_size_x": _length(image.pixel_size_x),
        "pixel_size_y": _length(image.pixel_size_y),
        "pixel_size_z": _length(image.pixel_size_z),
        "magnification": _count(image.objective.magnification if image.objective else None),
    }
    return {name: value for name, value in values.items() if value}


def numbers_of(record: Record) -> dict[str, tuple[float, ...]]:
    """Return a record's own values of the number and length fields, lengths in micrometres."""
    return _image_numbers(record) if isinstance(record, Image) else {}


def keywords_of(record: Record) -> dict[str, tuple[str, ...]]:
    """Return a record's own values of keyword fields, as written; place fields are not among them.

    The fields ``source``, ``study`` and ``container`` depend on what the record lies in.
    """
    kinds = dict.fromkeys((record.ome_type.lower(), type(record).__name__.lower()))
    values: dict[str, list[str]] = {
        "type": list(kinds),
        "licence": [record.licence],
        "author": [person.name for person in record.creators],
        "identifier": [i for i in record.identifiers if not i.startswith("doi:")],
        "doi": [i[4:] for i in record.identifiers if i.startswith("doi:")],
    }
    if isinstance(record, Dataset):
        values["doi"] += [publication.doi for publication in record.publications]
        values["identifier"] += [f"pubmed:{p.pubmed}" for p in record.publications if p.pubmed]
    else:
        values["channel"] = [n for c in record.channels for n in (c.name, c.fluorophore)]
        values["format"] = [record.format]
        values["pixel_type"] = [record.pixel_type]
    for pair in record.key_values:
        field = field_of_key(pair.key)
        if field is not None and field.type == "keyword":
            values.setdefault(field.name, []).append(pair.value)
    return {
        name: tuple(dict.fromkeys(filter(None, all_))) for name, all_ in values.items() if any(all_)
    }


def texts_of(record: Record) -> dict[str, tuple[str, ...]]:
    """Return a record's own texts of the term fields, from its key-values, as written."""
    values: dict[str, dict[str, None]] = {}
    for pair in record.key_values:
        field = field_of_key(pair.key)
        if field is not None and field.type == "term" and pair.value:
            values.setdefault(field.name, {})[pair.value] = None
    return {name: tuple(texts) for name, texts in values.items()}
