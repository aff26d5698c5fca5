"""How numbers, dates, names and reasons read on a page; filters of the templates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from flask import Flask
from markupsafe import Markup, escape

from api.context import is_web_address
from parfocal.answers import Reason
from parfocal.field_values import keywords_of, texts_of
from parfocal.identifiers import record_path
from parfocal.model import Image, Quantity, Record
from parfocal.printing import duration

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LEVEL_WORDS = {
    "study": ("study", "studies"),
    "container": ("data set", "data sets"),
    "image": ("image", "images"),
}
_METHODS = {
    "curated": "given by the source's curators",
    "label": "the text is the term's label",
    "synonym": "the text is a synonym of the term",
    "doubted": "given by the source, but doubted here",
    "contradicted": "given by the source, but the text is another term's label",
    "obsolete": "given by the source; the term is obsolete",
    "replaced": "replaces the obsolete term that the source gave",
    "decided": "decided by a curator here",
    "learned": "curators of other studies gave the text this term",
    "wording": "a name of the term in other wording",
    "misspelt": "a name of the term, misspelt",
    "abbreviation": "an abbreviated name of the term",
    "beginning": "the text begins with a name of the term",
    "part": "a part of the text is a name of the term",
    "text": "mentioned in a title, description or protocol",
}
TIMES = " \u00d7 "
_SYMBOLS = {
    "micrometer": "\u00b5m",
    "micrometre": "\u00b5m",
    "micron": "\u00b5m",
    "nanometer": "nm",
    "nanometre": "nm",
    "millimeter": "mm",
    "second": "s",
    "millisecond": "ms",
    "minute": "min",
}
_TITLE_LIMIT = 300


def thousands(number: float) -> str:
    """Return a number with thousands separators.

    >>> thousands(12408)
    '12,408'
    """
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,g}"


def counted(number: int, level: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "study"), counted(37, "container")
    ('1 study', '37 data sets')
    """
    one, many = LEVEL_WORDS.get(level, ("record", "records"))
    return f"{number:,} {one if number == 1 else many}"


def day(date: str) -> str:
    """Return an ISO date as people write it.

    >>> day("2026-11-21"), day("2019"), day("2019-05")
    ('21 Nov 2026', '2019', 'May 2019')
    """
    parts = date[:10].split("-")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return date
    if len(parts) > 1 and not 1 <= int(parts[1]) <= 12:
        return date
    words = [str(int(parts[2]))] if len(parts) > 2 else []
    words += [MONTHS[int(parts[1]) - 1]] if len(parts) > 1 else []
    return " ".join([*words, parts[0]])


def ago(moment: str, now: datetime | None = None) -> str:
    """Return how long ago an ISO time was.

    >>> ago("2026-11-21T10:00:00+00:00", datetime(2026, 11, 21, 12, tzinfo=UTC))
    '2 hours ago'
    """
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    seconds = max(((now or datetime.now(UTC)) - then).total_seconds(), 0)
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'s' if count > 1 else ''} ago"
    return "just now"


