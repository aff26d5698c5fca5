"""An OAI-PMH provider on loopback, strict as the protocol and as forgetful as real ones.

Dates must have the announced granularity, ``from`` after ``until`` is an error, a resumption token
allows no other argument. Tokens hold an offset; an expired one is HTTP 422, as InvenioRDM has it,
or badResumptionToken. The last page has an empty token; a list of one page has none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from parfocal.testing.loopback import Asked, Given

NAMESPACES = {
    "oai_dc": "http://www.openarchives.org/OAI/2.0/oai_dc/",
    "oai_datacite": "http://schema.datacite.org/oai/oai-1.1/",
    "datacite": "http://datacite.org/schema/kernel-4",
    "dcat": "http://www.w3.org/ns/dcat#",
    "marc21": "http://www.loc.gov/MARC21/slim",
}
_ALLOWED = {
    "ListRecords": {"metadataPrefix", "from", "until", "set", "resumptionToken"},
    "ListIdentifiers": {"metadataPrefix", "from", "until", "set", "resumptionToken"},
    "GetRecord": {"identifier", "metadataPrefix"},
    "Identify": set(),
    "ListMetadataFormats": {"identifier"},
    "ListSets": {"resumptionToken"},
}


class FakeOai:
    """The provider; ``records`` hold title, datestamp, sets and whether they are deleted."""

    def __init__(
        self,
        count: int = 7,
        *,
        deleted: str = "persistent",
        by_second: bool = True,
        formats: tuple[str, ...] = ("oai_dc",),
        page: int = 3,
        sizes: bool = True,
        http_errors: bool = True,
    ) -> None:
        self.deleted = deleted
        self.by_second = by_second
        self.formats = formats
        self.page = page
        self.sizes = sizes
        self.http_errors = http_errors
        self.records: list[dict[str, Any]] = []
        self.clock = datetime(2024, 1, 1, tzinfo=UTC)
        self.number = 0
        self.how = ""
        self.expires_at = 0
        self.clock_error = timedelta(seconds=5)
        """How far the provider's clock is ahead of its datestamps."""
        self.raw: dict[str, str] = {}
        """Records, by identifier, that are given out exactly as they stand here."""
        for _ in range(count):
            self.add()

    # ------------------------------------------------------------- the world

    def stamp(self, instant: datetime | None = None) -> str:
        when = instant or self.clock
        return when.strftime("%Y-%m-%dT%H:%M:%SZ" if self.by_second else "%Y-%m-%d")

    def add(self, *sets: str) -> dict[str, Any]:
        self.number += 1
        self.clock += timedelta(hours=7)
        made = {
            "identifier": f"oai:archive.example:{self.number}",
            "title": f"Cells {self.number} & more",
            "datestamp": self.stamp(),
            "sets": sets,
            "deleted": False,
        }
        self.records.append(made)
        return made

    def change(self) -> None:
        self.clock += timedelta(hours=7)
        record = next(one for one in self.records[1:] if not one["deleted"])
        record.update(title=record["title"] + ", better", datestamp=self.stamp())

    def remove(self) -> None:
        self.clock += timedelta(hours=7)
        record = next(one for one in self.records if not one["deleted"])
        if self.deleted == "no":
            self.records.remove(record)
        else:
            record.update(deleted=True, datestamp=self.stamp())

    def misbehave(self, how: str) -> None:
        self.how = how
        self.expires_at = 1

    # ------------------------------------------------------------- answers

    def answer(self, asked: Asked) -> Given:
        verb = asked.one("verb")
        given = {name for name in asked.query if name != "verb"}
        if verb not in _ALLOWED:
            return self.error("badVerb", "no such verb")
        if not given <= _ALLOWED[verb] or any(len(v) > 1 for v in asked.query.values()):
            return self.error("badArgument", "unknown or repeated argument")
        if verb == "Identify":
            return self.document("Identify", self.identity(asked))
        if verb == "ListMetadataFormats":
            return self.document(verb, "".join(map(self.format, self.formats)))
        if verb == "ListSets":
            return self.error("noSetHierarchy", "")
        if verb == "GetRecord":
            return self.one(asked)
        return self.list(asked, verb, given)

    def identity(self, asked: Asked) -> str:
        granularity = "YYYY-MM-DDThh:mm:ssZ" if self.by_second else "YYYY-MM-DD"
        return (
            "<repositoryName>Example</repositoryName>"
            f"<baseURL>http://{asked.headers['host']}/oai</baseURL>"
            "<protocolVersion>2.0</protocolVersion><adminEmail>a@example.org</adminEmail>"
            f"<earliestDatestamp>{self.stamp(datetime(2024, 1, 1, tzinfo=UTC))}"
            f"</earliestDatestamp><deletedRecord>{self.deleted}</deletedRecord>"
            f"<granularity>{granularity}</granularity>"
        )

    def format(self, prefix: str) -> str:
        return (
            f"<metadataFormat><metadataPrefix>{prefix}</metadataPrefix>"
            f"<schema>{NAMESPACES[prefix]}schema.xsd</schema>"
            f"<metadataNamespace>{NAMESPACES[prefix]}</metadataNamespace></metadataFormat>"
        )

    def one(self, asked: Asked) -> Given:
        found = [r for r in self.records if r["identifier"] == asked.one("identifier")]
        if not found:
            return self.error("idDoesNotExist", "no such item")
        return self.document("GetRecord", self.record(found[0], asked.one("metadataPrefix")))

    def list(self, asked: Asked, verb: str, given: set[str]) -> Given:
        token = asked.one("resumptionToken")
        if token:
            if given != {"resumptionToken"}:
                return self.error("badArgument", "a token stands alone")
            return self.resumed(verb, token)
        if asked.one("metadataPrefix") not in self.formats:
            code = "cannotDisseminateFormat" if asked.one("metadataPrefix") else "badArgument"
            return self.error(code, "no such format")
        begin, end = asked.one("from"), asked.one("until")
        wanted = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" if self.by_second else r"\d{4}-\d\d-\d\d"
        if any(text and not re.fullmatch(wanted, text) for text in (begin, end)):
            return self.error("badArgument", "not the granularity of this provider")
        if begin and end and begin > end:
            return self.error("badArgument", "from is after until")
        return self.part(verb, 0, asked.one("metadataPrefix"), begin, end, asked.one("set"))

    def resumed(self, verb: str, token: str) -> Given:
        if self.how == "expired" and self.expires_at:
            self.expires_at -= 1
            if self.http_errors:
                return Given(422, b'{"message": "The request was well-formed but ..."}')
            return self.error("badResumptionToken", "expired")
        parts = token.split("!")[0].split("|")
        if len(parts) != 6 or parts[5] != verb:
            return self.error("badResumptionToken", "unknown")
        offset = 0 if self.how == "duplicate-page" else int(parts[0])
        return self.part(verb, offset, *parts[1:5], ring=token.count("!"))

    def part(
        self, verb: str, offset: int, prefix: str, begin: str, end: str, name: str, ring: int = 0
    ) -> Given:
        found = [
            one
            for one in self.records
            if (not begin or one["datestamp"] >= begin)
            and (not end or one["datestamp"] <= end)
            and (not name or any(s == name or s.startswith(f"{name}:") for s in one["sets"]))
        ]
        if self.how == "empty":
            found = []
        if not found:
            return self.error("noRecordsMatch", "")
        shown = found[offset : offset + self.page]
        entries = "".join(
            self.header(one) if verb == "ListIdentifiers" else self.record(one, prefix)
            for one in shown
        )
        size = f' completeListSize="{len(found)}"' if self.sizes else ""
        after = offset + self.page
        if self.how == "endless-next":
            after, ring = 0 if after >= len(found) else after, ring + 1
        token = f"{after}|{prefix}|{begin}|{end}|{name}|{verb}{'!' * ring}"
        if after < len(found) or self.how == "endless-next":
            entries += f'<resumptionToken cursor="{offset}"{size}>{escape(token)}</resumptionToken>'
        elif offset:
            entries += f'<resumptionToken cursor="{offset}"{size}/>'
        return self.document(verb, entries)

    # ------------------------------------------------------------- XML

    def document(self, verb: str, inner: str) -> Given:
        return self.envelope(f"<{verb}>{inner}</{verb}>", f' verb="{verb}"')

    def error(self, code: str, message: str) -> Given:
        return self.envelope(f'<error code="{code}">{escape(message)}</error>', "")

    def envelope(self, inner: str, request: str) -> Given:
        date = (self.clock + self.clock_error).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            f"<responseDate>{date}</responseDate>"
            f"<request{request}>http://archive.example/oai</request>{inner}</OAI-PMH>"
        )
        return Given(200, text.encode(), "text/xml; charset=utf-8")

    def header(self, one: dict[str, Any]) -> str:
        status = ' status="deleted"' if one["deleted"] else ""
        sets = "".join(f"<setSpec>{escape(name)}</setSpec>" for name in one["sets"])
        return (
            f"<header{status}><identifier>{escape(one['identifier'])}</identifier>"
            f"<datestamp>{one['datestamp']}</datestamp>{sets}</header>"
        )

    def record(self, one: dict[str, Any], prefix: str) -> str:
        if one["identifier"] in self.raw:
            return self.raw[one["identifier"]]
        if one["deleted"]:
            return f"<record>{self.header(one)}</record>"
        made = {"oai_dc": dublin_core, "dcat": dcat, "oai_datacite": wrapped}.get(prefix, datacite)
        number = one["identifier"].rpartition(":")[2]
        metadata = made(escape(one["title"]), number)
        return f"<record>{self.header(one)}<metadata>{metadata}</metadata></record>"


