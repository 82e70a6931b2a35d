"""Lists by words, people, attributes and codes, in many languages: what is found, what is not, and in which order."""

import base64
from urllib.parse import quote

import orjson
import pytest

from projections.listing import Filter, Sort
from projections.read_models import VERSION
from service.http import cursors
from tests.http.api import PATH, Api, at
from tests.http.conftest import Serve
from tests.http.engines import both_engines

TEXTS = {
    "German": "Störung der Straße in Zürich",
    "German, apart": "Ausfall in Ko\u0308ln",
    "Turkish": "İstanbul ofisinde ışık yok",
    "Greek": "Βλάβη στους σταθμούς",
    "Russian": "Сбой сёл, война, Иога й",
    "Ukrainian": "Збій об’єкта в Києві",
    "Polish": "Awaria w Łodzi",
    "Danish": "Nedbrud på Ærø, Øresund",
    "French": "Panne à l’entrepôt, cœur éteint",
    "Spanish": "Interrupción del año",
    "Portuguese": "Falha de conexão",
    "Czech": "Výpadek služeb, přípojka",
    "Vietnamese": "Sự cố tại Đà Nẵng",
    "Arabic": "تعطلت الخِدْمَة في القاهرة",
    "Persian": "سرویس می‌رود",
    "Hebrew": "תַּקָּלָה בשרת",
    "Hindi": "मुंबई में सर्वर बंद",
    "Bengali": "ঢাকায় বিভ্রাট",
    "Tamil": "சேவை தடங்கல்",
    "Japanese": "重大なｻｰﾊﾞｰ障害が発生",
    "Chinese": "生产数据库宕机",
    "Korean": "네트워크장애가 발생",
    "Thai": "เกิดระบบล่มแล้ว เปิดน้ำ",
    "Lao": "ມີບັນຫາລະບົບ",
    "Khmer": "ប្រព័ន្ធខូច",
    "Burmese": "ဆာဗာပျက်နေသည်",
    "Full width": "ＡＰＩ障害　２０２４",
    "Identifiers": "srv-db-01 10.0.0.1 user@example.com mail_server 🔥",
}
FOUND = {
    "zürich": ["German"], "Zu\u0308r*": ["German"], "STRASSE": ["German"], "storung zurich": ["German"],
    "Köln": ["German, apart"], "köl*": ["German, apart"], "istanbul": ["Turkish"], "IŞIK": ["Turkish"],
    "ΣΤΑΘΜΟΎΣ": ["Greek"], "βλαβη": ["Greek"], "сел": ["Russian"], "воина": [], "объ": [],
    "об'єкта": ["Ukrainian"], "lodzi": ["Polish"], "oresund æRØ": ["Danish"], "entrepot": ["French"],
    "coeur": ["French"], "ANO": ["Spanish"], "conexao": ["Portuguese"], "sluzeb pripoj*": ["Czech"],
    "da nang": ["Vietnamese"], "الخدمة": ["Arabic"], "القـــاهرة": ["Arabic"], "سرويس": ["Persian"],
    "میرود": ["Persian"], "תקלה": ["Hebrew"], "मुंबई": ["Hindi"], "मु": [], "म": [], "मुं*": ["Hindi"],
    "ঢাকায়": ["Bengali"], "তা": [], "சேவை": ["Tamil"], "சேவ": [],
    "障害": ["Japanese", "Full width"], "サーバー": ["Japanese"], "サーハー": [], "発生 障": ["Japanese"], "害障": [],
    "数据库": ["Chinese"], "库": ["Chinese"], "数库": [], "장애": ["Korean"], "네트": ["Korean"], "크발생": [],
    "ระบบ": ["Thai"], "ปิด": [], "นํ้า": ["Thai"], "ລະບົບ": ["Lao"], "ខូច": ["Khmer"], "ပျက်": ["Burmese"],
    "api": ["Full width"], "api障害": ["Full width"], "2024": ["Full width"], "２０２*": ["Full width"],
    "srv-db-01": ["Identifiers"], "10.0.0.1": ["Identifiers"], "user@example.com": ["Identifiers"],
    "mail": [], "mail＊": ["Identifiers"], "srv --- 🔥 *": ["Identifiers"],
}  # fmt: skip
NOTHING = ("🔥", "---", "*", "* *", " ", "\u0301", "\u200d", "%", "'", "\\", "…", "👩\u200d🚒", "\u3000")


