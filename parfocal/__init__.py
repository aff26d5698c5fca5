"""parfocal: one record model, one search and one graph over many bioimage archives."""

__version__ = "0.1.0"
