"""What may stand in `IMS_DATABASE_URL`: libpq's forms, mapped or refused by name, and a password that nobody sees."""

from pathlib import Path

import pytest

from service.database_url import postgres
from service.settings import InvalidSettings, load_settings
from service.store.primary import Primary
from tests.servers.postgres import Postgres

SECRET = "s3cr"


def refusal(url: str) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load_settings(database_url=url)
    text = str(refused.value)
    assert text.startswith("IMS_DATABASE_URL: ")
    assert len(text.splitlines()) == 1
    return text


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql://u@h/d"),
        ("postgresql+psycopg2://u@h/d", "postgresql://u@h/d"),
        ("postgres+psycopg://u@h/d", "postgres://u@h/d"),
        ("POSTGRES://u@h/d", "postgres://u@h/d"),
        (" postgresql://u@h/d\n", "postgresql://u@h/d"),
        ("sqlite+aiosqlite:///x.db", "sqlite:///x.db"),
        ("sqlite+pysqlite:////var/x.db", "sqlite:////var/x.db"),
    ],
)
def test_what_programs_add_to_a_scheme_for_themselves_is_left_out(url: str, wanted: str) -> None:
    settings = load_settings(database_url=url)
    assert settings.database_url == wanted
    assert settings.postgres == ("postgres" in wanted)


@pytest.mark.parametrize(("url", "path"), [("sqlite:///x.db", "x.db"), ("sqlite:////var/lib/x.db", "/var/lib/x.db")])
def test_three_slashes_are_a_relative_path_and_four_an_absolute_one(url: str, path: str) -> None:
    assert load_settings(database_url=url).sqlite_path == Path(path)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://h/d", "begin with sqlite:///path, postgresql://…"),
        ("localhost/d", "begin with"),
        ("file:///x.db", "begin with"),
        ("unix:///run/postgresql", "begin with"),
        ("sqlite://x.db", "three slashes"),
        ("sqlite:x.db", "begin with"),
        ("sqlite://", "three slashes"),
        ("sqlite:///", "name a file"),
        ("sqlite:///folder/", "name a file"),
        ("sqlite:///..", "name a file"),
        ("sqlite:///:memory:", "log in memory"),
        ("sqlite:///file:x.db", "log in memory"),
        ("sqlite:///x.db?mode=ro", "no parameters for SQLite"),
        ("sqlite+aiosqlite:///x.db?cache=shared", "no parameters for SQLite"),
    ],
)
def test_a_form_that_means_nothing_here_is_refused_with_what_is_right(url: str, said: str) -> None:
    assert said in refusal(url)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("channel_binding=require", "channel_binding takes disable, prefer"),
        ("client_encoding=latin1", "client_encoding takes utf8"),
        ("gssencmode=require", "gssencmode takes disable, prefer"),
        ("load_balance_hosts=random", "load_balance_hosts takes disable"),
        ("target_session_attrs=standby", "target_session_attrs takes any, read-write, primary"),
        ("target_session_attrs=read-only", "target_session_attrs takes"),
        ("sslmode=nonsense", "sslmode takes disable"),
        ("connect_timeout=soon", "connect_timeout takes whole seconds"),
        ("connect_timeout=-1", "connect_timeout takes whole seconds"),
        ("connect_timeout=999", "connect_timeout takes whole seconds"),
        ("keepalives=1", "keepalives: every wait has a limit, IMS_DATABASE_TIMEOUT"),
        ("keepalives_idle=30", "keepalives_idle: every wait"),
        ("tcp_user_timeout=1", "tcp_user_timeout: every wait"),
        ("statement_timeout=5000", "statement_timeout: every wait"),
        ("schema=other", "schema: IMS_DATABASE_SCHEMA names the schema"),
        ("pgbouncer=true", "pgbouncer: IMS_DATABASE_URL must lead to the server, or to a pooler in session mode"),
        ("replication=database", "replication: there is no such parameter; what may stand there: application_name,"),
        ("SSLMODE=require", "SSLMODE: there is no such parameter"),
        ("sslmode=require&sslmode=disable", "sslmode stands twice"),
        ("host=other", "host stands in the query, and a host before the path"),
        ("port=5433", "port stands in the query"),
        ("dbname=other", "database's name stands in the query and before it"),
        ("user=other", "user stands in the query and before it"),
        ("password=other", "password stands in the query and before it"),
    ],
)
def test_a_parameter_that_cannot_be_honoured_is_refused_by_its_name(query: str, said: str) -> None:
    assert said in refusal(f"postgresql://u:{SECRET}@h:5432/d?{query}")