def dublin_core(title: str, number: str) -> str:
    return (
        f'<oai_dc:dc xmlns:oai_dc="{NAMESPACES["oai_dc"]}"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{title}</dc:title><dc:creator>Example, Ada</dc:creator>"
        "<dc:subject>HeLa</dc:subject><dc:description>Words</dc:description>"
        "<dc:publisher>Example Archive</dc:publisher><dc:date>2024-01-02</dc:date>"
        f"<dc:type>dataset</dc:type><dc:identifier>https://doi.org/10.5072/{number}</dc:identifier>"
        f"<dc:identifier>https://archive.example/{number}</dc:identifier>"
        "<dc:rights>info:eu-repo/semantics/openAccess</dc:rights>"
        "<dc:rights>https://creativecommons.org/licenses/by/4.0/legalcode</dc:rights>"
        "</oai_dc:dc>"
    )


def datacite(title: str, number: str) -> str:
    return (
        f'<resource xmlns="{NAMESPACES["datacite"]}">'
        f'<identifier identifierType="DOI">10.5072/{number}</identifier>'
        "<creators><creator><creatorName>Example, Ada</creatorName><nameIdentifier"
        ' nameIdentifierScheme="ORCID">0000-0002-1825-0097</nameIdentifier></creator></creators>'
        f"<titles><title>{title}</title></titles><publisher>Example Archive</publisher>"
        "<publicationYear>2024</publicationYear>"
        '<resourceType resourceTypeGeneral="Dataset">Dataset</resourceType>'
        "<subjects><subject>HeLa</subject><subject valueURI="
        '"http://purl.obolibrary.org/obo/NCBITaxon_9606">human</subject></subjects>'
        '<dates><date dateType="Issued">2024-01-02</date></dates><relatedIdentifiers>'
        '<relatedIdentifier relatedIdentifierType="DOI" relationType="IsSupplementTo">'
        "10.1000/Paper</relatedIdentifier></relatedIdentifiers>"
        '<rightsList><rights rightsURI="https://creativecommons.org/licenses/by/4.0/">CC</rights>'
        '</rightsList><descriptions><description descriptionType="Abstract">Words</description>'
        "</descriptions><fundingReferences><fundingReference><funderName>Funder</funderName>"
        "<awardNumber>7</awardNumber></fundingReference></fundingReferences></resource>"
    )


