"""A class on one machine with JupyterHub: the course installed once, a folder of copies in each student's own home.

Settings, as environment variables of the hub:

    INCEPTION_STUDENTS    how many students work at once; the cores are shared out by it (default 20)
    INCEPTION_GROUP       the system's group of users who may log in (default students)
    INCEPTION_TRY         a folder: a hub to try out instead, with homes in that folder and any name, without password

The hub listens on this machine alone. For a class, a web server with a certificate passes requests on to it.
"""

import os
import shutil
import sys
from pathlib import Path

c = get_config()  # noqa: F821 - JupyterHub defines it

HERE = Path(__file__).resolve().parent
COURSE = HERE.parents[1] / "notebooks"
COPIES = "~/inception-course"
STUDENTS = int(os.environ.get("INCEPTION_STUDENTS", "20"))
TRY = os.environ.get("INCEPTION_TRY")


def read_only_copy(folder: Path) -> Path:
    """The lessons in a folder that nobody may write: in a hub to try out, students and lecturer are one user."""
    if not folder.exists():
        folder.mkdir(parents=True)
        for lesson in COURSE.glob("*.ipynb"):
            shutil.copy(lesson, folder)
            (folder / lesson.name).chmod(0o444)
        folder.chmod(0o555)
    return folder


if TRY:
    course = read_only_copy(Path(TRY).resolve() / "course")
    c.JupyterHub.authenticator_class = "dummy"
    c.Authenticator.allow_all = True
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.home_dir_template = f"{Path(TRY).resolve()}/homes/{{username}}"
else:  # the system's users with their passwords, each server run as its user
    course = COURSE
    c.JupyterHub.authenticator_class = "pam"
    c.PAMAuthenticator.allowed_groups = {os.environ.get("INCEPTION_GROUP", "students")}
    c.JupyterHub.spawner_class = "localprocess"

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.Spawner.cmd = [sys.executable, str(HERE / "start_student.py"), str(course), COPIES]
c.Spawner.notebook_dir = COPIES
c.Spawner.default_url = "/lab/tree/00_start.ipynb"
# More threads than cores slow everyone down; PyTorch alone would take all cores for each student.
c.Spawner.environment = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // STUDENTS))}
# When a class begins, all of it starts at once.
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
