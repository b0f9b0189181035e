"""Puts the course's data into its wheel; all else about the package stands in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PACKED = ("fashion_mnist/*", "runs/*.json")
"""What course_lib reads of data/; it finds it in course_lib/_data (course_lib/data_files.py)."""


class BuildWithData(build_py):
    """Copies the data beside the modules; an editable installation reads it where it lies."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, target in self._data():
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return super().get_outputs(include_bytecode) + [str(target) for _, target in self._data()]

    def _data(self) -> list[tuple[Path, Path]]:
        packed = Path(self.build_lib) / "course_lib" / "_data"
        data = Path("data")
        files = [path for pattern in PACKED for path in sorted(data.glob(pattern))]
        return [(path, packed / path.relative_to(data)) for path in files]


setup(cmdclass={"build_py": BuildWithData})
