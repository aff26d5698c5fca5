"""The web server: API and pages."""
