"""Carries a command out, on the API and on the model, and compares the two answers."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from tests.domain.examples import BREACH
from tests.faults.load import INCIDENTS, Acknowledged, Answer, Client
from tests.properties.commands import Command
from tests.properties.model import Comment, Incident, Refusal, Tenant

Request = tuple[str, str, Any]
SERVER_TIMES = ("created_at", "updated_at")


STARTING_INCIDENTS = 3
NOTHING = Command(
    kind="report", tenant=0, user="deployer", which=0, comment=0, lock="none", members={}, attributes={},
    name="people", type="INT", value=0, keyed=True, astray=False,
)  # fmt: skip


@dataclass
class Sent:
    """A request with a key that was carried out, and its answer."""

    client: Client
    method: str
    path: str
    body: Any
    key: str
    answer: Answer


@dataclass
class Moment:
    """Each tenant's incidents as they were when the log ended at a position."""

    position: int
    incidents: list[list[Incident]]


@dataclass
class World:
    """Two tenants with three users each, and what the model says of them."""

    tenants: tuple[Tenant, Tenant]
    clients: Mapping[tuple[int, str], Client]
    keyed: list[Sent] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    """What the model was after each write."""

    async def populate(self) -> None:
        """Something to work on: commands about nothing say little."""
        for place, tenant in enumerate(self.tenants):
            for number in range(STARTING_INCIDENTS):
                start = replace(NOTHING, tenant=place, members={"next_update": number}, attributes={"count": number})
                await self._report(start, tenant)
            one = tenant.incidents[0]
            await self._comment(replace(NOTHING, tenant=place, value="first"), tenant, one)
            await self._define(replace(NOTHING, tenant=place, kind="define"), tenant)

    def remember(self) -> None:
        position = max(told.position for told in self.acknowledged)
        if not self.moments or position > self.moments[-1].position:
            self.moments.append(Moment(position, [deepcopy(tenant.incidents) for tenant in self.tenants]))

    async def carry_out(self, command: Command) -> None:
        tenant = self.tenants[command.tenant]
        one = self._incident(command)
        match command.kind:
            case "report":
                await self._report(command, tenant)
            case "define" | "retire":
                await self._define(command, tenant)
            case "repeat" | "reuse":
                await self._again(command)
            case _ if one is None:
                return
            case "comment":
                await self._comment(command, tenant, one)
            case "recomment" | "uncomment":
                await self._recomment(command, tenant, one)
            case "look":
                await self._look(command, tenant, one)
            case _:
                await self._change(command, tenant, one)

    def _incident(self, command: Command) -> Incident | None:
        there = self.tenants[1 - command.tenant if command.astray else command.tenant].incidents
        return there[command.which % len(there)] if there else None

    async def _ask(self, command: Command, method: str, path: str, body: Any = None) -> Answer:
        client = self.clients[command.tenant, command.user]
        key = f"key-{len(self.acknowledged)}-{len(self.keyed)}" if command.keyed else None
        answer = await client.ask(method, path, body, key=key)
        if answer.status < 300 and "Ims-Position" in answer.headers:
            if "id" in answer.data:
                told = Acknowledged(answer.position, answer.data["id"], answer.data["occ_lock"])
                self.acknowledged.append(told)
            if key is not None:
                self.keyed.append(Sent(client, method, path, body, key, answer))
        return answer

    async def _report(self, command: Command, tenant: Tenant) -> None:
        members = {**BREACH, **command.members}
        answer = await self._ask(command, "POST", INCIDENTS, {**members, "attributes": command.attributes})
        expected = tenant.report(command.user, members, command.attributes)
        if isinstance(expected, Incident):
            assert answer.status == 201, answer
            expected.id = answer.data["id"]
            assert without_times(answer.data) == expected.shown()
        else:
            assert answer.status in expected, answer

    async def _change(self, command: Command, tenant: Tenant, one: Incident) -> None:
        before = one.occ_lock
        request, decide = _change_of(command, tenant, one)
        answer = await self._ask(command, *request)
        if command.astray:
            assert answer.status == 404, answer
        else:
            self._judge(command, answer, decide(), one, before)

    def _judge(self, command: Command, answer: Answer, refusals: set[int], one: Incident, before: int) -> None:
        if refusals:
            assert answer.status in refusals, (command, answer)
            if answer.status == 409 and answer.code == "LOCK_STALE":
                assert answer.body["errors"][0]["current"]["occ_lock"] == one.occ_lock
            return
        assert answer.status == 200, (command, answer)
        assert without_times(answer.data) == one.shown(), command
        assert answer.headers["ETag"] == f'"{one.occ_lock}"'
        assert ("Ims-Position" in answer.headers) == (one.occ_lock > before)

    async def _comment(self, command: Command, tenant: Tenant, one: Incident) -> None:
        answer = await self._ask(command, "POST", f"{INCIDENTS}/{one.id}/comments", {"text": f"{command.value}!"})
        if command.astray:
            assert answer.status == 404
            return
        comment = tenant.comment(one, command.user, f"{command.value}!")
        if isinstance(comment, Comment):
            assert answer.status == 201
            comment.id = answer.data["id"]
            assert answer.data.items() >= comment.shown().items()
        else:
            assert answer.status in comment, answer

    async def _recomment(self, command: Command, tenant: Tenant, one: Incident) -> None:
        if not one.comments:
            return
        comment = one.comments[command.comment % len(one.comments)]
        lock = _lock(command, comment.occ_lock)
        body = {"occ_lock": comment.occ_lock if lock is None else lock}
        text = f"{command.value}?" if command.kind == "recomment" else None
        method = "DELETE" if text is None else "PUT"
        sent = body if text is None else {**body, "text": text}
        answer = await self._ask(command, method, f"{INCIDENTS}/{one.id}/comments/{comment.id}", sent)
        if command.astray:
            assert answer.status == 404
            return
        moderator = command.user == "deployer"
        refusals = tenant.recomment(one, comment, command.user, body["occ_lock"], text, moderator=moderator)
        if refusals:
            assert answer.status in refusals, (command, answer)
        else:
            assert answer.status == 200, (command, answer)
            assert answer.data.items() >= comment.shown().items()

    async def _define(self, command: Command, tenant: Tenant) -> None:
        deployer, path = command.user == "deployer", f"{INCIDENTS}/attributes"
        if command.kind == "define":
            answer = await self._ask(command, "POST", path, {"name": command.name, "type": command.type})
            refusals = tenant.define(command.name, command.type, deployer=deployer)
            wanted = 201
        else:
            answer = await self._ask(command, "DELETE", f"{path}/{command.name}")
            refusals = tenant.retire(command.name, deployer=deployer)
            wanted = 200
        assert answer.status in (refusals or {wanted}), (command, answer)

    async def _again(self, command: Command) -> None:
        """The same request with its key gets the first answer; another one with that key is refused."""
        if not self.keyed:
            return
        sent = self.keyed[command.which * 7 % len(self.keyed)]
        if command.kind == "repeat":
            again = await sent.client.ask(sent.method, sent.path, sent.body, key=sent.key)
            assert (again.status, again.data) == (sent.answer.status, sent.answer.data)
            assert again.position == sent.answer.position
        elif sent.method == "PATCH":
            other = await sent.client.ask(sent.method, sent.path, {"name": "Something else"}, key=sent.key)
            assert (other.status, other.code) == (422, "IDEMPOTENCY_KEY_REUSED")

    async def _look(self, command: Command, tenant: Tenant, one: Incident) -> None:
        answer = await self.clients[command.tenant, command.user].ask("GET", f"{INCIDENTS}/{one.id}")
        if command.astray or one.deleted:
            assert answer.status == 404
        else:
            assert answer.status == 200
            assert without_times(answer.data) == one.shown()


