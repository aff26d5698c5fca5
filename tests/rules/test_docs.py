"""Documentation names everything that there is, its links lead somewhere, its commands run."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, SecretStr

from parfocal import __version__, registry
from parfocal.config import Settings, SourceSettings, ViewerSettings, load
from parfocal.fields import FIELDS, Field


def section(document: str, heading: str) -> str:
    """The text below a heading, up to the next one."""
    match = re.search(
        rf"^(#+) {re.escape(heading)}\s*$(.*?)(?=^#{{1,9}} |\Z)", document, re.MULTILINE | re.DOTALL
    )
    assert match, f"no heading {heading!r}"
    return match.group(2)


# ------------------------------------------------------------------ settings


def shown(default: object) -> str:
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default in ("", ()) or default is None:
        return ""
    return f"`{default}`"


def settings_of(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The rows that the table of settings must have."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings_of(kind, f"{prefix}{name}.")
        elif field.description:
            default = "" if field.is_required() else shown(field.default)
            yield f"| `{prefix}{name}` | {default} | {field.description} |"


@pytest.mark.parametrize(
    "row",
    [
        *(row for row in settings_of(Settings, "") if "`file`" not in row),
        *settings_of(SourceSettings, "sources."),
        *settings_of(ViewerSettings, "server.viewers."),
    ],
)
def test_setting_is_in_the_documentation(row: str, documents) -> None:
    assert row in documents["docs/configuration.md"].splitlines()


def test_example_configuration_is_valid(documents, tmp_path: Path) -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", documents["docs/configuration.md"], re.M | re.S)
    blocks += re.findall(r"^```toml\n(.*?)^```", documents["README.md"], re.M | re.S)
    assert blocks
    for block in blocks:
        file = tmp_path / "parfocal.toml"
        file.write_text(block)
        assert load(file, environ={})


@pytest.mark.parametrize("kind", registry.names("sources"))
def test_kind_of_source_has_a_page_with_all_its_options(kind: str, documents) -> None:
    page = documents[f"docs/sources/{kind}.md"]
    options = registry.load("sources", kind).Options
    missing = [name for name in options.model_fields if f"| `{name}` |" not in page]
    assert missing == []
    blocks = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    tables = [table for block in blocks for table in tomllib.loads(block).get("sources", ())]
    kinds = [table["kind"] for table in tables]
    assert kind in kinds


# ------------------------------------------------------------------ fields


def row_of(field: Field) -> str:
    names = ", ".join(f"`{name}`" for name in (field.name, *field.aliases))
    marks = ", ".join(
        mark for mark, wanted in (("facet", field.facet), ("inherited", field.inherited)) if wanted
    )
    kind = f"{field.type} ({field.unit})" if field.unit else field.type
    return f"| {names} | {kind} | {field.sentence} | {marks} | {', '.join(field.prefixes)} |"


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_field_is_in_the_documentation(field: Field, documents) -> None:
    assert row_of(field) in documents["docs/fields.md"].splitlines()


# ------------------------------------------------------------------ commands


def commands(command: click.Command, way: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    """All commands with their whole names."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*way, name))
    else:
        yield " ".join(way), command


def command_line() -> click.Command:
    from parfocal.cli import root

    return root


def test_every_command_and_option_is_in_the_documentation(documents) -> None:
    page = documents["docs/commands.md"]
    missing = []
    found = list(commands(command_line(), ("parfocal",)))
    assert len(found) > 10
    for name, command in found:
        text = section(page, f"`{name}`")
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                missing += [f"{name} {o}" for o in parameter.opts if f"`{o}" not in text]
    assert missing == []


def test_documentation_names_no_command_that_is_gone(documents) -> None:
    documented = set(re.findall(r"^#+ `(parfocal .+)`$", documents["docs/commands.md"], re.M))
    assert documented == {name for name, _ in commands(command_line(), ("parfocal",))}


def test_every_command_explains_itself() -> None:
    for name, command in commands(command_line(), ("parfocal",)):
        done = CliRunner().invoke(command_line(), [*shlex.split(name)[1:], "--help"])
        assert done.exit_code == 0, (name, done.output)
        assert command.help, name
        unexplained = [
            parameter.name
            for parameter in command.params
            if isinstance(parameter, click.Option) and not parameter.help
        ]
        assert unexplained == [], name


# ------------------------------------------------------------------ routes

_PARAMETER = re.compile(r"<[^<>]+>|\{[^{}]+\}")


