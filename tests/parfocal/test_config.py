from pathlib import Path

import pytest

from parfocal import config
from parfocal.errors import ConfigError


def write(tmp_path, text):
    file = tmp_path / "parfocal.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_file_environment_and_flags_in_that_order(tmp_path):
    file = write(tmp_path, '[search]\nengine = "memory"\nindex = "a"\n[server]\nport = 1\n')
    settings = config.load(
        file,
        environ={"PARFOCAL_SEARCH_ENGINE": "elastic", "PARFOCAL_SERVER_PORT": "2"},
        flags={"server.port": 3},
    )
    assert (settings.search.engine, settings.search.index, settings.server.port) == (
        "elastic",
        "a",
        3,
    )
    assert settings.origins["search.engine"] == "PARFOCAL_SEARCH_ENGINE"
    assert settings.origins["search.index"] == str(file)
    assert settings.origins["server.port"] == "flag"


def test_paths_count_from_the_file(tmp_path):
    file = write(
        tmp_path,
        'data_dir = "d"\n[publish]\nfolder = "p"\n'
        '[[sources]]\nname = "a"\nkind = "local"\npath = "x"\n',
    )
    settings = config.load(file, environ={})
    assert settings.data_dir == tmp_path / "d"
    assert settings.publish.folder == tmp_path / "p"
    assert settings.source("a").options == {"path": str(tmp_path / "x")}


def test_default_paths_count_from_the_file_too(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = config.load(write(tmp_path, "[server]\nport = 1\n"), environ={})
    assert settings.data_dir == tmp_path / "data"
    assert settings.publish.folder == tmp_path / "published"
    assert "data_dir" not in settings.origins


def test_audiences_are_those_of_viewers_and_sources(tmp_path):
    text = (
        '[[sources]]\nname = "a"\nkind = "local"\naccess = ["x", "y"]\n'
        '[[server.viewers]]\nname = "v"\ntoken = "12345678"\ngroups = ["z"]\n'
    )
    settings = config.load(write(tmp_path, text), environ={})
    assert settings.audiences == {frozenset(), *map(frozenset, ("x", "y", "z"))}


def test_without_a_file_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config.load(environ={}).search.engine == "tantivy"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data_dir = [", "not valid TOML"),
        ("colour = 1", "colour: unknown setting"),
        ('[server]\nport = "many"', "server.port"),
        ('[[sources]]\nname = "A B"', "sources.0.name"),
        ('[[sources]]\nname = "a"\nevery = "nightly"', "sources.0.every: .*five fields of cron"),
        ('[[sources]]\nname = "a"\nraw = "soon"', "sources.0.raw: .*How long raw items are kept"),
        ('[harvest]\nraw = "soon"', "harvest.raw: .*days such as 30d"),
        ('[ontology.sources]\ncl = "x"', "ontology.sources.cl: is not of the right form"),
        ('[[sources]]\nname = "a"\n[[sources]]\nname = "a"', "two sources have the name"),
        ('[[server.viewers]]\nname = "x"\ntoken = "short"\ngroups = []', "at least 8 characters"),
        ("\x00", "not valid TOML"),
    ],
)
def test_wrong_settings_are_named(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        config.load(write(tmp_path, text), environ={})
    assert "parfocal.toml" in str(caught.value)


def test_missing_file_says_so(tmp_path):
    with pytest.raises(ConfigError, match="no such configuration file") as caught:
        config.load(tmp_path / "none.toml", environ={})
    assert "init" in caught.value.hint


def test_file_that_is_no_text_says_so(tmp_path):
    file = tmp_path / "parfocal.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid TOML"):
        config.load(file, environ={})


def test_unknown_source_lists_what_there_is(tmp_path):
    settings = config.load(write(tmp_path, '[[sources]]\nname = "a"\nkind = "local"'), environ={})
    with pytest.raises(ConfigError) as caught:
        settings.source("b")
    assert "a" in caught.value.hint


def test_secret_written_into_a_source_by_mistake_is_not_shown(tmp_path):
    file = tmp_path / "parfocal.toml"
    file.write_text(
        '[[sources]]\nname = "lab"\npassword = "hunter2"\ntoken = "env:TOKEN"\nurl = "http://x"\n'
    )
    shown = {name: value for name, value, _ in config.explain(config.load(file, environ={}))}
    assert "hunter2" not in str(shown)
    assert shown["sources[0].token"] == "env:TOKEN"
    assert shown["sources[0].url"] == "http://x"


def test_secrets_are_masked(tmp_path):
    file = write(
        tmp_path,
        '[search]\npassword = "hunter2hunter2"\n'
        '[[server.viewers]]\nname = "x"\ntoken = "hunter2hunter2"\ngroups = ["g"]\n',
    )
    settings = config.load(file, environ={})
    shown = list(config.explain(settings))
    assert ("search.password", "********", str(file)) in shown
    assert "hunter2" not in repr(settings) + repr(shown)
    assert ("search.engine", "tantivy", "default") in shown


def test_the_example_of_schedules_can_be_read(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "runs.md").read_text()
    file = tmp_path / "parfocal.toml"
    file.write_text(text.split("```toml\n")[1].split("```")[0])
    settings = config.load(file, environ={})
    assert [source.every for source in settings.sources] == ["6h", "30 3 * * 1-5"]
    assert settings.alerts.smtp_tls == "starttls"


def test_the_address_of_a_webhook_is_a_secret(tmp_path):
    file = write(tmp_path, '[alerts]\nwebhook = "https://chat.example.org/hooks/s3same"\n')
    rows = {name: value for name, value, _ in config.explain(config.load(file, environ={}))}
    assert rows["alerts.webhook"] == "********"
    file = write(tmp_path, '[alerts]\nwebhook = "chat.example.org/s3same"\n')
    with pytest.raises(ConfigError, match="http or https") as caught:
        config.load(file, environ={})
    assert "s3same" not in str(caught.value)