def _lock(command: Command, right: int) -> int | None:
    return {"right": right, "stale": max(0, right - 1), "none": None, "future": right + 1}[command.lock]


def _change_of(command: Command, tenant: Tenant, one: Incident) -> tuple[Request, Callable[[], set[Refusal]]]:
    """What is sent, and what the model is asked."""
    lock, user, path = _lock(command, one.occ_lock), command.user, f"{INCIDENTS}/{one.id}"
    locked = {} if lock is None else {"occ_lock": lock}
    name, value = command.name, command.value
    match command.kind:
        case "edit":
            certain = one.occ_lock if lock is None else lock
            members = {**BREACH, **command.members}
            given = command.attributes if value not in (0, "a") else None
            sent = {**members, "occ_lock": certain} | ({} if given is None else {"attributes": given})
            return ("PUT", path, sent), lambda: tenant.edit(one, user, certain, members, given)
        case "patch":
            named = {name: value or None for name, value in command.attributes.items()}
            patch = {**command.members, **({"attributes": named} if named else {})}
            return ("PATCH", path, {**patch, **locked}), lambda: tenant.patch(one, user, lock, patch)
        case "set":
            sent = {"name": name, "value": value, **locked}
            return ("PUT", f"{path}/attributes", sent), lambda: tenant.set_attribute(one, user, lock, name, value)
        case "add":
            sent = {"name": name, "value": value}
            return (
                ("POST", f"{path}/attributes", sent),
                lambda: tenant.set_attribute(one, user, None, name, value, new=True),
            )
        case "unset":
            return (
                ("DELETE", f"{path}/attributes/{name}", locked or None),
                lambda: tenant.remove_attribute(one, user, lock, name),
            )
        case "revert":
            certain, version = one.occ_lock if lock is None else lock, command.comment
            sent = {"version": version, "occ_lock": certain}
            return ("POST", f"{path}/revert", sent), lambda: tenant.revert(one, user, certain, version)
        case "delete":
            return ("DELETE", path, locked or None), lambda: tenant.delete(one, user, lock)
        case _:
            return ("POST", f"{path}/restore", locked or None), lambda: tenant.delete(one, user, lock, back=True)


def without_times(document: Mapping[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in document.items() if member not in SERVER_TIMES}
