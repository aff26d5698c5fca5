"""Ontologies: reading them, keeping their terms, annotating records."""

from ontology.load import bundled, read

__all__ = ["bundled", "read"]
