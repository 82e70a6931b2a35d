"""What those who analyse incidents do: pandas reads the CSV and the NDJSON as they come, without options of its own."""

import asyncio
import io
from typing import Any

import pandas as pd
import pytest

from tests.http.api import PATH, Api, at

TEXTS = ('Zürich, "Hall"\r\n\u2028=1', "=SUM(A1:A9)", "\u0085a\u2029b", "障害 🔥", "-5", "plain")


@pytest.fixture
async def every(api: Api) -> Any:
    """As JSON lists them, by name."""
    for n, text in enumerate(TEXTS):
        await api.report(
            name=f"N{n}", description=text, severity="HIGH" if n % 2 else "", backdated=n == 2, next_update=n * 10**10,
            attributes={"count": -n - 0.5, "workflowId": text} if n else None,
        )  # fmt: skip
    return (await api.get(f"{PATH}?sort=name,asc")).data["incidents"]


async def read_csv(api: Api, path: str) -> Any:
    return pd.read_csv(io.BytesIO((await api.get(path, headers={"Accept": "text/csv"})).raw))


async def read_lines(api: Api, path: str) -> Any:
    answer = await api.get(path, headers={"Accept": "application/x-ndjson"})
    return pd.read_json(io.BytesIO(answer.raw), lines=True)


async def test_a_list_is_a_frame_with_numbers_flags_times_and_texts(api: Api, every: Any) -> None:
    for query in ("sort=name,asc", "sort=name,asc&bom=true", "sort=name,asc&size=100"):
        frame = await read_csv(api, f"{PATH}?{query}")
        assert frame.columns[0] == "id"
        assert list(frame["id"]) == [one["id"] for one in every]
        assert list(frame["description"]) == ["'" + text if text[0] in "=-" else text for text in TEXTS]
        assert list(frame["backdated"]) == [one["backdated"] for one in every]
        assert list(frame["next_update"]) == [one["next_update"] for one in every]
        assert frame["attributes.count"].sum() == sum(-n - 0.5 for n in range(1, len(TEXTS)))
        assert frame["severity"].isna().sum() == frame["attributes"].isna().sum() / 2 == len(TEXTS) / 2
        times = pd.to_datetime(frame["created_at"])
        assert times.is_monotonic_increasing
        assert str(times.dt.tz) == "UTC"


async def test_pandas_fetches_by_itself_what_it_reads(api: Api, every: Any) -> None:
    """As README has it; pandas makes such calls with `Accept` of its own or without."""
    for query in ("format=csv", "format=csv&size=100"):
        url = str(api.client.make_url(f"{PATH}?sort=name,asc&{query}"))
        frame = await asyncio.to_thread(pd.read_csv, url, storage_options=api.authorization)
        assert list(frame["id"]) == [one["id"] for one in every]


async def test_lines_are_a_frame_whose_texts_are_as_they_were_reported(api: Api, every: Any) -> None:
    frame = await read_lines(api, f"{PATH}?sort=name,asc")
    assert list(frame["description"]) == list(TEXTS)
    assert list(frame["attributes"]) == [one["attributes"] for one in every]
    assert list(frame["next_update"]) == [one["next_update"] for one in every]
    assert list(frame["id"]) == [one["id"] for one in every]


async def test_histories_and_counts_can_be_grouped(api: Api, every: Any) -> None:
    id = every[0]["id"]
    for status in ("OPEN", "CLOSED", "OPEN"):
        await api.patch(at(id), {"status": status, "severity": "LOW"})
    history = await read_csv(api, at(id, "history"))
    assert list(history[history["field"] == "status"]["to"]) == ["NEW", "OPEN", "CLOSED", "OPEN"]
    assert history.groupby("position")["field"].count().iloc[-1] == 1
    changes = await read_lines(api, at(id, "history"))
    assert list(changes["occ_lock"]) == [0, 1, 2, 3]
    for read in (read_csv, read_lines):
        counts = await read(api, f"{PATH}/counts")
        assert dict(counts.groupby("table")["count"].sum()) == dict.fromkeys(("severity", "status", "type"), len(TEXTS))