def size_of(count: int) -> str:
    """Return bytes as people write them.

    >>> size_of(900), size_of(1_400_000)
    ('900 B', '1.4 MB')
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def title_of(record: Record) -> str:
    """Return what to call a record; one without a title is called by its identifier."""
    return record.title.strip() or record.id.partition(":")[2]


def shortened(text: str, limit: int = _TITLE_LIMIT) -> str:
    """Return a text cut at a word, with an ellipsis.

    >>> shortened("one two three", 8)
    'one two…'
    """
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut).rstrip() + "…"


def marked(text: str, marks: Iterable[tuple[int, int]]) -> Markup:
    """Return a snippet with the matched words marked, everything else escaped."""
    parts, done = [], 0
    for start, end in sorted(marks):
        if done <= start < end <= len(text):
            parts += [escape(text[done:start]), Markup("<mark>"), escape(text[start:end])]
            parts.append(Markup("</mark>"))
            done = end
    return Markup("").join([*parts, escape(text[done:])])


def field_words(name: str) -> str:
    """Return a field's name as people write it.

    >>> field_words("cell_line")
    'Cell line'
    """
    return name.replace("_", " ").capitalize()


def method_words(method: str) -> str:
    """Return how a claim is known, in words."""
    return _METHODS.get(method, method)


def why(reason: Reason) -> str:
    """Return a reason as a sentence: what matched, as what, where."""
    place = field_words(reason.field) if reason.field else reason.key
    where = f" in {place}" if place else ""
    asked, text = reason.asked or reason.text, reason.text or reason.asked
    if reason.how == "synonym":
        sentence = f"{text}: synonym of {reason.label}{where}"
    elif reason.how in ("curated", "label", "doubted"):
        same = text.casefold() == reason.label.casefold()
        meaning = "" if same or not reason.label else f" means {reason.label}"
        known = {"curated": " (curated)", "doubted": " (doubted)"}.get(reason.how, "")
        sentence = f"{text}{meaning}{where}{known}"
    elif reason.how == "key-value":
        sentence = f"{place}: {text}" if place else text
    else:
        sentence = f"{asked}: in the text{where}" if not place else f"{asked}{where}"
    return sentence + (" (inherited)" if reason.inherited_from else "")


def quantity(value: Quantity | None) -> str:
    """Return a number with its unit's symbol.

    >>> quantity(Quantity(650, "nanometer"))
    '650 nm'
    """
    if value is None:
        return ""
    return f"{value.value:,.4g} {_SYMBOLS.get(value.unit.lower(), value.unit)}".strip()


def _samples(image: Image) -> list[str]:
    """Return what was done to the sample of an image: its gene, its compound."""
    found = {**keywords_of(image), **texts_of(image)}
    return [found[name][0] for name in ("gene", "compound") if found.get(name)]


def facts(record: Record) -> list[str]:
    """Return the three facts worth a card."""
    if not isinstance(record, Image):
        return [
            shortened(fact, 40)
            for fact in (record.ome_type, day(record.date), record.licence)
            if fact
        ]
    size = (
        f"{record.size_x:,}{TIMES}{record.size_y:,} px" if record.size_x and record.size_y else ""
    )
    axes = (("Z", record.size_z), ("C", record.size_c), ("T", record.size_t))
    stack = " ".join(f"{name} {count}" for name, count in axes if count and count > 1)
    pixel = quantity(record.pixel_size_x)
    well = f"Well {record.well}" if record.well else ""
    plate = f"Plate {shortened(record.plate, 24)}" if record.plate else ""
    told = [f"{pixel} a pixel" if pixel else "", *_samples(record), plate, record.format]
    wanted = (size, stack, well, *told)
    return [shortened(fact, 40) for fact in wanted if fact][:3] or [record.ome_type]


def host(address: str) -> str:
    """Return the host of an address.

    >>> host("https://idr.openmicroscopy.org/webclient/")
    'idr.openmicroscopy.org'
    """
    return urlsplit(address).hostname or ""


def identifier_link(identifier: str) -> str:
    """Return the page of an identifier; "" when it has none that is known here."""
    prefix, _, local = identifier.partition(":")
    if is_web_address(identifier):
        return identifier
    homes = {
        "doi": "https://doi.org/",
        "pubmed": "https://pubmed.ncbi.nlm.nih.gov/",
        "pmc": "https://www.ncbi.nlm.nih.gov/pmc/articles/",
        "orcid": "https://orcid.org/",
    }
    home = homes.get(prefix.lower())
    return home + quote(local, safe="/().;:") if home and local else ""


FILTERS = {
    "thousands": thousands,
    "counted": counted,
    "day": day,
    "ago": ago,
    "duration": duration,
    "size_of": size_of,
    "title_of": title_of,
    "shortened": shortened,
    "field_words": field_words,
    "method_words": method_words,
    "why": why,
    "quantity": quantity,
    "facts": facts,
    "host": host,
    "record_path": record_path,
    "identifier_link": identifier_link,
}


def register(app: Flask) -> None:
    """Give the templates their words."""
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.globals.update(marked=marked, is_web_address=is_web_address)
