import os
import subprocess
import sys

import pytest

from parfocal import config, registry
from parfocal.catalogue import Catalogue
from parfocal.cli import main
from parfocal.errors import PluginMissing
from parfocal.identifiers import record_id
from parfocal.model import Image, Provenance


def run(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return caught.value.code


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_writes_a_file_once(folder, capsys):
    assert run("init") == 0
    assert "[[sources]]" in (folder / "parfocal.toml").read_text()
    assert run("init") == 2
    assert "there already" in capsys.readouterr().err


def test_config_show_names_every_setting(folder, capsys):
    assert run("config", "show") == 0
    out = capsys.readouterr().out
    assert "search.engine" in out
    assert "(default)" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "x"], "run parfocal harvest first"),
        (["harvest"], "no source is configured"),
        (["--config", "none.toml", "search", "x"], "no such configuration file"),
        (["show", "nonsense"], "run parfocal harvest first"),
        (["sparql"], "give a query"),
    ],
)
def test_wrong_use_gives_message_and_hint(folder, capsys, arguments, words):
    assert run(*arguments) in (2, 4)
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err


def test_unknown_option_is_a_usage_error(folder, capsys):
    assert run("harvest", "--nonsense") == 2
    assert "--nonsense" in capsys.readouterr().err


@pytest.fixture
def searchable(folder):
    with Catalogue.open(config.load(None, environ={})) as catalogue:
        catalogue.add(
            Image(id=record_id("x", name), title=name, provenance=Provenance("x", name))
            for name in ("mitosis", "hela", "neither")
        )
    return folder


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["-mitosis"], 2),
        (["--count", "-hela", "--sort", "-date"], 2),
        (["-d"], 3),
        (["-hela -mitosis", "--level", "image"], 1),
        (['-kv:"Gene Symbol"'], 3),
        (["--", "-mitosis"], 2),
        (["mitosis"], 1),
        ([], 3),
    ],
)
def test_a_query_may_begin_with_a_minus(searchable, capsys, arguments, count):
    extra = [] if "--count" in arguments else ["--count"]
    assert run("search", *extra, *arguments) == 0
    assert capsys.readouterr().out == f"{count}\n"


def test_options_of_a_search_are_still_checked(searchable, capsys):
    assert run("search", "--nonsense", "-d") == 2
    assert "--nonsense" in capsys.readouterr().err
    assert run("search", "-d", "-e") == 2
    assert run("search", "x", "--size") == 2
    assert run("search", "-h") == 0


SELECT = "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }"
GRAPH = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT 1"


@pytest.mark.parametrize(
    ("arguments", "begin"),
    [
        ([SELECT], "n"),
        ([GRAPH], ""),
        ([SELECT, "--json"], "{"),
        ([GRAPH, "--json"], "["),
        ([GRAPH, "--format", "ntriples"], "<"),
        ([SELECT, "--format", "xml"], "<?xml"),
    ],
)
def test_sparql_prints_what_was_asked_for(searchable, capfdbinary, arguments, begin):
    assert run("sparql", *arguments) == 0
    assert capfdbinary.readouterr().out.decode().startswith(begin)


@pytest.mark.parametrize(
    ("query", "form", "hint"), [(SELECT, "turtle", "csv, tsv"), (GRAPH, "csv", "turtle, ntriples")]
)
def test_sparql_replaces_no_format(searchable, capsys, query, form, hint):
    assert run("sparql", query, "--format", form) == 2
    err = capsys.readouterr().err
    assert f"cannot be printed as {form}" in err
    assert hint in err


@pytest.mark.parametrize("options", [["--format", "csv"], ["--all"], ["--size", "1000"], []])
def test_a_reader_that_goes_away_is_no_failure(searchable, options):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "parfocal", "search", "", *options],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "csv", "--json"], "--json and --format"),
        (["--format", "csv", "--facet", "organism"], "--facet says nothing"),
        (["--all", "--count"], "--count says nothing"),
    ],
)
def test_options_that_would_be_ignored_are_refused(searchable, capsys, arguments, words):
    assert run("search", "x", *arguments) == 2
    assert words in capsys.readouterr().err


def test_broken_configuration_stops_with_two(folder, capsys):
    (folder / "parfocal.toml").write_text("colour = 1")
    assert run("sources", "list") == 2
    assert "colour: unknown setting" in capsys.readouterr().err


def test_missing_extra_becomes_a_hint(monkeypatch):
    error = ModuleNotFoundError("x", name="elasticsearch.helpers")
    assert registry.missing_extra(error, "it").hint == "pip install 'parfocal[elastic]'"
    with pytest.raises(PluginMissing) as caught:
        registry.load("search", "nonsense")
    assert "tantivy" in caught.value.hint


def test_help_of_the_real_command():
    done = subprocess.run(
        [sys.executable, "-m", "parfocal", "--help"], capture_output=True, text=True, check=True
    )
    for command in ("harvest", "search", "sparql", "serve", "publish", "config", "init"):
        assert command in done.stdout
