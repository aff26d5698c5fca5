"""The pages in a real browser, over the demo's archives: journeys, axe, budgets, screenshots.

Screenshots are kept in docs/screenshots when PARFOCAL_SCREENSHOTS is set, else only made.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image
from werkzeug.serving import make_server

from api.app import create_app
from parfocal import demo
from parfocal.catalogue import Catalogue
from parfocal.harvesting import harvest
from parfocal.identifiers import record_path

ROOT = Path(__file__).parents[2]
AXE = "axe-core-4.10.3"
CHROMIUM = "/usr/bin/chromium"
pytestmark = pytest.mark.browser
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
WIDTHS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("light", 390)}
SPARQL = "/sparql?query=SELECT%20*%20WHERE%20%7B%3Fs%20%3Fp%20%3Fo%7D%20LIMIT%205"
STUDY = "/records/idr:demo0001-lindqvist-mitosis"
PAGES = {
    "front": "/",
    "results": "/?q=mitosis",
    "search": "/?q=microtubule+human",
    "pictures": "/?level=image&filter=source:disk",
    "list": "/?q=HeLa&view=list",
    "table": "/?q=HeLa&view=table&column=Gene+Symbol",
    "tree": "/?level=image&tree=organism",
    "filtered": "/?q=HeLa&filter=organism:NCBITaxon:9606",
    "nothing": "/?q=HeLa+mitotik&filter=organism:NCBITaxon:9606",
    "refused": "/?q=mitosis+AND",
    "record": STUDY,
    "sources": "/sources?problems=idr",
    "history": "/sources?history=idr",
    "sparql": SPARQL,
    "about": "/about",
    "sign-in": "/sign-in",
    "missing": "/records/idr:none",
}
KEPT = ("front", "search", "results", "table", "nothing", "record", "sources", "sparql", "about")


class Server:
    """An application on a loopback port, in a thread."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._server = make_server("127.0.0.1", 0, create_app(catalogue), threaded=True)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo, harvested and served."""
    settings = demo.prepare(tmp_path_factory.mktemp("demo"), 8000)
    with Catalogue.open(settings) as catalogue:
        # the browser's driver has an event loop in this thread, and a harvest needs its own
        with ThreadPoolExecutor(1) as thread:
            for _ in range(2):  # a plot of the runs needs two
                thread.submit(lambda: list(harvest(catalogue))).result()
        server = Server(catalogue)
        yield server.address
        server.close()


