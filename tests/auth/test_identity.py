"""Who somebody is, of which tenant, and what they may do: read from the claims of a good token."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.auth.errors import Refusal, Unauthenticated
from service.auth.identity import MAX_USER_ID, MAX_USER_NAME, Claims, Identity
from service.auth.tokens import Authenticator
from service.settings import Settings
from tests.auth.conftest import Start
from tests.auth.outcomes import PATIENT, let_in, refusal
from tests.servers.issuer import OidcIssuer

GOOD = {"sub": "u-1", "active_tenant": {"tenant_id": "acme"}}


def read(claims: dict[str, Any], **settings: Any) -> Identity:
    return Claims(Settings(**settings)).identity(claims)


def refused(claims: dict[str, Any], **settings: Any) -> Refusal:
    with pytest.raises(Unauthenticated) as caught:
        read(claims, **settings)
    return caught.value.code


def with_roles(*roles: str, **claims: Any) -> dict[str, Any]:
    return GOOD | {"active_tenant": {"tenant_id": "acme", "roles": list(roles)}} | claims


class TestTenants:
    @pytest.mark.parametrize("tenant", ["a", "A.b_c-9", "x" * 64, ".", "-"])
    def test_a_tenant(self, tenant: str) -> None:
        assert read(GOOD | {"active_tenant": {"tenant_id": tenant}}).tenant_id == tenant

    @pytest.mark.parametrize(
        "tenant",
        ["acme\n", "\nacme", "a b", "a/b", "a:b", "é", "ａ", "x" * 65, " ", "a\x00", "\ud800", 1, True, ["a"], {}],
    )
    def test_a_tenant_that_is_none(self, tenant: object) -> None:
        assert refused(GOOD | {"active_tenant": {"tenant_id": tenant}}) is Refusal.TOKEN_INVALID

    @pytest.mark.parametrize(
        "active", [None, {}, "acme", ["acme"], {"tenant_id": None}, {"tenant_id": ""}, {"tenant": "acme"}, {"id": None}]
    )
    def test_a_token_without_a_tenant(self, active: object) -> None:
        assert refused(GOOD | {"active_tenant": active}) is Refusal.TENANT_MISSING

    async def test_without_a_tenant_a_good_token_is_refused(self, issuer: OidcIssuer, service: Authenticator) -> None:
        assert await refusal(service, issuer.bearer(active_tenant=None)) is Refusal.TENANT_MISSING
        assert await refusal(service, issuer.bearer(active_tenant={"tenant_id": "a\n"})) is Refusal.TOKEN_INVALID

    def test_active_tenant_id_stands_in(self) -> None:
        assert read(GOOD | {"active_tenant": {"id": "globex"}}).tenant_id == "globex"
        assert read(GOOD | {"active_tenant": {"tenant_id": "acme", "id": "globex"}}).tenant_id == "acme"

    def test_it_does_not_stand_in_for_a_tenant_that_cannot_be_used(self) -> None:
        assert refused(GOOD | {"active_tenant": {"tenant_id": "a b", "id": "globex"}}) is Refusal.TOKEN_INVALID
        assert refused(GOOD | {"active_tenant": {"tenant_id": "", "id": "globex"}}) is Refusal.TENANT_MISSING

    @pytest.mark.parametrize(
        ("path", "claims"),
        [
            ("org", {"org": "globex"}),
            ("a.b.c", {"a": {"b": {"c": "globex"}}}),
            ("https://ims.example/tenant", {"https://ims.example/tenant": "globex"}),
        ],
    )
    def test_the_path_is_a_setting(self, path: str, claims: dict[str, Any]) -> None:
        assert read(GOOD | claims, tenant_claim=path).tenant_id == "globex"

    def test_another_path_has_nothing_that_stands_in(self) -> None:
        claims = {"sub": "u", "active_tenant": {"tenant_id": "acme", "id": "acme"}}
        assert refused(claims, tenant_claim="org") is Refusal.TENANT_MISSING

    async def test_the_path_reaches_the_service(self, issuer: OidcIssuer, start: Start) -> None:
        service = await start(tenant_claim="org.id", roles_claim="org.roles")
        identity = await let_in(service, issuer.bearer(org={"id": "globex", "roles": ["tenant-admin"]}))
        assert (identity.tenant_id, identity.may_define) == ("globex", True)


class TestUsers:
    @pytest.mark.parametrize("sub", [None, "", "  ", 5, True, ["u"], "u\x00", "\udfff", "x" * (MAX_USER_ID + 1)])
    def test_a_subject_that_is_none(self, sub: object) -> None:
        assert refused(GOOD | {"sub": sub}) is Refusal.TOKEN_INVALID

    async def test_a_token_without_a_subject(self, issuer: OidcIssuer, service: Authenticator) -> None:
        assert await refusal(service, issuer.bearer(sub=None)) is Refusal.TOKEN_INVALID
        assert await refusal(service, issuer.bearer(sub=7)) is Refusal.TOKEN_INVALID

    @pytest.mark.parametrize(
        ("claims", "name"),
        [
            ({"name": "Ann", "preferred_username": "ann"}, "Ann"),
            ({"preferred_username": "ann"}, "ann"),
            ({"name": "", "preferred_username": "ann"}, "ann"),
            ({"name": 5, "preferred_username": " "}, "u-1"),
            ({}, "u-1"),
            ({"name": " Ann "}, " Ann "),
            ({"name": "é" * 300}, "é" * MAX_USER_NAME),
            ({"name": " " * 300 + "Ann"}, "Ann"),
            ({"name": "😀" * 201}, "😀" * 200),
        ],
    )
    def test_the_name_that_is_shown(self, claims: dict[str, Any], name: str) -> None:
        assert read(GOOD | claims).user_name == name

    @pytest.mark.parametrize("claim", ["name", "preferred_username"])
    async def test_a_name_that_cannot_be_stored(self, issuer: OidcIssuer, service: Authenticator, claim: str) -> None:
        assert refused(GOOD | {claim: "a\ud800b"}) is Refusal.TOKEN_INVALID
        claims: dict[str, Any] = {"name": None, claim: "a\x00b"}
        assert await refusal(service, issuer.bearer(**claims)) is Refusal.TOKEN_INVALID

    def test_what_is_not_used_is_not_looked_at(self) -> None:
        assert read(GOOD | {"name": "Ann", "preferred_username": "\x00", "given_name": "\ud800"}).user_name == "Ann"


class TestRoles:
    @pytest.mark.parametrize("role", ["system-admin", "tenant-admin"])
    def test_a_deployer_may_define(self, role: str) -> None:
        identity = read(with_roles("other", role))
        assert (identity.may_define, identity.may_write) == (True, True)

    @pytest.mark.parametrize("roles", [(), ("other",), ("System-Admin",), ("tenant-admin ",)])
    def test_everybody_else_reads_and_writes(self, roles: tuple[str, ...]) -> None:
        identity = read(with_roles(*roles), read_only_roles=("viewer",))
        assert (identity.may_define, identity.may_write) == (False, True)

    def test_deployers_are_a_setting(self) -> None:
        assert read(with_roles("boss"), deployer_roles=("boss",)).may_define
        assert not read(with_roles("system-admin"), deployer_roles=("boss",)).may_define

    @pytest.mark.parametrize(
        ("roles", "may_write"),
        [
            (["viewer"], False),
            (["viewer", "auditor"], False),
            (["viewer", "editor"], True),
            ([], True),
            (None, True),
            ("viewer", False),
        ],
    )
    def test_who_has_only_roles_that_read_may_only_read(self, roles: object, may_write: bool) -> None:
        claims = GOOD | {"active_tenant": {"tenant_id": "acme", "roles": roles}}
        assert read(claims, read_only_roles=("viewer", "auditor")).may_write is may_write

    def test_a_deployer_who_may_only_read_defines_nothing(self) -> None:
        assert not read(with_roles("tenant-admin"), read_only_roles=("tenant-admin",)).may_define

    def test_without_read_only_roles_everybody_writes(self) -> None:
        assert read(with_roles("viewer")).may_write

    @pytest.mark.parametrize("roles", [{"viewer": True}, 5, True, [1], ["viewer", None], "a\x00", ["\ud800"]])
    def test_roles_that_cannot_be_read_are_not_overlooked(self, roles: object) -> None:
        claims = GOOD | {"active_tenant": {"tenant_id": "acme", "roles": roles}}
        assert refused(claims) is Refusal.TOKEN_INVALID

    def test_of_the_realm_only_the_system_admin_counts(self) -> None:
        realm = {"roles": ["system-admin", "tenant-admin", "offline_access"]}
        assert read(with_roles(realm_access=realm)).roles == {"system-admin"}
        assert read(with_roles(realm_access=realm)).may_define
        assert not read(with_roles(realm_access={"roles": ["tenant-admin", "boss"]})).may_define

    def test_a_realm_role_takes_nothing_away(self) -> None:
        claims = with_roles("editor", realm_access={"roles": ["viewer"]})
        assert read(claims, read_only_roles=("viewer",)).may_write

    @pytest.mark.parametrize(
        "realm", [None, "system-admin", ["system-admin"], {"roles": "system-admin"}, {"roles": [1]}]
    )
    def test_realm_roles_in_another_form_count_nothing(self, realm: object) -> None:
        assert read(with_roles(realm_access=realm)).roles == frozenset()

    async def test_a_tenant_of_another_realm(self, issuer: OidcIssuer, service: Authenticator) -> None:
        realm = {"roles": ["tenant-admin"]}
        async with OidcIssuer() as other_realm:
            token = other_realm.bearer(iss=issuer.url, realm_access={"roles": ["system-admin"]})
            assert await refusal(service, token) is Refusal.TOKEN_INVALID
        identity = await let_in(service, issuer.bearer(realm_access=realm, active_tenant={"tenant_id": "other"}))
        assert (identity.tenant_id, identity.may_define) == ("other", False)


TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["tenant_id", "id", "roles"]) | TEXT, inner),
    max_leaves=8,
)


@PATIENT
@given(st.dictionaries(st.sampled_from(["sub", "name", "preferred_username", "active_tenant", "realm_access"]), JSON))
def test_any_claims_give_an_identity_or_a_refusal(claims: dict[str, Any]) -> None:
    try:
        identity = read(claims)
    except Unauthenticated:
        return
    for text in (identity.tenant_id, identity.user_id, identity.user_name, *identity.roles):
        assert text.strip()
        assert "\x00" not in text
        text.encode()
