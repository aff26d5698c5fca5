"""Folders of images as records."""
