"""The engine of living explorers: Pyodide's core and the course's own modules as one script of data.

A page that was opened by double click may load scripts and nothing else, so all that Python needs in a browser is in a
script, gzip and base64, which `assets/explorers.js` unpacks. The same script serves a site from a server and, written
into a page, the single file.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from base64 import b64encode
from pathlib import Path

import course_lib
from course_lib.authoring.npm_packages import CACHE, PYODIDE, read_file
from course_lib.authoring.site.assets import asset
from course_lib.data_files import PACKAGED, data_folder

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The date of every file in the archive: the same course makes the same bytes."""


def engine_script(cache: Path = CACHE) -> str:
    """JavaScript that gives a page `COURSE_FILES`; raises NpmError if Pyodide has not been fetched."""
    files = {
        "worker.js": _worker(cache),
        "pyodide.asm.wasm": read_file(PYODIDE, "pyodide.asm.wasm", cache),
        "python_stdlib.zip": read_file(PYODIDE, "python_stdlib.zip", cache),
        "pyodide-lock.json": _lock_without_packages(cache),
        "course.zip": course_archive(),
    }
    packed = {name: b64encode(gzip.compress(content, 9, mtime=0)).decode() for name, content in files.items()}
    return f"globalThis.COURSE_FILES = {json.dumps(packed)};\n"


def course_archive() -> bytes:
    """`course_lib` with the recorded runs as a zip archive, as an installed wheel has them."""
    library = Path(course_lib.__file__).parent
    runs = data_folder("runs")
    members = {f"course_lib/{path.relative_to(library).as_posix()}": path for path in library.rglob("*.py")}
    members |= {f"course_lib/{PACKAGED}/runs/{path.name}": path for path in runs.glob("*.json")}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # gzip comes after, and packs it better whole
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, EARLIEST), members[name].read_bytes())
    return buffer.getvalue()


def _worker(cache: Path) -> bytes:
    """Pyodide's two scripts and the course's, in the order in which they run."""
    own = [read_file(PYODIDE, name, cache).decode() for name in ("pyodide.asm.js", "pyodide.js")]
    return "\n;\n".join([*own, asset("worker.js")]).replace("//# sourceMappingURL=pyodide.js.map", "").encode()


def _lock_without_packages(cache: Path) -> bytes:
    lock = json.loads(read_file(PYODIDE, "pyodide-lock.json", cache))
    return json.dumps({**lock, "packages": {}}).encode()
