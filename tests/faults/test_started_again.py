"""Killed and started again at once: ready means that a read is answered, and nobody waits for a lease of the dead."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from service import holder
from tests.faults.conftest import Ground
from tests.faults.load import INCIDENTS, authorization, client
from tests.projections.building import soon
from tests.servers.process import ServiceProcess

ROUNDS = 3
NAME = "from service.holder import own_name; print(own_name(), flush=True); input()"
AS_BY_ANOTHER_MACHINE = """UPDATE ims.followers SET holder = 'elsewhere:1',
                           expires_at = extract(epoch from clock_timestamp()) + 3"""


@contextmanager
def another() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of this machine, and how it is called."""
    with subprocess.Popen([sys.executable, "-c", NAME], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


async def when_ready(service: ServiceProcess) -> None:
    async with client(service.url, {}) as one:

        async def ready() -> bool:
            return (await one.ask("GET", "/readyz")).status == 200

        await soon(ready, 20)


async def test_the_first_read_of_a_ready_process_is_answered(ground: Ground) -> None:
    service = ground.start()
    headers = authorization(service)
    for number in range(ROUNDS):
        async with client(service.url, headers) as one:
            await one.report()
        service.kill()
        service.start()
        await when_ready(service)
        async with client(service.url, headers) as one:
            listed = await one.ask("GET", INCIDENTS)
            assert (listed.status, listed.body["data"]["total"]) == (200, number + 1)
            followers = (await one.ask("GET", "/status")).body["followers"]
            assert {row["holder"].rpartition(":")[2] for row in followers if row["holder"]} == {str(service.pid)}


async def test_so_is_it_where_another_machine_held_the_lease(on_postgres: Ground) -> None:
    service = on_postgres.start()
    headers = authorization(service)
    async with client(service.url, headers) as one:
        await one.report()
    service.kill()
    connection = await asyncpg.connect(str(on_postgres.log))
    await connection.execute(AS_BY_ANOTHER_MACHINE)
    await connection.execute("UPDATE ims.followers SET position = 0")
    await connection.close()
    service.start()
    await when_ready(service)
    async with client(service.url, headers) as one:
        assert (await one.ask("GET", INCIDENTS)).status == 200


def test_a_process_is_known_to_be_gone_and_to_be_there() -> None:
    assert not holder.is_gone(holder.own_name())
    with another() as (process, name):
        assert name.endswith(f":{process.pid}")
        assert holder.shown(name) == f"{os.uname().nodename}:{process.pid}"
        assert not holder.is_gone(name)
        os.kill(process.pid, signal.SIGSTOP)
        assert not holder.is_gone(name), "it may go on"
        place, _, pid = name.rpartition(":")
        started = place.rpartition(".")[2]
        assert holder.is_gone(f"{place.removesuffix(started)}{int(started) - 1}:{pid}"), (
            "the number is another's by now"
        )
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert holder.is_gone(name), "nobody has asked for its exit code yet"
        process.wait()
        assert holder.is_gone(name)


@pytest.mark.parametrize("other", ["boot", "namespace", "nothing"])
def test_nothing_is_said_of_processes_of_another_machine_or_container(other: str) -> None:
    with another() as (process, name):
        process.kill()
        process.wait()
        machine, _, rest = name.partition("/")
        boot, namespace, end = rest.split(".")
        named = {
            "boot": f"{machine}/{boot[::-1]}.{namespace}.{end}",
            "namespace": f"{machine}/{boot}.{int(namespace) + 1}.{end}",
            "nothing": f"{machine}:{process.pid}",  # of a release before, or without /proc
        }
        assert not holder.is_gone(named[other])
        assert holder.shown(named[other]) == f"{machine}:{process.pid}"


def test_a_number_that_no_process_can_have_is_of_none() -> None:
    place, _, _ = holder.own_name().rpartition(":")
    assert holder.is_gone(f"{place}:{2**22 + 1}"), "Linux gives none so high"
    assert holder.is_gone(f"{place}:{10**30}")
