"""Whoever builds the read models is paused past its lease and woken: another took over, and it writes nothing."""

import asyncio

import pytest

from projections.read_models import FOLLOWER
from tests.faults.agreement import agree, patiently
from tests.faults.audit import audit
from tests.faults.conftest import Ground
from tests.faults.load import INCIDENTS, Acknowledged, authorization, client, load
from tests.servers.process import ServiceProcess
from tests.servers.roles import connected

TAKEOVER_SECONDS = 5.0

_HOLDER = f"SELECT holder, epoch, position FROM ims.followers WHERE name = '{FOLLOWER}'"
_IN_TRANSACTION = """SELECT count(*) FROM pg_stat_activity
                     WHERE state = 'idle in transaction' AND datname = current_database()"""


async def pause_and_takeover(ground: Ground, processes: list[ServiceProcess], *, amid_a_transaction: bool) -> None:
    """Pause the holder; the other one must have moved the position within five seconds; wake the first."""
    headers = authorization(processes[0])
    async with connected(str(ground.log)) as database:
        holder, epoch, _ = await database.fetchrow(_HOLDER)
        (first,) = (process for process in processes if holder.endswith(f":{process.pid}"))
        (second,) = (process for process in processes if process is not first)
        async with load(lambda: second.url, headers, clients=4) as seen:
            await asyncio.sleep(0.3)
            first.pause()
            while amid_a_transaction and not await database.fetchval(_IN_TRANSACTION):
                first.resume()
                await asyncio.sleep(0.002)
                first.pause()
            _, _, at_pause = await database.fetchrow(_HOLDER)
            began = asyncio.get_running_loop().time()
            async with asyncio.timeout(TAKEOVER_SECONDS + 2):
                while (await database.fetchrow(_HOLDER))["position"] <= at_pause:
                    await asyncio.sleep(0.02)
            assert asyncio.get_running_loop().time() - began <= TAKEOVER_SECONDS
            holder, new_epoch, _ = await database.fetchrow(_HOLDER)
            assert holder.endswith(f":{second.pid}")
            assert new_epoch == epoch + 1
            first.resume()
            await asyncio.sleep(0.5)
        async with asyncio.timeout(5):
            while (await database.fetchrow(_HOLDER))["position"] < len(await audit(ground.log)):
                await asyncio.sleep(0.05)
        assert (await database.fetchrow(_HOLDER))["epoch"] == new_epoch
        log = await audit(ground.log, seen.acknowledged)
        for process in processes:
            async with client(process.url, headers) as one:
                await agree(one, log)
                answer = await one.ask("PATCH", f"{INCIDENTS}/{seen.acknowledged[-1].id}", {"location": process.url})
                assert answer.status in (200, 404)
                assert (await patiently(one, INCIDENTS)).status == 200
                if answer.status == 200:
                    told = Acknowledged(answer.position, answer.data["id"], answer.data["occ_lock"])
                    log = await audit(ground.log, [*seen.acknowledged, told])


async def test_a_paused_holder_is_replaced_and_writes_nothing_when_it_wakes(on_postgres: Ground) -> None:
    processes = [on_postgres.start(), on_postgres.start()]
    # With rows locked by whoever is paused; the long round has both.
    await pause_and_takeover(on_postgres, processes, amid_a_transaction=True)


@pytest.mark.faults
async def test_holders_are_paused_again_and_again(on_postgres: Ground) -> None:
    processes = [on_postgres.start(), on_postgres.start()]
    for number in range(8):
        await pause_and_takeover(on_postgres, processes, amid_a_transaction=number % 2 == 0)
