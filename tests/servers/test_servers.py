"""The servers that other tests rely on: they start, survive what they should, and break what they are told to."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from tests.servers.children import NotStarted, is_gone, wait_until
from tests.servers.forked import can_be_forked
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer
from tests.servers.statements import Statements

ROOT = Path(__file__).parents[2]
CUT = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)

PutProxy = Callable[[int], Awaitable[FaultProxy]]


@pytest.fixture
async def table(postgres: Postgres, empty_postgres_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty_postgres_dsn)
    await connection.execute("CREATE TABLE facts (id int PRIMARY KEY)")
    yield connection
    await connection.close()


@pytest.fixture
async def proxy(postgres: Postgres, fault_proxy: PutProxy) -> FaultProxy:
    return await fault_proxy(postgres.port)


async def connect(proxy: FaultProxy, dsn: str) -> asyncpg.Connection:
    return await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{proxy.port}/{dsn.rpartition('/')[2]}", timeout=5)


def test_postgres_keeps_what_it_acknowledged_over_kill_and_restart() -> None:
    with Postgres() as server:
        port = server.port
        server.sql("CREATE TABLE facts (id int)")
        for number, end in enumerate((server.kill, server.stop, server.kill)):
            server.sql(f"INSERT INTO facts VALUES ({number})")
            end()
            server.start()
        assert server.port == port
        assert server.sql("SELECT array_agg(id) FROM facts") == "{0,1,2}"
        assert server.sql("SHOW fsync") == "on"


def test_postgres_takes_options_and_names_what_is_wrong_with_them() -> None:
    with pytest.raises(NotStarted, match="work_mem"), Postgres(work_mem="plenty"):
        pass


async def test_each_test_has_a_database_of_its_own(postgres: Postgres, table: asyncpg.Connection) -> None:
    other = postgres.create_database("other")
    try:
        connection = await asyncpg.connect(other)
        assert await connection.fetchval("SELECT to_regclass('facts')") is None
        await connection.close()
    finally:
        postgres.drop_database("other")


def test_redis_keeps_what_it_acknowledged_over_kill_and_restart() -> None:
    with RedisServer() as server:
        url = server.url
        with server.client() as client:
            client.set("fact", 1)
        server.kill()
        server.start()
        server.restart()
        assert server.url == url
        with server.client() as client:
            assert client.get("fact") == "1"


def test_redis_is_empty_at_the_start(redis_url: str, redis_server: RedisServer) -> None:
    assert redis_url == redis_server.url
    with redis_server.client() as client:
        assert client.dbsize() == 0


def test_servers_die_with_the_process_that_started_them() -> None:
    script = (
        "from tests.servers.postgres import Postgres; from tests.servers.redis import RedisServer; import time\n"
        "servers = Postgres().start(), RedisServer().start()\n"
        "print(*(f'{server.pid}:{server.log.parent}' for server in servers), flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        started = [server.split(":") for server in parent.stdout.readline().split()]
        servers = [psutil.Process(int(pid)) for pid, _ in started]
        parent.kill()
    assert len(servers) == 2
    end = time.monotonic() + 10
    while not all(map(is_gone, servers)):
        assert time.monotonic() < end
        time.sleep(0.01)
    for _, folder in started:
        shutil.rmtree(folder)


async def test_latency(table: asyncpg.Connection, empty_postgres_dsn: str, proxy: FaultProxy) -> None:
    connection = await connect(proxy, empty_postgres_dsn)
    proxy.latency = 0.1
    begin = time.monotonic()
    await connection.execute("SELECT 1")
    assert time.monotonic() - begin >= 0.2
    proxy.latency = 0
    await connection.close()


async def test_refusal_lets_open_connections_go_on(empty_postgres_dsn: str, proxy: FaultProxy) -> None:
    connection = await connect(proxy, empty_postgres_dsn)
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await connect(proxy, empty_postgres_dsn)
    assert await connection.fetchval("SELECT 1") == 1
    await proxy.accept()
    await (await connect(proxy, empty_postgres_dsn)).close()
    await connection.close()


async def test_reset(empty_postgres_dsn: str, proxy: FaultProxy) -> None:
    connection = await connect(proxy, empty_postgres_dsn)
    proxy.reset()
    with pytest.raises(CUT):
        await connection.execute("SELECT 1")
    await asyncio.sleep(0.05)
    assert proxy.connections == 0


@pytest.mark.parametrize(("direction", "arrives"), [("up", 0), ("down", 1)])
async def test_silence_in_one_direction(
    table: asyncpg.Connection, empty_postgres_dsn: str, proxy: FaultProxy, direction: str, arrives: int
) -> None:
    connection = await connect(proxy, empty_postgres_dsn)
    proxy.silent.add("up" if direction == "up" else "down")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(connection.execute("INSERT INTO facts VALUES (1)")), 0.3)
    assert await table.fetchval("SELECT count(*) FROM facts") == arrives
    connection.terminate()


async def test_half_open_leaves_the_client_without_a_word(
    table: asyncpg.Connection, empty_postgres_dsn: str, proxy: FaultProxy
) -> None:
    connection = await connect(proxy, empty_postgres_dsn)
    proxy.half_open("client")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(connection.execute("SELECT 1")), 0.3)
    assert not connection.is_closed()
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert await table.fetchval(others) == 0
    connection.terminate()


@pytest.mark.parametrize("prepared", [False, True])
async def test_an_answer_is_lost_after_the_commit(
    table: asyncpg.Connection, empty_postgres_dsn: str, proxy: FaultProxy, prepared: bool
) -> None:
    connection = await connect(proxy, empty_postgres_dsn)
    insert = await connection.prepare("INSERT INTO facts VALUES ($1)")
    await insert.fetch(1)
    lost = proxy.lose_next_answer("insert into facts")
    await connection.execute("SELECT 1")  # does not match
    with pytest.raises(CUT):
        await (insert.fetch(2) if prepared else connection.execute("INSERT INTO facts VALUES (2)"))
    assert lost.is_set()
    assert await table.fetchval("SELECT count(*) FROM facts") == 2
    connection = await connect(proxy, empty_postgres_dsn)
    await connection.execute("INSERT INTO facts VALUES (3)")
    await connection.close()


async def test_the_commit_of_a_transaction_loses_its_answer(
    table: asyncpg.Connection, empty_postgres_dsn: str, proxy: FaultProxy
) -> None:
    connection = await connect(proxy, empty_postgres_dsn)
    proxy.lose_next_answer("^commit")
    with pytest.raises(CUT):
        async with connection.transaction():
            await connection.execute("INSERT INTO facts VALUES (1)")
    assert await table.fetchval("SELECT count(*) FROM facts") == 1


async def test_a_client_is_cut_while_the_server_waits_for_a_lock(
    table: asyncpg.Connection, empty_postgres_dsn: str, proxy: FaultProxy
) -> None:
    connection = await connect(proxy, empty_postgres_dsn)
    proxy.lose_next_answer("insert", "sent")
    async with table.transaction():
        await table.execute("LOCK TABLE facts IN EXCLUSIVE MODE")
        with pytest.raises(CUT):
            await connection.execute("INSERT INTO facts VALUES (1)")
        assert await table.fetchval("SELECT count(*) FROM facts") == 0
    async with asyncio.timeout(5):
        while await table.fetchval("SELECT count(*) FROM facts") == 0:
            await asyncio.sleep(0.01)


def test_statements_are_read_in_any_slices() -> None:
    start = b"\0\0\0\x08\x04\xd2\x16\x2f" + b"\0\0\0\x09\0\x03\0\0\0"
    parse = b"P" + (4 + 2 + 9 + 2).to_bytes(4) + b"s\0" + b"SELECT 1\0" + b"\0\0"
    bind = b"B" + (4 + 1 + 2 + 6).to_bytes(4) + b"\0" + b"s\0" + bytes(6)
    execute = b"E" + (4 + 1 + 4).to_bytes(4) + b"\0" + bytes(4)
    sync = b"S" + (4).to_bytes(4)
    query = b"Q" + (4 + 7).to_bytes(4) + b"COMMIT\0"
    sent = start + parse + sync + bind + execute + sync + query
    for size in (1, 3, 7, len(sent)):
        statements = Statements()
        slices = [sent[begin : begin + size] for begin in range(0, len(sent), size)]
        assert [text for part in slices for text in statements.feed(part)] == ["SELECT 1", "COMMIT"]


@pytest.fixture
def impostor(tmp_path: Path) -> ServiceProcess:
    """A process that obeys as the service does, so that these tests are about the control of it."""
    (tmp_path / "service").mkdir()
    (tmp_path / "service/__init__.py").touch()
    (tmp_path / "service/__main__.py").write_text(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "if os.environ.get('IMS_RUN') == 'nothing': sys.exit('IMS_RUN: cannot be used')\n"
        "print('ready', file=sys.stderr, flush=True)\n"
        "print('listening on http://127.0.0.1:' + (os.environ['IMS_PORT'].replace('0', '') or '4711'), flush=True)\n"
        "while True: signal.pause()\n"
    )
    process = ServiceProcess(tmp_path)
    process.environment["PYTHONPATH"] = str(tmp_path)
    return process


def test_a_process_is_started_paused_and_ended(impostor: ServiceProcess) -> None:
    with impostor:
        assert impostor.url == "http://127.0.0.1:4711"
        process = psutil.Process(impostor.pid)
        impostor.pause()
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, impostor.running, log=impostor.log, seconds=5)
        impostor.resume()
        assert impostor.terminate() == 7
        impostor.start()
        assert impostor.url == "http://127.0.0.1:4711"
        impostor.kill()
        assert impostor.logs.splitlines() == ["ready", "ready"]
        impostor.start()
        process = psutil.Process(impostor.pid)
        impostor.pause()
    assert not process.is_running()


def test_a_process_mints_tokens_as_the_command_does(tmp_path: Path) -> None:
    def claims(token: str) -> dict[str, object]:
        decoded: dict[str, object] = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
        assert decoded.keys() >= {"iat", "exp", "jti"}
        return {name: value for name, value in decoded.items() if name not in ("iat", "exp", "jti")}

    with ServiceProcess(tmp_path) as process:
        said = process.command("token", "--tenant", "acme", "--user", "bob", "--name", "Bob", "--role", "viewer")
        assert claims(process.token("acme", "bob", "Bob", roles=["viewer"])) == claims(said.strip())


def test_a_forked_process_has_what_a_started_one_has(tmp_path: Path) -> None:
    """Environment, folder, files, a session of its own, and an end of its own."""
    folders = {True: tmp_path / "forked", False: tmp_path / "started"}
    for folder in folders.values():
        folder.mkdir()
    processes = {forked: ServiceProcess(folder, {"log_level": "DEBUG"}) for forked, folder in folders.items()}
    processes[False].environment["UNKNOWN_TO_US"] = "so it is not forked"
    for forked, process in processes.items():
        assert can_be_forked(process.environment) is forked
        with process:
            one = psutil.Process(process.pid)
            assert Path(one.cwd()) == folders[forked]
            assert os.getsid(process.pid) == process.pid
            assert {str(Path(f"/proc/{process.pid}/fd/{number}").readlink()) for number in (1, 2)} == {
                str(process.log), str(process.log.with_suffix(".out"))
            }  # fmt: skip
            assert "listening on" in process.log.with_suffix(".out").read_text()
            assert httpx.get(f"{process.url}/readyz").status_code == 200
            assert (folders[forked] / "data" / "ims.db").exists()
            assert process.running.poll() is None
            assert process.terminate() == 0
            process.start()
            process.kill()
            assert process.running.returncode == -signal.SIGKILL
    with ServiceProcess(tmp_path) as first:
        with pytest.raises(NotStarted, match="exit code 1"):
            ServiceProcess(tmp_path).start()
        assert first.running.poll() is None


def test_forked_processes_die_with_the_tests(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from tests.servers.process import ServiceProcess\n"
        "print(ServiceProcess(Path(sys.argv[1])).start().pid, flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        forked = psutil.Process(int(parent.stdout.readline()))
        forking = forked.parent()
        assert forking is not None
        folder = Path(forking.cmdline()[-1]).parent
        parent.kill()
    end = time.monotonic() + 10
    while not (is_gone(forked) and is_gone(forking)):
        assert time.monotonic() < end
        time.sleep(0.01)
    shutil.rmtree(folder)


def test_a_process_that_does_not_start_says_why(impostor: ServiceProcess) -> None:
    impostor.environment["IMS_RUN"] = "nothing"
    with pytest.raises(NotStarted, match="IMS_RUN: cannot be used"):
        impostor.start()