async def found(api: Api, query: str) -> set[str]:
    """The names of what is listed: the same as a page, as all, and as the cursor leads to it."""
    answers = [await api.get(f"{PATH}?{query}{more}") for more in ("", "&page=1&size=1000", "&cursor=&size=1000")]
    (names,) = {tuple(sorted(one["name"] for one in answer.data["incidents"])) for answer in answers}
    assert {answer.data["total"] for answer in answers} == {len(names)}
    return set(names)


@both_engines
async def test_words_are_found_in_every_language_now_and_in_the_past(api: Api) -> None:
    for name, text in TEXTS.items():
        await api.report(name=name, description=text)
    marker = await api.report(name="marker", description="x")
    for q, expected in FOUND.items():
        assert await found(api, f"q={quote(q)}") == set(expected), q
    await api.report(name="later", description=" ".join(TEXTS.values()))
    for q, expected in FOUND.items():
        then = await api.names(f"?q={quote(q)}&as_of={marker['created_at']}&page=1&size=100")
        assert set(then) == set(expected), q
    for q in NOTHING:
        error = (await api.get(f"{PATH}?q={quote(q)}")).refused(400, "PARAMETER_INVALID", "q")
        assert "no letter and no digit" in error["message"]
    assert len(await found(api, "q=")) == len(TEXTS) + 2
    assert await found(api, f"q={quote('ﷺ' * 200)}") == set()


@both_engines
async def test_people_and_texts_are_told_apart_by_how_they_read(serve: Serve) -> None:
    api = await serve(attributes={"place": "STRING", "count": "NUMBER", "due": "DATETIME"})
    await api.report(name="1", reported_by="Zoe\u0308 O’Neil", attributes={"place": "Cafe\u0301 ＡＢ", "count": 5})
    await api.report(
        name="2", reported_by="東京ﾀﾜｰ", attributes={"place": "ガラス", "due": "2024-11-11T10:00:00z".upper()}
    )
    await api.report(name="3", reported_by="🔥", attributes={"place": "5"})
    for query, expected in {
        "reported_by=Zoë O'Neil": "1", "reported_by=ZOE O'NEIL": "1", "reported_by=Zoe": "", "reported_by=🔥": "3",
        "reported_by=東京タワー": "2", "reported_by=東京": "", "reported_by=🔥&reported_by=zoë o'neil": "13",
        "reported_by=": "", "reported_by=\u0301": "", "reported_by=---": "",
        "attributes.place=café ab": "1", "attributes.place=CAFÉ AB": "1", "attributes.place=ｶﾞﾗｽ": "2",
        "attributes.place=カラス": "", "attributes.place=5": "3", "attributes.place=5.0": "",
        "attributes.count=5.0": "1",
        "attributes.due=2024-11-11T11:00:00%2B01:00": "2", "attributes.place=": "",
    }.items():  # fmt: skip
        assert await found(api, quote(query, safe="=&%")) == set(expected), query
    # What is answered is what was sent, whatever it is found by.
    (document,) = (await api.get(f"{PATH}?reported_by={quote('zoë o’neil')}")).data["incidents"]
    assert (document["reported_by"], document["attributes"]["place"]) == ("Zoe\u0308 O’Neil", "Cafe\u0301 ＡＢ")


@both_engines
async def test_lists_are_sorted_as_people_read_and_ties_by_id(api: Api) -> None:
    rising = [
        "９", "Ærø", "alpha", "Äther", "A\u0308ther", "beta", "Beta 10", "éclair", "ﬁsh", "Ø", "Öl", "Zulu", "عطل",
        "い",
    ]  # fmt: skip
    ids = {name: (await api.report(name=name, reported_by=name))["id"] for name in sorted(rising)}
    if ids["Äther"] > ids["A\u0308ther"]:
        rising[3:5] = rising[4:2:-1]
    for field in ("name", "reported_by"):
        assert await api.names(f"?sort={field},asc") == rising
        cursor: str | None = ""
        walked: list[str] = []
        while cursor is not None:
            answer = await api.get(f"{PATH}?sort={field},asc&size=2&cursor={cursor}")
            walked += [one["name"] for one in answer.data["incidents"]]
            cursor = answer.body["page"].get("next")
        assert walked == rising
    # Equal keys: by id, whichever way the names go.
    fallen = await api.names("?sort=name,desc")
    assert fallen == [*rising[:4:-1], *rising[3:5], *rising[2::-1]]


