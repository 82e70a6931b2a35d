"""The key of the checkpoints is changed while the service runs: what either key signed is proven by both together."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.faults.load import Client, authorization, client
from tests.http.test_audit import CHECKPOINT, KEYS, root_in
from tests.projections.building import soon
from tests.servers.process import ServiceProcess


def put_new_key(file: Path) -> None:
    """As `openssl genpkey -algorithm ed25519` writes it."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem)


async def signed(one: Client, size: int) -> str:
    """The checkpoint of that many events, once an auditor has signed it."""

    async def covers() -> bool:
        answer = await one.ask("GET", CHECKPOINT)
        return answer.status == 200 and answer.data["size"] == size

    await soon(covers, 20)
    note: str = (await one.ask("GET", CHECKPOINT)).data["checkpoint"]
    return note


async def listed(one: Client) -> list[str]:
    async with one.session.get(KEYS) as answer:
        assert answer.status == 200
        return (await answer.text()).splitlines(keepends=True)


async def test_a_new_key_takes_over_from_the_old_one(
    postgres_dsn: str, start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    key = tmp_path / "checkpoint-key.pem"
    auditors = {"run": "auditor", "checkpoint_key_file": str(key), "checkpoint_interval": "0.05"}
    first = start_service(database_url=postgres_dsn, **auditors)
    service = start_service(database_url=postgres_dsn, run="api,projector")
    async with client(service.url, authorization(service)) as one:
        await one.report()
        before = await signed(one, 1)
        (old,) = await listed(one)
        key.unlink()
        put_new_key(key)
        start_service(database_url=postgres_dsn, **auditors)
        first.terminate()
        await one.report()
        after = await signed(one, 2)
        new, *others = await listed(one)
    assert others == [old]
    root_in(before, 1, old)
    root_in(after, 2, new)
    kept = {name: tmp_path / name for name in ("both", "new", "before", "after", "export")}
    for name, text in {"both": new + old, "new": new, "before": before, "after": after}.items():
        kept[name].write_text(text)
    service.command("audit", "export", str(kept["export"]))
    offline = ("--file", str(kept["export"]))
    assert "sound" in service.command("audit", "verify")
    for where in ((), offline):
        for checkpoint in ("before", "after"):
            known = ("--key", str(kept["both"]), "--checkpoint", str(kept[checkpoint]))
            assert "sound" in service.command("audit", "verify", *where, *known)
    only_new = (*offline, "--key", str(kept["new"]))
    assert "sound" in service.command("audit", "verify", *only_new)
    with pytest.raises(RuntimeError, match="exit code 1"):
        service.command("audit", "verify", *only_new, "--checkpoint", str(kept["before"]))
