"""Who somebody is, of which tenant, and what they may do: read from the claims of a good token."""

from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from service.auth.errors import Refusal, Unauthenticated
from service.auth.identity import MAX_USER_ID, MAX_USER_NAME, Claims, Identity
from service.auth.roles import MAX_ROLES
from service.auth.tenant_ids import TENANT_ID
from service.auth.tokens import Authenticator
from service.settings import InvalidSettings, Settings, load_settings
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
        [
            "acme\n", "\nacme", "a b", "é", "ａcme", "а", "x" * 65, " ", "a\x00", "\ud800", "|" * 21, "x--" + "x" * 59,
            1.0, True, [True], [1.5], [["a"]], [{"id": "a"}], ["acme", "a b"], {"acme": "Acme"}, {"id": 12},
            {"id": None}, {"a b": {}},
        ],
    )  # fmt: skip
    def test_a_tenant_that_is_none(self, tenant: object) -> None:
        assert refused(GOOD | {"active_tenant": {"tenant_id": tenant}}) is Refusal.TOKEN_INVALID

    @pytest.mark.parametrize(
        ("claim", "tenant"),
        [
            (["acme"], "acme"), (["acme", "acme"], "acme"), ([12], "12"), ({"acme": {"id": "4f2b"}}, "acme"),
            ({"acme": {}, "globex": False}, "acme"), ({"acme": True}, "acme"), ({"acme": ["editor"]}, "acme"),
            (12, "12"), (-5, "-5"), ("org|12", "x--org.7C12"), ("/acme", "x--.2Facme"), (["/acme"], "x--.2Facme"),
            ("urn:x", "x--urn.3Ax"), ("x--acme", "x--x--acme"), ("x--org.7C12", "x--x--org.2E7C12"),
            ("!" * 20, "x--" + ".21" * 20),
        ],
        ids=str,
    )  # fmt: skip
    def test_a_claim_that_becomes_a_tenant(self, claim: object, tenant: str) -> None:
        assert read(GOOD | {"active_tenant": {"tenant_id": claim}}).tenant_id == tenant

    @given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20), unique=True))
    def test_no_two_names_become_one_tenant(self, names: list[str]) -> None:
        tenants = [read(GOOD | {"active_tenant": {"tenant_id": name}}).tenant_id for name in names]
        assert len(set(tenants)) == len(names)
        assert all(TENANT_ID.fullmatch(tenant) for tenant in tenants)

    @pytest.mark.parametrize("claim", [["acme", "globex"], {"acme": {}, "globex": {}}, ["a", 1], ["/a", "a"]], ids=str)
    def test_of_several_tenants_none_is_guessed(self, claim: object) -> None:
        with pytest.raises(Unauthenticated, match="several tenants in its claim active_tenant") as caught:
            read(GOOD | {"active_tenant": {"tenant_id": claim}})
        assert caught.value.code is Refusal.TOKEN_INVALID
        assert all(str(name).strip("/") in caught.value.message for name in claim)  # type: ignore[attr-defined]

    def test_of_many_tenants_some_are_named(self) -> None:
        with pytest.raises(Unauthenticated, match=r"t0, t1, t2, t3, t4 and more\.$"):
            read(GOOD | {"active_tenant": {"tenant_id": [f"t{n}" for n in range(5000)]}})

    @pytest.mark.parametrize(
        "active",
        [
            None,
            {},
            "acme",
            ["acme"],
            {"tenant_id": None},
            {"tenant_id": ""},
            {"tenant": "acme"},
            {"id": None},
            {"tenant_id": []},
            {"tenant_id": {}},
            {"tenant_id": [""]},
            {"tenant_id": {"acme": False}},
        ],
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
            (r"https://ims\.example/tenant", {"https://ims.example/tenant": "globex"}),
            (r"https://ims\.example/app.tenant", {"https://ims.example/app": {"tenant": "globex"}}),
            (r"a\.b.c\\d", {"a.b": {"c\\d": "globex"}, "a": {"b": {"c\\d": "other"}}}),
            ("a.b", {"a.b": "globex", "a": {"b": "other"}}),
            ("custom:tenant", {"custom:tenant": "globex"}),
        ],
    )
    def test_the_path_is_a_setting(self, path: str, claims: dict[str, Any]) -> None:
        assert read(GOOD | claims, tenant_claim=path).tenant_id == "globex"

    @pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a\\", r"a\b", "a.\\"])
    @pytest.mark.parametrize("claim", ["tenant_claim", "roles_claim", "user_claim", "name_claim"])
    def test_a_path_that_is_none(self, claim: str, path: str) -> None:
        with pytest.raises(InvalidSettings, match=rf"IMS_{claim.upper()}: .*names with dots between"):
            load_settings(**{claim: path})

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

    @pytest.mark.parametrize(
        ("path", "claims"),
        [("oid", {"oid": "o-1"}), ("user.id", {"user": {"id": "o-1"}}), ("https://a/id", {"https://a/id": "o-1"})],
    )
    def test_the_claim_is_a_setting(self, path: str, claims: dict[str, Any]) -> None:
        identity = read(GOOD | claims, user_claim=path)
        assert (identity.user_id, identity.user_name) == ("o-1", "o-1")
        assert refused(GOOD, user_claim=path) is Refusal.TOKEN_INVALID
        assert refused(GOOD | {path.partition(".")[0]: 7}, user_claim=path) is Refusal.TOKEN_INVALID

    def test_of_two_issuers_with_one_user_id_neither_is_taken_for_the_other(self) -> None:
        issuers = ("https://a.example", "https://b.example", "https://b.example/c")
        users = [read(GOOD | {"iss": issuer}, oidc_issuer=issuers, oidc_audience="*") for issuer in issuers]
        assert [user.user_id for user in users] == ["u-1", "https://b.example|u-1", "https://b.example/c|u-1"]
        assert {user.user_name for user in users} == {"u-1"}
        forged = GOOD | {"iss": issuers[0], "sub": "https://b.example|u-1"}
        assert refused(forged, oidc_issuer=issuers, oidc_audience="*") is Refusal.TOKEN_INVALID
        long = GOOD | {"iss": issuers[1], "sub": "x" * (MAX_USER_ID - len("https://b.example"))}
        assert refused(long, oidc_issuer=issuers, oidc_audience="*") is Refusal.TOKEN_INVALID

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

    def test_its_claim_is_a_setting(self) -> None:
        claims = GOOD | {"username": "ann", "name": "Ann"}
        assert read(claims, name_claim="username").user_name == "ann"
        assert read(claims, name_claim="email").user_name == "Ann"

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
    def test_everybody_else_reads_and_writes_where_no_setting_says_who_may(self, roles: tuple[str, ...]) -> None:
        identity = read(with_roles(*roles))
        assert (identity.may_define, identity.may_write) == (False, True)
        for settings in ({"read_only_roles": ("viewer",)}, {"writer_roles": ("editor",)}):
            assert not read(with_roles(*roles), **settings).may_write

    def test_deployers_are_a_setting(self) -> None:
        assert read(with_roles("boss"), deployer_roles=("boss",)).may_define
        assert not read(with_roles("system-admin"), deployer_roles=("boss",)).may_define

    @pytest.mark.parametrize(
        ("roles", "may_write"),
        [
            (["viewer"], False),
            (["viewer", "auditor"], False),
            (["viewer", "editor"], True),
            (["viewer", "tenant-admin"], True),
            (["viewer", "offline_access", "default-roles-x", "uma_authorization"], False),
            (["offline_access", "default-roles-x", "uma_authorization"], False),
            (["Editor"], False),
            (["editor "], False),
            ([], False),
            (None, False),
            ("viewer", False),
            ("viewer editor", True),
            ("openid incidents.read", False),
            ({"viewer": {}}, False),
            ([{"name": "viewer"}], False),
        ],
        ids=str,
    )
    def test_who_may_write_is_who_has_a_role_that_is_named(self, roles: object, may_write: bool) -> None:
        claims = GOOD | {"active_tenant": {"tenant_id": "acme", "roles": roles}}
        assert read(claims, read_only_roles=("viewer", "auditor"), writer_roles=("editor",)).may_write is may_write
        assert read(claims, writer_roles=("editor",)).may_write is may_write
        deployer = "tenant-admin" in str(roles)
        assert read(claims, read_only_roles=("viewer", "auditor")).may_write is deployer

    @pytest.mark.parametrize(
        ("role", "rights"),
        [
            ("tenant-admin", (True, True, True, False)),
            ("editor", (False, True, False, False)),
            ("eraser", (False, False, False, True)),
            ("auditor", (False, False, True, False)),
            ("other", (False, False, False, False)),
        ],
    )
    def test_no_role_implies_more_than_it_says(self, role: str, rights: tuple[bool, ...]) -> None:
        identity = read(with_roles(role), writer_roles=("editor",))
        assert (identity.may_define, identity.may_write, identity.may_audit, identity.may_erase) == rights
        narrowed = read(with_roles(role), read_only_roles=(role,))
        assert (narrowed.may_define, narrowed.may_write, narrowed.may_erase) == (False, False, False)
        assert narrowed.may_audit == identity.may_audit

    def test_a_role_that_may_write_and_may_not_is_refused_at_the_start(self) -> None:
        with pytest.raises(InvalidSettings, match="IMS_WRITER_ROLES and IMS_READ_ONLY_ROLES both name a, b"):
            load_settings(writer_roles="b,a,c", read_only_roles="a,b")

    @pytest.mark.parametrize("name", ["writer_roles", "read_only_roles"])
    def test_a_setting_that_names_no_role_is_refused_at_the_start(self, name: str) -> None:
        with pytest.raises(InvalidSettings, match=f"IMS_{name.upper()}: .*names no role"):
            load_settings(**{name: " , "})
        assert load_settings(**{name: ""}) == load_settings()

    def test_a_deployer_who_may_only_read_defines_nothing(self) -> None:
        assert not read(with_roles("tenant-admin"), read_only_roles=("tenant-admin",)).may_define

    def test_without_read_only_roles_everybody_writes(self) -> None:
        assert read(with_roles("viewer")).may_write

    @pytest.mark.parametrize(
        ("roles", "names"),
        [
            ("openid incidents.read", ["incidents.read", "openid"]),
            (" a,b\tc\n", ["a", "b", "c"]),
            ({"a": {"212": "acme.example"}, "b": True, "c": [], "d": False, "e": None}, ["a", "b", "c"]),
            ([{"name": "a", "id": 7}, "b", ""], ["a", "b"]),
            (["a b", "a,b"], ["a b", "a,b"]),
            ({}, []),
        ],
        ids=str,
    )
    def test_the_forms_that_roles_come_in(self, roles: object, names: list[str]) -> None:
        assert read(GOOD | {"active_tenant": {"tenant_id": "acme", "roles": roles}}).roles == set(names)

    def test_their_path_may_lead_through_names_with_dots(self) -> None:
        claims = GOOD | {"resource_access": {"my.client": {"roles": ["a"]}, "my": {"client": {"roles": ["b"]}}}}
        assert read(claims, roles_claim=r"resource_access.my\.client.roles").roles == {"a"}
        assert read(claims, roles_claim="resource_access.my.client.roles").roles == {"b"}

    def test_there_may_be_so_many(self) -> None:
        assert len(read(with_roles(*map(str, range(MAX_ROLES)))).roles) == MAX_ROLES
        assert refused(with_roles(*map(str, range(10_000)))) is Refusal.TOKEN_INVALID

    def test_one_warning_says_that_their_claim_is_not_there(self) -> None:
        with structlog.testing.capture_logs() as logs:
            claims = Claims(Settings(roles_claim="groups"))
            for _ in range(3):
                claims.identity(GOOD)
            found = Claims(Settings(roles_claim="groups"))
            for roles in ([], None, ["a"]):
                found.identity(GOOD | {"groups": roles})
        assert [(entry["log_level"], entry["claim"]) for entry in logs] == [("warning", "groups")]

    @pytest.mark.parametrize(
        "roles",
        [
            5, True, [1], ["viewer", None], "a\x00", ["\ud800"], [["a"]], [{"id": "a"}], [{"name": 1}], {"a": "b"},
            {"a": 1}, {"\x00": True},
        ],
        ids=str,
    )  # fmt: skip
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
        assert read(claims, read_only_roles=("viewer",), writer_roles=("editor",)).may_write

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