@pytest.fixture(scope="module")
def samples() -> ModuleType:
    path = ROOT / "tests" / "api" / "samples.py"
    spec = importlib.util.spec_from_file_location("parfocal_page_samples", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hostile(samples: ModuleType) -> Iterator[str]:
    """A catalogue of hostile records, served."""
    records = samples.everything()
    with Catalogue.in_memory(records, terms=samples.terms(), settings=samples.SETTINGS) as opened:
        server = Server(opened)
        yield server.address
        server.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that fails the test on a script error, a dialog or a request to another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = watched(context)
    yield opened
    context.close()
    assert opened.faults == []


def watched(context: Any) -> Any:
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(f"script: {error}"))
    page.on("dialog", lambda dialog: (page.faults.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: foreign(page, request.url))
    return page


def foreign(page: Any, url: str) -> None:
    if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
        page.faults.append(f"request to {url}")


@pytest.fixture(scope="module")
def axe() -> str:
    """The accessibility checker axe-core, fetched from npm once and kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "parfocal-tests"
    kept = cache / f"{AXE}.js"
    if not kept.exists():
        fetch_axe(cache, kept)
    return kept.read_text(encoding="utf-8")


def fetch_axe(cache: Path, kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, so axe-core cannot be fetched")
    cache.mkdir(parents=True, exist_ok=True)
    name, _, version = AXE.rpartition("-")
    command = [npm, "pack", "--silent", f"{name}@{version}"]
    done = subprocess.run(command, cwd=cache, capture_output=True, timeout=120, check=False)
    packed = cache / f"{AXE}.tgz"
    if done.returncode or not packed.exists():
        pytest.skip(f"npm is not reachable, so axe-core cannot be fetched: {done.stderr[-200:]!r}")
    with tarfile.open(packed) as archive:
        found = archive.extractfile("package/axe.min.js")
        kept.write_bytes(found.read())


def violations(page: Any, axe: str) -> list[str]:
    page.evaluate(axe)
    result = page.evaluate("async () => await axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for one in result["violations"]
        for node in one["nodes"]
    ]


def screenshot(page: Any, name: str, tmp_path: Path) -> None:
    kept = ROOT / "docs" / "screenshots" if os.environ.get("PARFOCAL_SCREENSHOTS") else tmp_path
    kept.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        assert picture.width >= 390
        picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(
            kept / f"{name}.png", optimize=True
        )


@pytest.mark.parametrize("mode", WIDTHS)
def test_pages_are_accessible_and_fit(browser, served, axe, tmp_path, mode):
    scheme, width = WIDTHS[mode]
    size = {"width": width, "height": 900 if width > 500 else 844}
    context = browser.new_context(color_scheme=scheme, viewport=size)
    page = watched(context)
    found = {}
    for name, path in PAGES.items():
        page.goto(served + path)
        if name in KEPT:
            page.wait_for_load_state("networkidle")
            screenshot(page, f"{name}-{mode}", tmp_path)
        # the phone has the colours of the light theme and the elements of both
        found[name] = violations(page, axe) if mode != "phone" else []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
    context.close()
    assert {name: faults for name, faults in found.items() if faults} == {}
    assert page.faults == []


@pytest.mark.parametrize("width", [320, 768, 2560])
def test_pages_fit_every_width(browser, served, hostile, samples, width):
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = watched(context)
    addresses = [served + path for path in PAGES.values()]
    addresses += [hostile + record_path(record.id) for record in samples.hostile()]
    for address in [*addresses, hostile + "/?level=study", hostile + "/?level=image&view=table"]:
        page.goto(address)
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, address
    context.close()
    assert page.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_records_do_nothing_and_stay_readable(browser, hostile, samples, axe, scheme):
    context = browser.new_context(color_scheme=scheme)
    page = watched(context)
    paths = [record_path(record.id) for record in samples.hostile()]
    for path in [*paths, "/?level=study", "/?level=image&q=huge", "/?level=image&view=table"]:
        page.goto(hostile + path)
        assert violations(page, axe) == [], path
    context.close()
    assert page.faults == []


def test_a_biologist_finds_narrows_opens_and_takes_the_list_with_her(page, served):
    page.goto(served)
    page.fill("#q-hero", "mitosis")
    page.press("#q-hero", "Enter")
    page.wait_for_url("**/?q=mitosis")
    assert "understood as" in page.inner_text(".understood")
    assert page.locator(".card .why").count() > 0
    total = count(page)
    page.locator(".facet", has_text="Phenotype").locator("a.value").first.click()
    page.wait_for_selector(".chips")
    assert 0 < count(page) < total
    assert "filter=phenotype" in page.url
    page.go_back()
    page.wait_for_selector(".chips", state="detached")
    assert count(page) == total
    page.locator(".turret a", has_text="Studies").click()
    page.wait_for_selector('.turret a[aria-current]:has-text("Studies")')
    assert "mitosis" in page.url
    page.locator(".card-title a").first.click()
    page.wait_for_selector(".crumbs")
    assert page.locator("h2", has_text="Cite").count() == 1
    page.go_back()
    page.locator(".take summary").click()
    with page.expect_download() as started:
        page.click(".take a >> text=CSV")
    assert Path(started.value.path()).read_text().startswith("id,type,level,title")


def count(page: Any) -> int:
    return int(re.sub(r"\D", "", page.inner_text(".turret a[aria-current] strong")))


def test_the_request_behind_a_page_gives_the_same(page, served):
    page.goto(served + "/?q=HeLa&filter=organism:NCBITaxon:9606")
    shown = count(page)
    page.click(".take summary")
    call = page.inner_text('pre[aria-label="API call"]')
    answer = page.request.get(served + call[call.index("/api/") :])
    assert answer.json()["total"] == shown


def test_pictures_are_shown(page, served):
    page.goto(served + "/?level=image&filter=source:disk")
    page.wait_for_load_state("networkidle")
    widths = page.eval_on_selector_all(".card img", "all => all.map(one => one.naturalWidth)")
    assert len(widths) >= 5
    assert all(width > 50 for width in widths[:4])


def test_suggestions_complete_what_is_typed(page, served):
    page.goto(served)
    page.type("#q-hero", "mitos", delay=20)
    page.wait_for_selector(".suggestions li")
    page.press("#q-hero", "ArrowDown")
    assert page.get_attribute("#q-hero", "aria-activedescendant")
    page.press("#q-hero", "Enter")
    page.wait_for_selector(".turret")
    assert count(page) > 0


def test_everything_by_keyboard(page, served):
    page.goto(served)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    page.keyboard.type("HeLa")
    page.keyboard.press("Enter")
    page.wait_for_selector(".turret")
    page.locator("body").click(position={"x": 5, "y": 5})
    page.keyboard.press("1")
    page.wait_for_selector('.turret a[aria-current]:has-text("Studies")')
    assert "stud" in page.inner_text("[data-live]")
    page.keyboard.press("3")
    page.wait_for_selector('.turret a[aria-current]:has-text("Images")')
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.className") == "value"
    page.keyboard.press("Enter")
    page.wait_for_selector(".chips")
    page.locator("[data-open]").first.focus()
    page.keyboard.press("ArrowRight")
    cards = "[...document.querySelectorAll('[data-card]')]"
    assert page.evaluate(f"{cards}.indexOf(document.activeElement.closest('[data-card]'))") == 1
    page.keyboard.press("?")
    assert page.locator("dialog h2").inner_text() == "Keyboard"
    page.keyboard.press("Escape")
    assert page.locator("dialog").count() == 0
    page.locator("[data-open]").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".crumbs")


def test_focus_is_always_visible(page, served):
    page.goto(served + "/?q=HeLa")
    for _ in range(25):
        page.keyboard.press("Tab")
        style = page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement);"
            " return [s.outlineStyle, parseFloat(s.outlineWidth)] })()"
        )
        assert style[0] != "none"
        assert style[1] >= 2


def test_the_theme_is_remembered(page, served):
    page.goto(served)
    before = page.evaluate("getComputedStyle(document.body).color")
    page.click("[data-theme-button]")
    after = page.evaluate("getComputedStyle(document.body).color")
    assert before != after
    page.goto(served + "/about")
    assert page.evaluate("getComputedStyle(document.body).color") == after


def test_without_javascript(browser, served):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(served)
    page.fill("#q-hero", "HeLa")
    page.click(".search-big button")
    total = count(page)
    page.click(".to-filters")
    page.locator(".facet a.value").first.click()
    assert page.locator(".chips li").count() == 2
    page.click(".chips a >> nth=0")
    assert count(page) == total
    page.select_option("select[name=sort]", "-date")
    page.click(".order button")
    assert "sort=-date" in page.url
    page.locator(".turret a", has_text="Studies").click()
    page.locator(".card-title a").first.click()
    assert page.locator(".crumbs").count() == 1
    page.goto(served + "/sparql")
    page.click("text=Run")
    assert page.locator("table.rows").count() == 1
    context.close()


def test_a_member_signs_in_and_sees_why(page, served):
    page.goto(served)
    hidden = page.inner_text(".tallies")
    page.click("text=Sign in")
    page.fill("#token", "wrong token")
    page.click("main button[type=submit]")
    assert "not known here" in page.inner_text("[role=alert]")
    page.fill("#token", demo.TOKEN)
    page.click("main button[type=submit]")
    assert page.inner_text(".tallies") != hidden
    page.goto(served + "/?level=image&filter=source:private")
    assert "because you are in group lab" in page.inner_text(".notice")
    page.locator(".card-title a").first.click()
    assert "This record is private" in page.inner_text(".notice")
    page.goto(served + "/sign-in")
    page.click("text=Sign out")
    assert page.inner_text(".tallies") == hidden


def sign_in(page: Any, served: str) -> None:
    page.goto(served + "/sign-in")
    page.fill("#token", demo.TOKEN)
    page.press("#token", "Enter")
    page.wait_for_selector(".bar a:has-text('Review')")


@pytest.mark.parametrize("mode", WIDTHS)
def test_review_is_accessible_and_fits(browser, served, axe, tmp_path, mode):
    scheme, width = WIDTHS[mode]
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900 if width > 500 else 844}
    )
    page = watched(context)
    sign_in(page, served)
    page.goto(served + "/review")
    assert page.locator(".review-candidates li").count() > 0
    if mode == "light":
        screenshot(page, "review-light", tmp_path)
    page.locator(".review-candidates button:has-text('Accept')").first.click()
    page.wait_for_selector("[role=status]")
    assert violations(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.locator("table button").first.click()
    page.wait_for_selector("table.rows", state="detached")
    context.close()
    assert page.faults == []


def test_a_curator_accepts_refuses_and_takes_back(page, served):
    page.goto(served + "/review")
    assert "only curators" in page.inner_text("main")
    sign_in(page, served)
    page.click(".bar a:has-text('Review')")
    waiting = page.locator(".review").count()
    assert waiting > 0
    first = page.locator(".review:has(.review-candidates)").first
    text = first.locator("h2").inner_text()
    meant = first.locator(".review-candidates code").first.inner_text()
    first.locator("button:has-text('Accept')").first.click()
    page.wait_for_selector("[role=status]")
    assert text in page.inner_text("[role=status]")
    assert text not in page.locator(".review h2").all_inner_texts()
    row = page.locator("table.rows tbody tr").first
    assert text in row.inner_text()
    assert f"means {page.locator('table.rows td bdi').first.inner_text()}" in row.inner_text()
    assert meant in row.inner_text()
    row.locator("button").click()
    page.wait_for_selector("table.rows", state="detached")
    assert text in page.locator(".review h2").all_inner_texts()
    again = page.locator(".review", has=page.locator("h2", has_text=text)).first
    again.locator("button:has-text('Not a term')").click()
    page.wait_for_selector("table.rows")
    assert "is no term" in page.inner_text("table.rows")
    page.locator("table.rows button").click()
    page.wait_for_selector("table.rows", state="detached")
    assert page.locator(".review").count() == waiting


def test_a_curator_decides_by_keyboard(page, served):
    sign_in(page, served)
    page.goto(served + "/review")
    text = page.locator(".review h2").first.inner_text()
    page.locator("#field").focus()
    reach(page, "value", "no-term")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status]")
    assert text in page.inner_text("[role=status]")
    reach(page, "value", "undo")
    page.keyboard.press("Enter")
    page.wait_for_selector("table.rows", state="detached")
    assert text in page.locator(".review h2").all_inner_texts()


def reach(page: Any, attribute: str, value: str) -> None:
    """Go on with the Tab key until the element with that attribute has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.getAttribute('{attribute}')") == value:
            return
    pytest.fail(f"no key leads to {attribute}={value}")


def test_a_facet_opens_as_a_tree_and_a_node_narrows(page, served, tmp_path):
    page.goto(served + "/?level=image")
    total = count(page)
    facet = page.locator(".facet", has_text="Organism").first
    facet.locator("a:has-text('as a tree')").click()
    page.wait_for_selector(".facet .tree .tree")
    screenshot(page, "tree-light", tmp_path)
    node = page.locator(".facet .tree > li:has(.tree) > a.value").first
    label = node.locator("bdi").inner_text()
    held = int(node.locator(".count").inner_text().replace(",", ""))
    inner = page.locator(".facet .tree .tree .count").all_inner_texts()
    assert held >= max(int(one.replace(",", "")) for one in inner)
    node.click()
    page.wait_for_selector(".chips")
    assert label in page.inner_text(".chips")
    assert count(page) == held <= total
    assert page.locator(".facet .tree a[aria-current] bdi").first.inner_text() == label
    page.locator(".facet a:has-text('as a list')").click()
    page.wait_for_selector(".facet .tree", state="detached")
    assert count(page) == held


def test_runs_of_a_source_are_plotted(page, served):
    page.goto(served + "/sources")
    page.click("text=History of idr")
    page.wait_for_selector(".run-plot svg")
    assert "2 runs from" in page.text_content(".run-plot desc")
    assert page.locator(".run-plot .took").count() == 2
    box = page.locator(".run-plot svg").bounding_box()
    assert box["width"] > 300


def test_no_layout_shifts_and_small_pages(page, served):
    folder = ROOT / "api" / "static"
    assert sum(path.stat().st_size for path in folder.glob("*.css")) <= 30_000
    assert sum(path.stat().st_size for path in folder.glob("*.js")) <= 60_000
    for name, path in PAGES.items():
        answer = page.request.get(served + path)
        assert len(answer.body()) <= 60_000, name
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { for (const entry of list.getEntries())"
        " window.shift += entry.value }).observe({type: 'layout-shift', buffered: true})"
    )
    for name in ("front", "results", "pictures", "record"):
        page.goto(served + PAGES[name])
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.shift") < 0.02, name


def test_hostile_pages_are_small(page, hostile, samples):
    paths = [record_path(record.id) for record in samples.hostile()]
    for path in [*paths, "/?level=image", "/?level=study"]:
        assert len(page.request.get(hostile + path).body()) <= 60_000, path


def test_a_record_prints(page, served):
    page.goto(served + STUDY)
    page.emulate_media(media="print")
    assert not page.is_visible(".bar")
    assert page.is_visible("h1")
