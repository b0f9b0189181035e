"""Packages of npm that editions of the course are made with: fetched once, held against their checksums, then kept.

    python -m course_lib.authoring.npm_packages pyodide

npm serves here as a registry alone: nothing is installed and no code of a package runs on this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.files import write_whole

CACHE = Path(".cache/npm")
"""Where archives are kept, from the project's folder."""


class NpmError(CourseError):
    """A package of npm that cannot be had; the message says what to do."""


@dataclass(frozen=True)
class NpmPackage:
    """A package in the one version that the course uses.

    Attributes:
        name, version: as npm knows them.
        sha512: of the archive, in hexadecimal digits; npm's own `dist.integrity` is the same number in base64.
        target: the course's make target that fetches it.
    """

    name: str
    version: str
    sha512: str
    target: str = "site"

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}.tgz"


# 0.29 is the last line of Pyodide that is not a JavaScript module; a page opened by double click may load no modules.
PYODIDE = NpmPackage(
    "pyodide",
    "0.29.5",
    "4e462b52ff66f1099f2260032919a9c19ba52f8f04d2e51a0523be76f4502b2009734aa1f60bbb8e7f1bb721cf8773599b5af6207d98ac9848afb43607dbab03",
)
AXE = NpmPackage(
    "axe-core",
    "4.14.1",
    "1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5",
)
# Like Pyodide's, its scripts are no modules.
REVEAL = NpmPackage(
    "reveal.js",
    "5.2.1",
    "afbfffea620ce69df884588332f61f5e0ca35ea191b5afbfa6c77d62dcadb20465ae947316fe116c7efa4d7776a83fbb64f6446e904385d46125a1607d0ef335",
    target="slides",
)
PACKAGES = {package.name: package for package in (PYODIDE, AXE, REVEAL)}


def fetch(package: NpmPackage, cache: Path = CACHE) -> Path:
    """The package's archive in `cache`, fetched by npm if it is not there yet.

    Raises:
        NpmError: npm is missing, cannot fetch it, or what came is not what the course was tested with.
    """
    archive = cache / package.file_name
    if not archive.exists():
        content = _packed(package)
        _check(package, content, "what npm sent")
        write_whole(archive, content)
    return require(package, cache)


def read_file(package: NpmPackage, name: str, cache: Path = CACHE) -> bytes:
    """The file `name` of a package that was fetched.

    Raises:
        NpmError: the package has not been fetched, as `require` says it, or it has no such file.
    """
    with tarfile.open(require(package, cache)) as archive:
        try:
            return archive.extractfile(f"package/{name}").read()
        except KeyError as error:
            raise NpmError(f"{package.name} {package.version} has no file {name}.") from error


def require(package: NpmPackage, cache: Path = CACHE) -> Path:
    """The package's archive in `cache`, without asking a network.

    Raises:
        NpmError: it is not there or damaged.
    """
    archive = cache / package.file_name
    if not archive.exists():
        raise NpmError(f"{archive} is missing: fetch it once, with npm and a network, by `make {package.target}`.")
    _check(package, archive.read_bytes(), str(archive))
    return archive


def _check(package: NpmPackage, content: bytes, what: str) -> None:
    if hashlib.sha512(content).hexdigest() != package.sha512:
        raise NpmError(f"{what} is not {package.name} {package.version}, its checksum differs: delete it, run again.")


def _packed(package: NpmPackage) -> bytes:
    npm = shutil.which("npm")
    wanted = f"{package.name}@{package.version}"
    if npm is None:
        raise NpmError(f"there is no npm, which fetches {wanted}: install it (Debian: apt-get install npm).")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", wanted, "--silent"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        archive = Path(folder) / package.file_name
        if done.returncode or not archive.exists():
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise NpmError(f"npm cannot fetch {wanted} ({reason}): this step, and it alone, needs a network.")
        return archive.read_bytes()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after one sentence on standard error if a package cannot be had."""
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.authoring.npm_packages", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("names", nargs="+", choices=list(PACKAGES), metavar="NAME", help=", ".join(PACKAGES))
    for name in parser.parse_args(arguments).names:
        try:
            print(fetch(PACKAGES[name]))
        except (NpmError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
