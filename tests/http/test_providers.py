"""What `deploy/SIGN-IN.md` says of each provider, run as it stands there: settings, token, identity, `curl`."""

import asyncio
import re
import shlex
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from joserfc.jwk import RSAKey

from service.auth.roles import RoleRights
from service.settings import Settings
from tests.http.api import PATH, Api, incident
from tests.http.conftest import Serve
from tests.servers.issuer import OidcIssuer, signed

PAGE = (Path(__file__).parents[2] / "deploy" / "SIGN-IN.md").read_text()
KEY = RSAKey.generate_key(2048)
LIFE = 300  # seconds
TIMES = {"iat": 0, "nbf": 0, "auth_time": 0, "exp": LIFE}
READ = re.compile(r"Read here: tenant `(.+?)`, user `(.+?)`, shown as `(.+?)`, may\s+write\.")


def sections() -> dict[str, str]:
    """Of the providers, by name."""
    found = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return {name: text for name, text in found if "```json" in text}


SECTIONS = sections()
ID_TOKENS: dict[str, dict[str, Any]] = {
    "Keycloak": {"typ": "ID", "at_hash": "Yw"},
    "Entra ID": {"scp": None},
    "Auth0": {"aud": "my_client_id", "azp": None, "scope": None},
    "Cognito": {"aud": "1h57kf5cpq17m0eml12example", "client_id": None, "token_use": "id", "cognito:username": "alice"},
    "Okta": {"aud": "0oa1gn4k5wQmE0c5k5d7", "jti": "ID.x", "scp": None, "cid": None},
    "Zitadel": {"nonce": "n-0S6_WzA2Mj", "azp": "282951001039233437@ims", "jti": None, "client_id": None},
}
"""What the provider's ID token has otherwise than its access token; None: not at all."""


class Provider:
    def __init__(self, name: str) -> None:
        text = SECTIONS[name]
        settings, *_, call = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        self.settings = {
            variable.removeprefix("IMS_").lower(): value
            for variable, _, value in (word.partition("=") for word in shlex.split(settings))
        }
        self.call = call.splitlines()[-1]
        (token,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
        self.token = orjson.loads(token)
        (self.read,) = READ.findall(text)

    def signed(self, **claims: Any) -> str:
        """The token of the page as of now, other claims in place of its own."""
        payload = {name: value for name, value in (self.token["payload"] | claims).items() if value is not None}
        now = int(time.time())
        return signed(
            KEY, payload | {name: now + TIMES[name] for name in TIMES if name in payload}, self.token["header"]
        )


@pytest.fixture
async def keys() -> AsyncIterator[OidcIssuer]:
    async with OidcIssuer() as issuer:
        yield issuer


async def served(serve: Serve, provider: Provider, keys: OidcIssuer) -> Api:
    public = KEY.as_dict(private=False) | {"kid": provider.token["header"]["kid"]}
    keys.jwks_text = orjson.dumps({"keys": [public]})
    return await serve(**provider.settings, oidc_jwks_url=f"{keys.url}/jwks")


def bearer(token: str) -> dict[str, Any]:
    return {"authorized": False, "headers": {"Authorization": f"Bearer {token}"}}


@pytest.mark.parametrize("name", SECTIONS)
async def test_what_the_page_says_of_a_provider_is_so(serve: Serve, keys: OidcIssuer, name: str) -> None:
    provider = Provider(name)
    api = await served(serve, provider, keys)
    tenant, user, shown = provider.read
    token = provider.signed()
    created = (await api.post(PATH, incident(), **bearer(token))).data
    assert (created["tenant_id"], created["created_by"]) == (tenant, shown)
    comment = (await api.post(f"{PATH}/{created['id']}/comments", {"text": "Seen."}, **bearer(token))).data
    assert comment["user_id"] == user

    call = provider.call.replace("https://ims.example.com", str(api.client.make_url("")).rstrip("/"))
    done = await asyncio.create_subprocess_exec(
        "bash", "-euc", f"TOKEN={token}; {call}", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await done.communicate()
    assert orjson.loads(output)["data"]["total"] == 1

    reader = provider.signed(**{provider.settings["roles_claim"]: None})
    if name == "Keycloak":
        reader = provider.signed(resource_access={"ims.example": {"roles": ["viewer"]}})
    (await api.post(PATH, incident(), **bearer(reader))).refused(403, "FORBIDDEN")
    assert (await api.get(**bearer(reader))).data["total"] == 1

    answer = await api.get(**bearer(provider.signed(**ID_TOKENS[name])))
    answer.refused(401, "TOKEN_INVALID")


def test_each_provider_of_the_table_has_its_section() -> None:
    listed = re.findall(r"^\| \[([^\]]+)\]\(#", PAGE, re.MULTILINE)
    assert listed == list(SECTIONS) == list(ID_TOKENS)


def test_the_table_of_who_may_write_is_so() -> None:
    table = PAGE.split("| May write |")[1].split("\n\n")[0].splitlines()[2:]
    for line in table:
        writers, readers, roles, may = (cell.strip() for cell in line.strip("| ").split(" | "))
        held = frozenset(roles.strip("`").split(", ")) if "`" in roles else frozenset[str]()
        for read_only in readers.split(" or "):
            settings = Settings(writer_roles=_words(writers), read_only_roles=_words(read_only))
            assert RoleRights(settings).of(held).may_write is (may == "yes"), line
    assert len(table) > 10


def _words(cell: str) -> tuple[str, ...]:
    return () if cell == "–" else (cell.strip("`"),)
