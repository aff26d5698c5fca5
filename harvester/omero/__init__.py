"""OMERO servers as records."""
