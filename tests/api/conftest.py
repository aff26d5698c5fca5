"""The application over the sample records; as anybody, and as a member of the lab."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from parfocal.catalogue import Catalogue


def load_samples() -> ModuleType:
    """Import the module of sample records, which lies beside the tests."""
    name = "parfocal_api_samples"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("samples.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def samples() -> ModuleType:
    return load_samples()


@pytest.fixture(scope="session")
def catalogue(samples: ModuleType) -> Iterator[Catalogue]:
    records = samples.everything()
    with Catalogue.in_memory(records, terms=samples.terms(), settings=samples.SETTINGS) as opened:
        yield opened


@pytest.fixture(scope="session")
def app(catalogue: Catalogue) -> Flask:
    return create_app(catalogue)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def member(app: Flask, samples: ModuleType) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {samples.TOKEN}"
    return client
