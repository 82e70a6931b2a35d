"""The local signing key, and the tokens that are made with it."""

import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from joserfc.jwk import ECKey, RSAKey

from service.auth.errors import LocalKeyUnusable, MintingRefused, Refusal
from service.auth.local_key import AUDIENCE, ISSUER, ensure_local_key, key_file
from service.auth.minting import mint
from service.auth.sign_in import authenticator
from service.settings import Settings
from tests.auth.outcomes import let_in, refusal
from tests.servers.issuer import OidcIssuer, signed

CREATE = """
import sys, time
from pathlib import Path
from service.auth.local_key import ensure_local_key
time.sleep(max(0, float(sys.argv[2]) - time.time()))
print(ensure_local_key(Path(sys.argv[1])).kid)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def with_key(settings: Settings) -> Settings:
    """Of a service that was started before."""
    ensure_local_key(settings.data_dir)
    return settings


class TestTheFile:
    def test_only_its_owner_can_read_it(self, settings: Settings) -> None:
        authenticator(settings)
        file = key_file(settings.data_dir)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [path.name for path in settings.data_dir.iterdir()] == [file.name]

    async def test_a_token_outlives_a_restart(self, with_key: Settings) -> None:
        token = f"Bearer {mint(with_key, 'acme', 'u-1')}"
        for _ in range(2):
            async with authenticator(with_key) as service:
                await let_in(service, token)

    def test_processes_that_start_at_once_get_the_same_key(self, tmp_path: Path) -> None:
        at = str(time.time() + 1)
        command = [sys.executable, "-c", CREATE, str(tmp_path / "data"), at]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        kids = {process.communicate(timeout=30)[0].splitlines()[-1] for process in processes}
        assert kids == {ensure_local_key(tmp_path / "data").kid}
        assert len(list((tmp_path / "data").iterdir())) == 1

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{}",
            b"[]",
            b"5",
            orjson.dumps({"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}),
            orjson.dumps(ECKey.generate_key().as_dict(private=True)),
            orjson.dumps(RSAKey.generate_key().as_dict(private=False)),
        ],
    )
    def test_one_that_cannot_be_used_is_named_and_kept(self, settings: Settings, content: bytes) -> None:
        file = key_file(settings.data_dir)
        file.parent.mkdir()
        file.write_bytes(content)
        with pytest.raises(LocalKeyUnusable, match=str(file)):
            authenticator(settings)
        assert file.read_bytes() == content

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(LocalKeyUnusable, match="directory"):
            ensure_local_key(tmp_path / "file" / "data")

    def test_a_warning_says_so_at_the_start_and_never_shows_the_key(self, settings: Settings) -> None:
        with structlog.testing.capture_logs() as first:
            authenticator(settings)
        with structlog.testing.capture_logs() as second:
            authenticator(settings)
        assert [entry["log_level"] for entry in first + second] == ["warning"] * 3
        assert "signing key made" in first[0]["event"]
        private = orjson.loads(key_file(settings.data_dir).read_bytes())["d"]
        assert private not in str(first + second)

    def test_it_is_closed_to_others_who_can_read_it_and_a_record_says_so(self, settings: Settings) -> None:
        authenticator(settings)
        key_file(settings.data_dir).chmod(0o644)
        with structlog.testing.capture_logs() as logs:
            authenticator(settings)
        assert (logs[0]["event"], logs[0]["before"], logs[0]["after"]) == ("rights_tightened", "0644", "0600")
        assert stat.S_IMODE(key_file(settings.data_dir).stat().st_mode) == 0o600


class TestMinting:
    async def test_what_was_asked_for_is_what_the_service_reads(self, with_key: Settings) -> None:
        token = mint(with_key, "acme", "u-1", "Ann", ["tenant-admin", "x"], timedelta(minutes=5))
        async with authenticator(with_key) as service:
            identity = await let_in(service, f"Bearer {token}")
        assert (identity.tenant_id, identity.user_id, identity.user_name) == ("acme", "u-1", "Ann")
        assert identity.roles == {"tenant-admin", "x"}
        assert identity.may_define

    @pytest.mark.parametrize(
        "paths",
        [
            {"tenant_claim": "https://ims.example/tenant", "roles_claim": "groups"},
            {"tenant_claim": r"a\.b.c", "roles_claim": "scope", "user_claim": "oid", "name_claim": "user.name"},
        ],
        ids=str,
    )
    async def test_other_claim_paths(self, with_key: Settings, paths: dict[str, str]) -> None:
        settings = Settings(data_dir=with_key.data_dir, **paths)  # type: ignore[arg-type]
        token = mint(settings, "acme", "u-1", "Ann", roles=["system-admin"])
        async with authenticator(settings) as service:
            identity = await let_in(service, f"Bearer {token}")
        assert (identity.tenant_id, identity.user_id, identity.user_name) == ("acme", "u-1", "Ann")
        assert identity.may_define

    def test_where_there_is_no_key_none_is_made_and_the_folder_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(LocalKeyUnusable, match=rf"no signing key in {tmp_path}/\.ims; .*IMS_DATA_DIR"):
            mint(Settings(), "acme", "u-1")
        assert list(tmp_path.iterdir()) == []

    async def test_a_key_of_another_installation(self, settings: Settings, tmp_path: Path) -> None:
        other = Settings(data_dir=tmp_path / "other")
        ensure_local_key(other.data_dir)
        async with authenticator(settings) as service:
            assert await refusal(service, f"Bearer {mint(other, 'acme', 'u-1')}") is Refusal.TOKEN_INVALID

    async def test_the_key_makes_no_tokens_in_another_name(self, settings: Settings) -> None:
        key = ensure_local_key(settings.data_dir)
        header = {"alg": "RS256", "kid": key.kid}
        good = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "u", "exp": time.time() + 60, "active_tenant": {"tenant_id": "t"}
        }  # fmt: skip
        async with authenticator(settings) as service:
            await let_in(service, f"Bearer {signed(key, good, header)}")
            for wrong in ({"iss": "https://issuer.example"}, {"aud": "ims"}, {"exp": time.time() - 60}):
                await refusal(service, f"Bearer {signed(key, good | wrong, header)}")

    async def test_where_an_issuer_is_set_the_local_key_counts_nothing(
        self, with_key: Settings, issuer: OidcIssuer
    ) -> None:
        token = mint(with_key, "acme", "u-1")
        production = Settings(data_dir=with_key.data_dir, oidc_issuer=(issuer.url,), oidc_audience=("*",))
        async with authenticator(production) as service:
            assert await refusal(service, f"Bearer {token}") is Refusal.TOKEN_INVALID
        with pytest.raises(MintingRefused, match="IMS_OIDC_ISSUER"):
            mint(production, "acme", "u-1")

    def test_nor_where_a_key_file_is_set(self, tmp_path: Path) -> None:
        with pytest.raises(MintingRefused, match="IMS_JWKS_FILE"):
            mint(Settings(data_dir=tmp_path, jwks_file=tmp_path / "jwks.json"), "acme", "u-1")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "asked",
        [
            {"tenant": "a b"},
            {"tenant": ""},
            {"tenant": "a\n"},
            {"user": ""},
            {"user": "u\x00"},
            {"user": "\ud800"},
            {"user": "x" * 256},
            {"name": ""},
            {"name": "x" * 201},
            {"name": "\x00"},
            {"roles": [""]},
            {"roles": ["\ud800"]},
            {"roles": [f"role-{n}" for n in range(3000)]},
            {"expires": timedelta(0)},
            {"expires": timedelta(days=-1)},
            {"expires": timedelta(days=400)},
        ],
        ids=str,
    )
    def test_what_no_token_can_say(self, with_key: Settings, asked: dict[str, Any]) -> None:
        make: Callable[..., str] = mint
        with pytest.raises(MintingRefused):
            make(**({"settings": with_key, "tenant": "acme", "user": "u-1"} | asked))

    @pytest.mark.parametrize(
        ("tenant_claim", "roles_claim"), [("sub", "roles"), ("exp", "roles"), ("iss.x", "roles"), ("t", "t.roles")]
    )
    def test_claims_that_are_in_each_others_way(self, tmp_path: Path, tenant_claim: str, roles_claim: str) -> None:
        settings = Settings(data_dir=tmp_path, tenant_claim=tenant_claim, roles_claim=roles_claim)
        with pytest.raises(MintingRefused):
            mint(settings, "acme", "u-1", roles=["x"])
