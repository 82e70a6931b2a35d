"""How somebody comes by the first token: on a terminal it is printed, elsewhere the output says how to make one."""

import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

from tests.servers.children import wait_until
from tests.servers.process import ServiceProcess

TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
SECONDS = 20
SAYS = "for a token: "


def status(url: str, token: str) -> int:
    request = Request(f"{url}/v1/incident", headers={"Authorization": f"Bearer {token}"})
    with urlopen(request, timeout=SECONDS) as answer:
        return int(answer.status)


def test_what_is_kept_of_the_output_lets_nobody_in(
    start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    service = start_service(deployer_roles="the boss", writer_roles="editor")
    (output,) = tmp_path.glob("*.out")
    wait_until(lambda: SAYS in output.read_text(), service.running, log=service.log, seconds=SECONDS)
    said = output.read_text()
    assert not TOKEN.search(said + service.logs)
    command = said.split(SAYS)[1].splitlines()[0]
    variable, program, *arguments = shlex.split(command)
    assert (program, arguments[-2:]) == ("ims", ["--role", "the boss"])
    assert variable == f"IMS_DATA_DIR={tmp_path / 'data'}"
    assert status(service.url, service.command(*arguments).strip()) == 200


def test_a_terminal_is_shown_a_token(tmp_path: Path) -> None:
    terminal, other_end = pty.openpty()
    environment = ServiceProcess(tmp_path).environment
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"], stdout=other_end, stderr=log, env=environment, cwd=tmp_path
        )
    os.close(other_end)
    os.set_blocking(terminal, False)
    said = ""

    def shown() -> bool:
        nonlocal said
        try:
            said += os.read(terminal, 65536).decode()
        except BlockingIOError:
            return False
        return "/v1/incident" in said

    try:
        wait_until(shown, process, log=tmp_path / "log", seconds=SECONDS)
        (token,) = TOKEN.findall(said.replace("\r", ""))
        assert status(said.split("listening on ")[1].split(maxsplit=1)[0], token) == 200
        assert not TOKEN.search((tmp_path / "log").read_text())
    finally:
        process.terminate()
        process.wait(SECONDS)
        os.close(terminal)


def test_in_another_folder_no_key_is_made_and_the_folder_is_named(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IMS_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "service", "token", "--tenant", "acme", "--user", "ann"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"There is no signing key in {tmp_path}/\.ims; .*IMS_DATA_DIR.*\n", done.stderr)
    assert list(tmp_path.iterdir()) == []
