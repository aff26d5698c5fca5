"""README.md of a package: for people who find the folder years later."""

from __future__ import annotations

from collections.abc import Iterator

from publish.checks import Proposal
from publish.draft import Article
from publish.licences import licence_of


def readme(proposal: Proposal) -> str:
    """Return the text of a package's README.md."""
    return "\n\n".join(part for part in _parts(proposal) if part) + "\n"


def _parts(proposal: Proposal) -> Iterator[str]:
    draft, contents = proposal.draft, proposal.contents
    known = licence_of(draft.licence)
    yield f"# {_line(draft.title)}"
    yield draft.description.strip()
    yield "## How to cite"
    yield _citation(proposal)
    yield "## Licence"
    yield f"{known.name}, {known.url}" if known else draft.licence
    yield "## People"
    yield "\n".join(f"- {_line(_person(number, proposal))}" for number in _numbers(proposal))
    if draft.publications:
        yield "## Publications"
        yield "\n".join(f"- {_article(article)}" for article in draft.publications)
    yield "## What is here"
    yield f"{contents.records} records, {contents.images} images, {len(contents.files)} files."
    yield _TABLE
    if not contents.files:
        yield "The images themselves stay in their archives; the table of images holds the links."
    yield "To check that all files arrived whole:"
    yield "```\nsha256sum --check --quiet manifest-sha256.txt\n```"


_TABLE = """\
| file | holds |
|---|---|
| `ro-crate-metadata.json` | the data set and its files (RO-Crate 1.2, GIDE profile) |
| `metadata/records.jsonl` | every record with its ontology terms, one JSON-LD document a line |
| `metadata/images.csv` | the images as a table |
| `datacite.json`, `datacite.xml` | citation metadata (DataCite 4.5) |
| `data/` | the image files, when they are part of the package |
| `manifest-sha256.txt` | checksums of all files |"""


def _line(text: str) -> str:
    return " ".join(text.split())


def _article(article: Article) -> str:
    place = f"https://doi.org/{article.doi}" if article.doi else article.url
    return _line(f"{article.title} {place}")


def _numbers(proposal: Proposal) -> range:
    return range(len(proposal.draft.creators))


def _person(number: int, proposal: Proposal) -> str:
    creator = proposal.draft.creators[number]
    orcid = f"https://orcid.org/{creator.orcid}" if creator.orcid else ""
    return ", ".join(part for part in (creator.name, creator.affiliation, orcid) if part)


def _citation(proposal: Proposal) -> str:
    draft = proposal.draft
    names = "; ".join(creator.name for creator in draft.creators)
    place = f"https://doi.org/{proposal.doi}" if proposal.doi else proposal.url or draft.key
    return _line(
        f"{names} ({draft.date[:4]}): {draft.title}. Version {draft.version}. "
        f"{draft.publisher}. {place}"
    )
