"""Fifty clients want the same thing at once: of those with a lock one wins, those without all succeed."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from tests.domain.examples import BREACH
from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.conftest import Ground
from tests.faults.load import INCIDENTS, Acknowledged, Answer, Client, authorization, client
from tests.servers.process import ServiceProcess

CLIENTS = 50


async def one_winner(clients: Sequence[Client], rounds: int) -> list[Acknowledged]:
    """Each round: everybody PUTs with the version that all of them have seen."""
    told = []
    incident = await clients[0].report()
    for number in range(rounds):
        body = {**BREACH, "occ_lock": incident["occ_lock"]}
        answers = await asyncio.gather(
            *(
                one.ask("PUT", f"{INCIDENTS}/{incident['id']}", {**body, "name": f"Round {number}, number {n}"})
                for n, one in _shared_out(clients)
            )
        )
        assert Counter(answer.status for answer in answers) == {200: 1, 409: CLIENTS - 1}
        (won,) = (answer for answer in answers if answer.status == 200)
        lost = [answer.body["errors"][0] for answer in answers if answer.status == 409]
        assert {error["code"] for error in lost} == {"LOCK_STALE"}
        incident = won.data
        assert all(error["current"]["occ_lock"] == incident["occ_lock"] for error in lost)
        shown = [error["changes"][0]["changes"]["name"]["to"] for error in lost]
        assert shown == [incident["name"]] * (CLIENTS - 1)
        told.append(Acknowledged(won.position, incident["id"], incident["occ_lock"]))
    return told


async def everybody_succeeds(clients: Sequence[Client]) -> list[Acknowledged]:
    """Patches without a lock: each is decided again until it fits."""
    incident = await clients[0].report()
    answers: list[Answer] = await asyncio.gather(
        *(
            one.ask("PATCH", f"{INCIDENTS}/{incident['id']}", {"location": f"Place {n}"})
            for n, one in _shared_out(clients)
        )
    )
    assert Counter(answer.status for answer in answers) == {200: CLIENTS}
    assert sorted(answer.data["occ_lock"] for answer in answers) == list(range(1, CLIENTS + 1))
    return [Acknowledged(answer.position, incident["id"], answer.data["occ_lock"]) for answer in answers]


def _shared_out(clients: Sequence[Client]) -> list[tuple[int, Client]]:
    return [(number, clients[number % len(clients)]) for number in range(CLIENTS)]


async def race(processes: Sequence[ServiceProcess], ground: Ground, rounds: int) -> None:
    headers = authorization(processes[0])
    async with AsyncExitStack() as open_clients:
        clients = [await open_clients.enter_async_context(client(one.url, headers)) for one in processes]
        told = await one_winner(clients, rounds)
        for _ in range(rounds):
            told += await everybody_succeeds(clients)
        await agree(clients[0], await audit(ground.log, told))


async def test_of_fifty_edits_with_one_lock_one_wins_and_fifty_patches_succeed(ground: Ground) -> None:
    await race([ground.start()], ground, rounds=2)


async def test_two_processes_on_one_postgres_race_as_one_does(on_postgres: Ground) -> None:
    await race([on_postgres.start(), on_postgres.start()], on_postgres, rounds=2)


@pytest.mark.faults
async def test_races_of_three_processes_go_on_for_long(on_postgres: Ground) -> None:
    await race([on_postgres.start() for _ in range(3)], on_postgres, rounds=40)
