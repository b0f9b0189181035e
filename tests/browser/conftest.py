"""A real JupyterLab on 127.0.0.1, a real Chromium, and each notebook opened and run in them once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from browser.lab_page import LabPage
from browser.site_page import START_TIMEOUT_MS, BuiltSite, SitePage, served
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from course_lib import explorers
from course_lib.authoring.notebooks import find_sources
from course_lib.authoring.npm_packages import AXE, CACHE, PYODIDE, NpmError, NpmPackage, fetch, read_file
from course_lib.authoring.site.building import build

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
expect.set_options(timeout=START_TIMEOUT_MS)  # on a busy machine every wait may be long
NPM_CACHE = NOTEBOOKS.parent / CACHE
STEMS = [source.stem for source in find_sources(NOTEBOOKS)]
EXPLORERS = [
    ("01_inception_module", "explorer-module"),
    ("02_factorized_convolutions", "explorer-kernel-factorization"),
    ("03_grid_reduction", "explorer-grid-reduction"),
    ("04_auxiliary_classifiers", "explorer-auxiliary"),
    ("05_label_smoothing", "explorer-epsilon"),
    ("06_inception_v3", "explorer-family"),
    ("07_training_recipes", "explorer-schedule"),
]
"""Each explorer's lesson, and the class of its root element."""
SERVER_START_S = 60
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
THEMES = ("JupyterLab Dark", "JupyterLab Light")
AXE_RUN = """async root => (await axe.run(root, {resultTypes: ['violations']})).violations
    .filter(found => ['serious', 'critical'].includes(found.impact))
    .map(found => `${found.id}: ${found.nodes.map(node => node.html).join(' ').slice(0, 400)}`)"""
"""What axe finds serious in an element, once its code is in the page: one line for each rule."""
RUN_TIMEOUT_S = 1200
"""A lesson has 120 s on two quiet cores; a shared machine may give a fraction of them."""


def isolated_environment(home: Path, settings: Sequence[str]) -> dict[str, str]:
    """The environment for a server that reads the course's settings but none of the user's, whose home it leaves alone.

    `settings` are folders in jupyter/.
    """
    folders = {
        "HOME": home,
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
    }
    course = os.pathsep.join(str(NOTEBOOKS.parent / "jupyter" / name) for name in settings)
    return {**os.environ, **{name: str(folder) for name, folder in folders.items()}, "JUPYTER_CONFIG_PATH": course}


def write_explorer_notebook(path: Path) -> None:
    """A notebook of all explorers and nothing else, which is ready within seconds."""
    code = [f"from course_lib import explorers\n\nexplorers.{name}()" for name in explorers.__all__]
    notebook = new_notebook(cells=[new_code_cell(source) for source in code])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


def wait_for_server(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> dict[str, str]:
    """What the server says of itself once it listens: its url and token among others."""
    deadline = time.monotonic() + SERVER_START_S
    while time.monotonic() < deadline and process.poll() is None:
        for found in runtime.glob("jpserver-*.json"):
            return json.loads(found.read_text(encoding="utf-8"))
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start within {SERVER_START_S} s:\n{log.read_text(encoding='utf-8')}")


@contextmanager
def running_lab(
    root: Path, home: Path, settings: Sequence[str] = ("config",), options: Sequence[str] = ()
) -> Iterator[dict[str, str]]:
    """A JupyterLab that serves `root` and keeps its own files in `home`; gives what the server says of itself."""
    home.mkdir(parents=True, exist_ok=True)
    here = ["--no-browser", "--ip=127.0.0.1", "--port=0", "--expose-app-in-browser", f"--ServerApp.root_dir={root}"]
    as_root = ["--allow-root"] if os.geteuid() == 0 else []
    log = home / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *here, *as_root, *options],
            env=isolated_environment(home, settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield wait_for_server(process, home / "runtime", log)
    finally:
        process.send_signal(signal.SIGTERM)  # the server ends its kernels
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running JupyterLab on a copy of the notebooks, so that no test changes the course's own."""
    root = shutil.copytree(NOTEBOOKS, tmp_path_factory.mktemp("root") / "notebooks")
    write_explorer_notebook(root / "explorers.ipynb")
    with running_lab(root, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        pytest.skip("no chromium found; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS, headless=True)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The code of axe-core, which finds what keeps readers with impairments out of a page."""
    fetch_or_skip(AXE)
    return read_file(AXE, "axe.min.js", NPM_CACHE).decode()


def fetch_or_skip(package: NpmPackage) -> None:
    """The package in `NPM_CACHE`; skips the test, with the reason, where npm cannot fetch it."""
    try:
        fetch(package, NPM_CACHE)
    except NpmError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> BuiltSite:
    """The course as static pages and the explorers in one file, made from the notebooks as they are."""
    fetch_or_skip(PYODIDE)
    folder = tmp_path_factory.mktemp("site")
    build(NOTEBOOKS, folder / "site", folder / "explorers.html", NPM_CACHE)
    return BuiltSite(folder / "site", folder / "explorers.html")


@pytest.fixture
def visit(browser: Browser, site: BuiltSite) -> Iterator[Callable[..., SitePage]]:
    """Opens a page of the site, or the single file, as a reader does who has no network; closes it in the end."""
    contexts: list[BrowserContext] = []
    with served(site.folder.parent) as address:

        def open_page(name: str, way: str = "file", **options: object) -> SitePage:
            contexts.append(browser.new_context(viewport={"width": 1280, "height": 720}, **options))
            return SitePage(contexts[-1].new_page(), site.address(name, address if way == "server" else None))

        yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def open_notebook(server: dict[str, str], browser: Browser) -> Iterator[Callable[[str], LabPage]]:
    """Opens a notebook and runs all its cells, unless it is the one opened last; only one is open at a time."""
    opened: list[LabPage] = []

    def open_and_run(notebook: str) -> LabPage:
        if opened and opened[-1].notebook == notebook:
            return opened[-1]
        if opened:
            opened.pop().close()
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        opened.append(LabPage(page, notebook, server["url"], server["token"]))
        opened[-1].open()
        opened[-1].run_all(RUN_TIMEOUT_S)
        return opened[-1]

    yield open_and_run
    for lab in opened:
        lab.close()


@pytest.fixture
def lab(notebook: str, open_notebook: Callable[[str], LabPage]) -> LabPage:
    """The notebook with the name of the test's parameter, opened, and all its cells run."""
    return open_notebook(f"{notebook}.ipynb")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of one notebook follow one another, so that it is opened and run once."""
    places = [place for place, item in enumerate(items) if "lab" in getattr(item, "fixturenames", ())]
    ordered = sorted((items[place] for place in places), key=lambda item: item.callspec.params["notebook"])
    for place, item in zip(places, ordered, strict=True):
        items[place] = item
