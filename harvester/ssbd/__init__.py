"""SSBD's graphs as records."""