def test_what_libpq_takes_and_holds_here_is_mapped() -> None:
    place = postgres(
        "postgresql://u@h/d?channel_binding=prefer&connect_timeout=15&application_name=billing&gssencmode=disable"
        "&options=-c%20work_mem%3D8MB&target_session_attrs=read-write&client_encoding=UTF8&load_balance_hosts=disable"
        "&sslmode=verify-full&sslrootcert=/etc/ca.pem&passfile=/p@s&service=&sslnegotiation=postgres"
    )
    assert place.urls == (
        "postgresql://u@h/d?passfile=%2Fp%40s&sslrootcert=%2Fetc%2Fca.pem&sslmode=verify-full&sslnegotiation=postgres",
    )
    assert place.connect_seconds == 15
    assert place.session == {"application_name": "billing", "options": "-c work_mem=8MB"}


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("postgresql://h", ("postgresql://h",)),
        ("postgresql://", ("postgresql://",)),
        ("postgresql://[::1]:5433,h/d", ("postgresql://[::1]:5433/d", "postgresql://h/d")),
        ("postgresql://%2Frun%2Fpg/d", ("postgresql://%2Frun%2Fpg/d",)),
        ("postgresql:///d?host=a,b&port=1,2", ("postgresql://a:1/d", "postgresql://b:2/d")),
        ("postgresql:///d?host=a,b&port=1", ("postgresql://a:1/d", "postgresql://b:1/d")),
        ("postgresql:///?host=a&dbname=d&user=u&password=p%40", ("postgresql://u:p%40@a/d",)),
        ("postgresql://u:p%2F%23%3F%5B%40%3A%25@h/d", ("postgresql://u:p%2F%23%3F%5B%40%3A%25@h/d",)),
        ("postgresql:///d?user=name@server&host=h", ("postgresql://name%40server@h/d",)),
    ],
)
def test_each_host_gets_a_url_of_its_own(url: str, urls: tuple[str, ...]) -> None:
    assert load_settings(database_url=url).postgres
    assert postgres(url).urls == urls


def test_an_application_without_a_name_is_called_ims() -> None:
    assert postgres("postgresql://h/d").session == {"application_name": "ims"}
    assert postgres("postgresql://h/d?fallback_application_name=x").session == {"application_name": "x"}
    assert postgres("postgresql://h/d?connect_timeout=0").connect_seconds is None


@pytest.mark.parametrize("reserved", ["/", "#", "?", "[", "]", "@", ":", "%", "%zz"])
@pytest.mark.parametrize("form", ["u:{0}{1}x9y@h:5432/d", "u:{0}{1}x=9y@h:5432/d", "u:12{1}{0}=x@h/d?sslmode=require"])
def test_a_reserved_character_in_a_password_is_refused_and_the_password_not_shown(reserved: str, form: str) -> None:
    said = refusal("postgresql://" + form.format(SECRET, reserved))
    assert "percent-encode" in said
    assert SECRET not in said
    assert "x9y" not in said


@pytest.mark.parametrize(
    "url", [f"postgresql://u:{SECRET}", f"postgresql://u:{SECRET}/d", f"postgresql://u: {SECRET}@h"]
)
def test_what_might_be_a_password_is_never_shown(url: str) -> None:
    assert SECRET not in refusal(url)


@pytest.mark.parametrize("port", ["0", "65536", "99999999"])
def test_a_port_that_there_is_not_is_refused(port: str) -> None:
    assert "a port is a number from 1 to 65535" in refusal(f"postgresql://h:{port}/d")


async def test_the_session_has_the_name_that_the_url_gives_it_and_what_it_asks_for(
    postgres_dsn: str, postgres: Postgres
) -> None:
    url = f"{postgres_dsn}?application_name=billing&connect_timeout=15&options=-c%20work_mem%3D8MB%20-c%20jit%3Don"
    connection = await Primary(url, "ims", 5.0).connect()
    try:
        shown = [await connection.fetchval(f"SHOW {name}") for name in ("application_name", "work_mem", "jit")]
    finally:
        connection.terminate()
    assert shown == ["billing", "8MB", "off"]
