"""Contract classes and sample records for authors of plug-ins."""