def wrapped(title: str, number: str) -> str:
    return (
        f'<oai_datacite xmlns="{NAMESPACES["oai_datacite"]}"><schemaVersion>4</schemaVersion>'
        f"<payload>{datacite(title, number)}</payload></oai_datacite>"
    )


def dcat(title: str, number: str) -> str:
    base = f"https://archive.example/{number}"
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns:dct="http://purl.org/dc/terms/" xmlns:dcat="http://www.w3.org/ns/dcat#"'
        ' xmlns:foaf="http://xmlns.com/foaf/0.1/">'
        f"<dcat:Dataset rdf:about={quoteattr(f'https://doi.org/10.5072/{number}')}>"
        f"<dct:title>{title}</dct:title><dct:description>Words</dct:description>"
        "<dct:creator><foaf:Agent rdf:about='https://orcid.org/0000-0002-1825-0097'>"
        "<foaf:name>Example, Ada</foaf:name></foaf:Agent></dct:creator>"
        "<dct:publisher><foaf:Agent><foaf:name>Example Archive</foaf:name></foaf:Agent>"
        "</dct:publisher><dct:issued>2024-01-02</dct:issued><dcat:keyword>HeLa</dcat:keyword>"
        f"<foaf:page rdf:resource='{base}'/>"
        "<dct:license rdf:resource='https://creativecommons.org/licenses/by/4.0/'/>"
        "<dct:spatial><dct:Location><dct:title>Bench 7</dct:title></dct:Location></dct:spatial>"
        f"<dcat:distribution><dcat:Distribution><dcat:downloadURL rdf:resource='{base}/a.czi'/>"
        "<dcat:byteSize>123</dcat:byteSize></dcat:Distribution></dcat:distribution>"
        f"<dcat:distribution><dcat:Distribution><dcat:downloadURL rdf:resource='{base}/b.csv'/>"
        "</dcat:Distribution></dcat:distribution></dcat:Dataset></rdf:RDF>"
    )
