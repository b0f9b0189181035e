"""A class on one machine: JupyterHub with the course's configuration, three students at once.

All is on this machine, and homes lie in a temporary folder. Wants JupyterHub, and its proxy from npm.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import websocket
from installed_course import install, make_wheel
from traitlets.config.loader import PyFileConfigLoader

ROOT = Path(__file__).parents[2]
HUB = ROOT / "jupyter/hub"
STUDENTS = ("ada", "grace", "emmy")
LESSON = "01_inception_module.ipynb"
FIRST_CELLS = 4
LONGEST_S = 120
OWN_CONFIG = """
load_subconfig({config!r})
c.Spawner.args = {args!r}
c.JupyterHub.services = [{{"name": "test", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{"name": "test", "scopes": ["admin:users", "admin:servers", "access:servers"], "services": ["test"]}}
]
"""
PROBE = """
import json, os, pathlib
import course_lib

def refused(change):
    try:
        change()
    except PermissionError:
        return True
    return False

course = pathlib.Path({course!r})
print(json.dumps({{
    "kernel": os.getpid(),
    "home": os.environ["HOME"],
    "folder": os.getcwd(),
    "library": course_lib.__file__,
    "threads": torch.get_num_threads(),
    "course_read_only": [
        refused(lambda: (course / {lesson!r}).open("a")),
        refused((course / "mine.txt").touch),
        refused((course / {lesson!r}).unlink),
    ],
}}))
"""

AS_ROOT = os.name == "posix" and os.getuid() == 0
# Root may write everywhere: the test's hub gives that up, so that the rights of files count as for other users.
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override") if AS_ROOT else ()


@dataclass(frozen=True)
class Hub:
    """A running hub: its address, the token that may do everything, and the folder of homes and lessons."""

    address: str
    token: str
    folder: Path

    def ask(self, method: str, path: str, content: object = None) -> object:
        """The answer of the hub, or of a student's server, to a request; raises urllib's HTTPError."""
        request = urllib.request.Request(
            self.address + path,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=LONGEST_S) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def start(self, student: str) -> None:
        self.ask("POST", f"/hub/api/users/{student}/server")
        wait_until(lambda: self.ask("GET", f"/hub/api/users/{student}")["servers"].get("", {}).get("ready"))

    def stop(self, student: str) -> None:
        self.ask("DELETE", f"/hub/api/users/{student}/server")
        wait_until(lambda: not self.ask("GET", f"/hub/api/users/{student}")["servers"])

    def run_cells(self, student: str, cells: list[str]) -> str:
        """What the cells print in a new kernel of the student's; fails at the first error."""
        kernel = self.ask(
            "POST",
            f"/user/{student}/api/sessions",
            {"path": LESSON, "name": LESSON, "type": "notebook", "kernel": {"name": "python3"}},
        )["kernel"]["id"]
        channel = websocket.create_connection(
            f"{self.address.replace('http', 'ws')}/user/{student}/api/kernels/{kernel}/channels",
            header=[f"Authorization: token {self.token}"],
            timeout=LONGEST_S,
        )
        try:
            return "".join(run_cell(channel, cell) for cell in cells)
        finally:
            channel.close()


def run_cell(channel: websocket.WebSocket, source: str) -> str:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": "",
        "version": "5.3",
    }
    content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    channel.send(json.dumps(message))
    printed = ""
    while True:
        answer = json.loads(channel.recv())
        if answer["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if answer["msg_type"] == "stream" and answer["content"]["name"] == "stdout":
            printed += answer["content"]["text"]
        assert answer["msg_type"] != "error", answer["content"]
        if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return printed


def wait_until(ready: object) -> None:
    end = time.monotonic() + LONGEST_S
    while not ready():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    pytest.importorskip("jupyterhub", reason='JupyterHub is not installed: pip install ".[class]"')
    if shutil.which("configurable-http-proxy") is None:
        pytest.skip("JupyterHub's proxy is not installed: npm install -g configurable-http-proxy")
    folder = tmp_path_factory.mktemp("class")
    target = install(make_wheel(folder), folder / "installed")
    token, (port, hub_port, proxy_port) = secrets.token_hex(16), free_ports(3)
    config = folder / "config.py"
    args = ["--allow-root"] if AS_ROOT else []
    text = OWN_CONFIG.format(config=str(HUB / "jupyterhub_config.py"), token=token, args=args)
    config.write_text(text, encoding="utf-8")
    command = [
        *WITHOUT_RIGHTS,
        *(sys.executable, "-m", "jupyterhub", "-f", str(config)),
        f"--JupyterHub.bind_url=http://127.0.0.1:{port}",
        f"--JupyterHub.hub_port={hub_port}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{proxy_port}",
    ]
    environment = {**os.environ, "PYTHONPATH": str(target), "HOME": str(folder)}
    environment |= {"INCEPTION_TRY": str(folder / "try"), "INCEPTION_STUDENTS": "1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    running = Hub(f"http://127.0.0.1:{port}", token, folder)

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()[-4000:]
        try:
            return bool(running.ask("GET", "/hub/api/"))
        except (urllib.error.URLError, ConnectionError):
            return False

    try:
        wait_until(answers)
        yield running
    finally:
        process.terminate()  # the hub ends its proxy and the students' servers
        process.wait(timeout=LONGEST_S)


@pytest.fixture(scope="module")
def seen(hub: Hub) -> dict[str, dict]:
    """What each student's kernel says of itself, after the first cells of a lesson, all students at once."""

    def study(student: str) -> dict:
        hub.ask("POST", f"/hub/api/users/{student}")
        hub.start(student)
        lesson = hub.ask("GET", f"/user/{student}/api/contents/{LESSON}")["content"]
        cells = [cell["source"] for cell in lesson["cells"] if cell["cell_type"] == "code"][:FIRST_CELLS]
        probe = PROBE.format(course=str(hub.folder / "try/course"), lesson=LESSON)
        return json.loads(hub.run_cells(student, [*cells, probe]).splitlines()[-1])

    with ThreadPoolExecutor(len(STUDENTS)) as together:
        return dict(zip(STUDENTS, together.map(study, STUDENTS), strict=True))


@pytest.mark.slow
def test_three_students_at_once_run_a_lessons_first_cells_in_kernels_of_their_own(hub: Hub, seen: dict) -> None:
    users = {user["name"]: user for user in hub.ask("GET", "/hub/api/users")}
    assert all(users[student]["servers"][""]["ready"] for student in STUDENTS)
    assert len({each["kernel"] for each in seen.values()}) == len(STUDENTS)
    for each in seen.values():
        assert Path(each["library"]).is_relative_to(hub.folder / "installed")
        assert each["threads"] == os.cpu_count()  # the hub was told to expect one student


@pytest.mark.slow
def test_each_has_a_home_of_his_own_and_none_can_write_the_course(hub: Hub, seen: dict) -> None:
    for student, each in seen.items():
        home = hub.folder / "try/homes" / student
        assert (Path(each["home"]), Path(each["folder"])) == (home, home / "inception-course")
        assert each["course_read_only"] == [True, True, True]


@pytest.mark.slow
def test_a_students_work_is_there_after_a_new_start_and_in_no_other_home(hub: Hub, seen: dict) -> None:
    path, other = (hub.folder / "try/homes" / student / "inception-course" / LESSON for student in STUDENTS[:2])
    untouched = other.read_bytes()
    mine = nbformat.read(path, as_version=4)
    mine.cells.append(nbformat.v4.new_markdown_cell("my own note"))
    content = {"type": "notebook", "format": "json", "content": mine}
    hub.ask("PUT", f"/user/{STUDENTS[0]}/api/contents/{LESSON}", content)
    hub.stop(STUDENTS[0])
    hub.start(STUDENTS[0])
    assert "my own note" in path.read_text(encoding="utf-8")
    assert other.read_bytes() == untouched
    assert len(list(path.parent.glob("01_*.ipynb"))) == 1


@pytest.mark.parametrize(("students", "cores", "threads"), [(30, 8, "1"), (4, 8, "2"), (3, 8, "2"), (1, 8, "8")])
def test_a_real_class_logs_in_as_the_systems_users_and_shares_the_cores(
    students: int, cores: int, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCEPTION_STUDENTS", str(students))
    monkeypatch.delenv("INCEPTION_TRY", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    config = PyFileConfigLoader("jupyterhub_config.py", str(HUB)).load_config()
    assert config.JupyterHub.bind_url.startswith("http://127.0.0.1:")
    assert (config.JupyterHub.authenticator_class, config.JupyterHub.spawner_class) == ("pam", "localprocess")
    assert config.PAMAuthenticator.allowed_groups == {"students"}
    assert config.Spawner.environment == {"OMP_NUM_THREADS": threads}
    assert Path(config.Spawner.cmd[2]) == ROOT / "notebooks"


@pytest.mark.parametrize(
    ("lessons", "said"), [([LESSON], "can be changed by its students"), ([], r"holds no lessons (*.ipynb)")]
)
def test_no_server_starts_on_a_folder_that_students_may_change_or_without_lessons(
    lessons: list[str], said: str, tmp_path: Path
) -> None:
    course, copies = tmp_path / "course", tmp_path / "copies"
    course.mkdir()
    for lesson in lessons:
        shutil.copy(ROOT / "notebooks" / lesson, course)
    command = [sys.executable, str(HUB / "start_student.py"), str(course), str(copies)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not copies.exists()
