"""Ontology terms: loading, storing, annotating."""
