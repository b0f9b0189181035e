"""Files that are whole or absent, whatever stops the process that writes them."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Writes a temporary file beside `path`, brings it to the disk, and renames it; makes the folder if need be.

    Raises:
        OSError: it cannot be written; an older file of this name stays as it was, and no temporary file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
