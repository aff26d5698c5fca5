"""BioStudies' PageTab and EMPIAR's entries as records."""
