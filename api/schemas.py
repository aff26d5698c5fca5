"""Schemas of everything that the API takes and gives; strict: no member beyond those listed."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from parfocal.fields import FIELDS, Field
from parfocal.model import Dataset, Image, Level
from parfocal.query import Expand, FieldOp, KeyOp
from parfocal.values import Problem, RunReport

Schema = dict[str, Any]
_PREFIX = "#/components/schemas/"
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
LEVELS = list(get_args(Level))


def ref(name: str) -> Schema:
    """Return a reference to a schema."""
    return {"$ref": _PREFIX + name}


def many(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def table(members: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """Return the schema of an object with exactly these members."""
    return {
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }


def _values(items: Schema) -> Schema:
    return {"oneOf": [items, many(items)]}


def _clause() -> Schema:
    scalar = {"type": ["string", "number"]}
    return {
        "description": "One condition; docs/query.md explains them.",
        "oneOf": [
            table({"all": many(ref("Clause"))}),
            table({"any": many(ref("Clause"))}),
            table({"not": ref("Clause")}),
            table({"text": TEXT}),
            table({"phrase": TEXT}),
            table({"within": TEXT}),
            table(
                {
                    "field": {"enum": sorted(_field_names())},
                    "op": {"enum": [*get_args(FieldOp), "range"]},
                    "value": _values({"type": ["string", "number", "null"]}),
                },
                ("op", "value"),
            ),
            table(
                {"key": TEXT, "op": {"enum": list(get_args(KeyOp))}, "value": _values(scalar)},
                ("op", "value"),
            ),
        ],
    }


def _field_names() -> list[str]:
    return [name for field in FIELDS for name in (field.name, *field.aliases)]


def _question() -> Schema:
    facet = {
        "oneOf": [
            TEXT,
            table({"field": TEXT, "size": {"type": "integer", "minimum": 1}}, ("size",)),
        ]
    }
    members: dict[str, Schema] = {
        "where": ref("Clause"),
        "level": {"enum": ["any", *LEVELS]},
        "facets": many(facet),
        "sort": TEXT,
        "size": {"type": "integer", "minimum": 0, "maximum": 1000},
        "after": MAYBE_TEXT,
        "expand": {"enum": list(get_args(Expand))},
        "collapse": {"type": "boolean"},
    }
    return table(members, tuple(members))


def _hit_annotation(claim: Schema) -> Schema:
    members = {**claim["properties"], "iri": TEXT, "inherited_from": MAYBE_TEXT}
    return table(members)


def _hit() -> Schema:
    return table(
        {
            "id": TEXT,
            "type": TEXT,
            "level": {"enum": LEVELS},
            "title": TEXT,
            "snippet": TEXT,
            "container": MAYBE_TEXT,
            "study": MAYBE_TEXT,
            "source": TEXT,
            "annotations": many(ref("HitAnnotation")),
            "reasons": many(ref("Reason")),
            "thumbnail": TEXT,
            "links": many(ref("HitLink")),
            "images": {"type": ["integer", "null"], "minimum": 0},
            "best": MAYBE_TEXT,
            "cluster": TEXT,
        }
    )


def _understood() -> Schema:
    return table(
        {
            "text": MAYBE_TEXT,
            "level": {"enum": ["any", *LEVELS]},
            "expand": {"enum": list(get_args(Expand))},
            "collapse": {"type": "boolean"},
            "sort": table({"by": TEXT, "descending": {"type": "boolean"}}),
            "size": COUNT,
            "where": {
                "type": "object",
                "description": "Tree of clauses, told apart by their member type.",
            },
            "expansions": many(ref("Expansion")),
        }
    )


def _search_answer() -> Schema:
    return table(
        {
            "total": COUNT,
            "levels": table({level: COUNT for level in LEVELS}),
            "hits": many(ref("Hit")),
            "facets": {"type": "object", "additionalProperties": many(ref("FacetValue"))},
            "query": ref("Understood"),
            "next": MAYBE_TEXT,
        }
    )


def _answers(components: dict[str, Schema]) -> dict[str, Schema]:
    reason = {name: TEXT for name in ("asked", "how", "text", "term", "label", "field", "key")}
    expansion = {"text": TEXT, "term": TEXT, "label": TEXT, "synonyms": many(TEXT)}
    return {
        "Clause": _clause(),
        "Question": _question(),
        "HitAnnotation": _hit_annotation(components["Annotation"]),
        "Reason": table({**reason, "inherited_from": MAYBE_TEXT}),
        "HitLink": table(components["Link"]["properties"]),
        "Hit": _hit(),
        "FacetValue": table({"value": TEXT, "label": TEXT, "count": COUNT}),
        "FacetNode": table(
            {
                "term": TEXT,
                "label": TEXT,
                "count": COUNT,
                "own": COUNT,
                "children": many(ref("FacetNode")),
            }
        ),
        "FacetTree": table({"field": TEXT, "tree": many(ref("FacetNode"))}),
        "Expansion": table({**expansion, "narrower": COUNT, "field": TEXT}),
        "Understood": _understood(),
        "SearchAnswer": _search_answer(),
    }


def _review() -> dict[str, Schema]:
    candidate = {"term": TEXT, "label": TEXT, "method": TEXT, "score": {"type": "number"}}
    text = {"field": TEXT, "text": TEXT, "records": COUNT, "studies": COUNT, "keys": many(TEXT)}
    mapping = {name: TEXT for name in ("text", "field", "label", "author", "date", "comment")}
    kinds = {"enum": ["accept", "reject", "no-term", "undo"]}
    return {
        "Candidate": table(candidate),
        "OpenText": table({**text, "candidates": many(ref("Candidate"))}),
        "OpenTexts": table({"total": COUNT, "texts": many(ref("OpenText")), "next": MAYBE_TEXT}),
        "Mapping": table(
            {
                **mapping,
                "term": MAYBE_TEXT,
                "negated": {"type": "boolean"},
                "confidence": {"type": "number"},
                "justification": TEXT,
            }
        ),
        "Decisions": table({"decisions": many(ref("Mapping"))}),
        "Decision": table(
            {"field": TEXT, "text": TEXT, "decision": kinds, "term": TEXT}, ("term",)
        ),
        "Decided": table({"decided": ref("Mapping"), "undone": COUNT}, ("decided", "undone")),
    }


def _health() -> Schema:
    state = {"enum": ["ok", "behind", "unavailable"]}
    return table({name: state for name in ("status", "store", "index", "graph")})


def _rest(components: dict[str, Schema]) -> dict[str, Schema]:
    suggestion = {name: TEXT for name in ("text", "kind", "field", "term", "label")}
    problem: dict[str, Schema] = {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "hint": TEXT,
        "position": COUNT,
        "length": COUNT,
        "pointer": TEXT,
        "parameter": TEXT,
        "retryable": {"type": "boolean"},
        "request_id": TEXT,
    }
    return {
        "Suggestions": table({"suggestions": many(table({**suggestion, "count": COUNT}))}),
        "Fields": table({"fields": many(table(components["Field"]["properties"]))}),
        "Sources": table(
            {
                "sources": many(
                    table(
                        {
                            "name": TEXT,
                            "kind": TEXT,
                            "records": COUNT,
                            "last_run": {"oneOf": [ref("RunReport"), {"type": "null"}]},
                        }
                    )
                )
            }
        ),
        "SourceRuns": table({"source": TEXT, "runs": many(ref("RunReport"))}),
        "SourceProblems": table(
            {
                "source": TEXT,
                "problems": many(table({"number": COUNT, **components["Problem"]["properties"]})),
                "next": MAYBE_TEXT,
            }
        ),
        "Health": _health(),
        "ProblemDetails": table(
            problem, ("hint", "position", "length", "pointer", "parameter", "retryable")
        ),
    }


def components() -> dict[str, Schema]:
    """Return all schemas by name; those of records come from the model itself."""
    given = (Dataset, Image, Field, RunReport, Problem)
    _, found = msgspec.json.schema_components(given, ref_template=_PREFIX + "{name}")
    for name in ("Field", "RunReport", "Counts", "Problem"):
        found[name]["additionalProperties"] = False
    for name in ("Dataset", "Image"):
        found[name]["properties"]["iri"] = {**TEXT, "description": "Address of the record."}
        found[name]["required"] = [*found[name]["required"], "iri"]
    found["Record"] = {"oneOf": [ref("Dataset"), ref("Image")]}
    return {**found, **_answers(found), **_review(), **_rest(found)}
