"""docker-compose.yml and Dockerfile: valid, pinned, checked for health, closed to the outside."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked(name):
    text = (ROOT / "constraints.txt").read_text()
    return Version(re.search(rf"^{name}==(.+)$", text, re.MULTILINE | re.IGNORECASE).group(1))


def tag_of(image):
    return image.rpartition(":")[2]


def test_compose_itself_accepts_the_file():
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed (Debian: apt-get install docker-compose)")
    done = subprocess.run(
        [program, "-f", str(COMPOSE), "config"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    resolved = yaml.safe_load(done.stdout)
    assert set(resolved["services"]) == {"app", "elasticsearch"}
    assert "${" not in done.stdout


def test_every_service_is_checked_for_health_and_restarts(services):
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"]), name
    assert services["app"]["depends_on"]["elasticsearch"]["condition"] == "service_healthy"
    assert "/healthz" in " ".join(services["app"]["healthcheck"]["test"])


def test_tags_are_pinned(services):
    for service in services.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", tag_of(service["image"]))
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", bases[0])


def test_server_client_and_image_have_the_same_elasticsearch_release(services, project):
    server = Version(tag_of(services["elasticsearch"]["image"]))
    wanted = Requirement(project["optional-dependencies"]["elastic"][0])
    assert wanted.name == "elasticsearch"
    assert server in wanted.specifier
    assert locked("elasticsearch").release[:2] == server.release[:2]


def test_image_has_the_version_of_the_package_and_a_python_that_it_supports(services, project):
    from parfocal import __version__

    assert tag_of(services["app"]["image"]) == __version__
    base = re.search(r"^FROM python:([\d.]+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert Version(base.group(1)) in Requirement("python" + project["requires-python"]).specifier


def test_search_server_cannot_be_reached_from_outside(services):
    compose = yaml.safe_load(COMPOSE.read_text())
    server = services["elasticsearch"]
    assert "ports" not in server
    assert server["networks"] == ["search"]
    assert compose["networks"]["search"]["internal"] is True
    assert all(str(port).startswith("127.0.0.1:") for port in services["app"]["ports"])


def test_data_outlives_the_containers(services):
    volumes = yaml.safe_load(COMPOSE.read_text())["volumes"]
    for name, service in services.items():
        mounted = {entry.partition(":")[0] for entry in service["volumes"]}
        assert mounted & set(volumes), name


def test_settings_of_the_app_are_real_ones(services, monkeypatch, tmp_path):
    from parfocal.config import load

    environment = {
        key: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)
        for key, value in services["app"]["environment"].items()
    }
    monkeypatch.chdir(tmp_path)
    settings = load(environ=environment)
    assert settings.search.engine == "elastic"
    assert settings.search.url == "http://elasticsearch:9200"
    assert settings.server.host == "0.0.0.0"
    known = set(settings.origins.values())
    assert set(environment) <= known


def test_image_runs_without_root_and_takes_locked_versions():
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER parfocal$", text, re.MULTILINE)
    assert "--constraint constraints.txt" in text
    assert re.search(r"^HEALTHCHECK", text, re.MULTILINE)


def test_build_gets_only_what_the_package_needs():
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert {"parfocal", "harvester", "indexer", "ontology", "api", "publish"} <= allowed
    assert all((ROOT / name).exists() for name in allowed)
