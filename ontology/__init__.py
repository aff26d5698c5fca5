"""Ontologies: reading them, keeping their terms, annotating records."""