@pytest.fixture(scope="module")
def routes() -> set[str]:
    """Every address of the web application, as ``GET /records/{}``."""
    from api.app import create_app
    from parfocal.catalogue import Catalogue

    with Catalogue.in_memory() as catalogue:
        rules = list(create_app(catalogue).url_map.iter_rules())
    return {
        f"{method} {_PARAMETER.sub('{}', rule.rule)}"
        for rule in rules
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_is_in_the_documentation(routes, documents) -> None:
    headings = re.findall(r"^#+ `([A-Z]+) (\S+)`", documents["docs/api.md"], re.MULTILINE)
    documented = {f"{method} {_PARAMETER.sub('{}', path)}" for method, path in headings}
    assert documented == routes


# ------------------------------------------------------------------ links and commands in the text


def anchors(document: str) -> set[str]:
    titles = re.findall(r"^#+ (.+?)\s*$", document, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_inside_the_documentation_lead_somewhere(documents, root: Path) -> None:
    wrong = []
    for name, text in documents.items():
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (root / name).parent / path if path else root / name
            if not file.exists():
                wrong.append(f"{name}: {target}")
            elif anchor and anchor not in anchors(file.read_text()):
                wrong.append(f"{name}: {target} (no such heading)")
    assert wrong == []


def test_every_document_can_be_reached_from_the_index(documents) -> None:
    index = documents["docs/index.md"] + documents["README.md"]
    pages = [name.removeprefix("docs/") for name in documents if name.startswith("docs/")]
    assert [page for page in pages if page != "index.md" and f"{page})" not in index] == []


def console_lines(document: str) -> Iterator[str]:
    """The commands of a document: lines after ``$`` in blocks marked console."""
    for block in re.findall(r"^ *```console\n(.*?)^ *```", document, re.MULTILINE | re.DOTALL):
        for line in map(str.strip, block.replace("\\\n", " ").splitlines()):
            if line.startswith("$ "):
                yield re.sub(r"\s+#\s.*$", "", line[2:])


def test_readme_has_the_two_commands(documents) -> None:
    lines = list(console_lines(documents["README.md"]))
    assert "make demo" in lines
    assert "make test" in lines


def test_make_knows_every_target_that_is_named(documents, root: Path) -> None:
    targets = {
        word
        for text in documents.values()
        for line in console_lines(text)
        if line.startswith("make ")
        for word in shlex.split(line)[1:]
        if "=" not in word
    }
    assert targets
    for target in sorted(targets):
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=root, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr


def parfocal_lines(documents: dict[str, str]) -> list[str]:
    lines = [line for text in documents.values() for line in console_lines(text)]
    return [line for line in lines if re.match(r"(\w+=\S+ )*parfocal\b", line)]


def test_every_command_in_the_documentation_is_understood(documents) -> None:
    """Each line is parsed as the command would parse it: names, options, numbers of arguments."""
    lines = parfocal_lines(documents)
    assert lines
    for line in lines:
        words = [word for word in shlex.split(line) if not re.fullmatch(r"[A-Z_]+=.*", word)][1:]
        plain = words[: next((i for i, w in enumerate(words) if w in ("|", ">", "&&")), None)]
        understand(command_line(), plain, line)


def understand(command: click.Command, words: list[str], line: str) -> None:
    try:
        context = command.make_context(command.name, list(words), resilient_parsing=False)
    except click.exceptions.Exit:
        return
    except click.UsageError as error:
        if not is_about_files(error):
            pytest.fail(f"{line}: {error.format_message()}")
        return
    if isinstance(command, click.Group):
        name, inner, rest = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert inner is not None, f"{line}: no command {name}"
        understand(inner, rest, line)


def is_about_files(error: click.UsageError) -> bool:
    """A file that the reader has and the test has not."""
    return isinstance(error, click.BadParameter) and "does not exist" in error.message


# ------------------------------------------------------------------ releases


def test_version_has_its_changelog_entry(documents) -> None:
    assert re.search(rf"^## \[{re.escape(__version__)}\]", documents["CHANGELOG.md"], re.MULTILINE)


def test_architecture_fits_on_two_screens(documents) -> None:
    assert documents["ARCHITECTURE.md"].count("\n") <= 120


def test_readme_opens_with_what_it_is_and_shows_it(documents, root: Path) -> None:
    lines = [line for line in documents["README.md"].splitlines() if line]
    assert lines[0] == "# parfocal"
    assert not lines[1].startswith(("#", "!", "`"))
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", documents["README.md"])
    assert len(pictures) == 1
    assert (root / pictures[0]).is_file()


def test_python_of_this_run_is_one_that_the_package_supports() -> None:
    assert sys.version_info >= (3, 11)