@both_engines
async def test_a_code_that_never_was_one_is_refused_and_one_that_was_is_not(serve: Serve) -> None:
    api = await serve()
    path = at((await api.report(status="INVESTIGATING", type="SECURITY", severity="MAJOR"))["id"])
    then = (await api.patch(path, {"status": "CLOSED"})).data["updated_at"]
    await api.patch(path, {"status": "OPEN"})
    await api.stop()
    api = await serve(status_codes="NEW,OPEN", type_codes="OTHERS", severity_codes="LOW")
    for query, total in {
        "status=OPEN": 1, "status=NEW": 0, "status=CLOSED": 0, "status=INVESTIGATING": 0, "type=SECURITY": 1,
        "severity=MAJOR": 1, "severity=": 0, "status=CLOSED&status=OPEN&severity=MAJOR&severity=LOW": 1,
        f"status=CLOSED&as_of={then}": 1, f"status=OPEN&as_of={then}": 0,
    }.items():  # fmt: skip
        assert (await api.get(f"{PATH}?{query}&page=1")).data["total"] == total, query
    for member, values in {
        "status": ["open", "OPEN,NEW", "RESOLVED", "", "Οpen", " OPEN"], "type": ["security", ""],
        "severity": ["HIGH", "NONE"],
    }.items():  # fmt: skip
        for value in values:
            for more in ("", "&page=1", "&cursor=", f"&as_of={then}", f"&{member}={quote(value)}x"):
                error = (await api.get(f"{PATH}?{member}={quote(value)}{more}")).refused(400, "CODE_UNKNOWN", member)
    assert "must be one of (empty), LOW, or of what incidents had before: MAJOR" in error["message"]
    answer = await api.get(f"{PATH}?status=open&type=bug&severity=LOW&q=%2A&backdated=yes&sort=nme")
    assert answer.faults == {
        ("CODE_UNKNOWN", "status"), ("CODE_UNKNOWN", "type"), ("PARAMETER_INVALID", "q"),
        ("PARAMETER_INVALID", "backdated"), ("PARAMETER_INVALID", "sort"),
    }  # fmt: skip
    # Another tenant's codes are nobody else's.
    (await api.by(tenant="other").get(f"{PATH}?status=CLOSED")).refused(400, "CODE_UNKNOWN", "status")


@pytest.mark.parametrize("feed", ["/v1/events", "/v1/events/stream"])
async def test_an_event_of_a_type_that_there_is_not_is_not_waited_for(api: Api, feed: str) -> None:
    for text in ("", "IMS.INCIDENT.REPORTED", "ims.incident.reported,ims.incident.edited", "reported"):
        error = (await api.get(f"{feed}?type={text}")).refused(400, "PARAMETER_INVALID", "type")
        assert "ims.incident.reported" in error["message"]


async def test_a_cursor_of_another_release_is_refused(api: Api) -> None:
    for name in ("a", "b"):
        await api.report(name=name)
    path = f"{PATH}?sort=name,asc&size=1&cursor="
    now = (await api.get(path)).body["page"]["next"]
    _, *keys = orjson.loads(base64.urlsafe_b64decode(now + "=" * (-len(now) % 4)))
    wanted, sort = Filter(), (Sort("name", "asc"),)
    assert cursors.encode(cursors.fingerprint("acme", VERSION, wanted, sort), keys) == now
    before = cursors.encode(cursors.fingerprint("acme", VERSION - 1, wanted, sort), keys)
    assert (await api.get(path + now)).data["incidents"][0]["name"] == "b"
    (await api.get(path + before)).refused(400, "CURSOR_INVALID", "cursor")
