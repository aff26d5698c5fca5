"""Asking servers: one way for all sources, polite and bounded."""
