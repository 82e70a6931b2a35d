"""The root of rows that pass by is the one of RFC 6962, whatever the parts that they come in."""

import random

import pytest

from service.audit.root import Root
from service.audit.verify.contents import leaf_of_row
from service.settings import Settings
from tests.audit import stores
from tests.audit.recursive import mth
from tests.projections.histories import long_history


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 700])
async def test_it_is_the_one_of_rfc_6962(on_sqlite: Settings, size: int) -> None:
    await stores.fill(on_sqlite, long_history(size) if size else ())
    rows = await stores.rows(on_sqlite)
    dice, root = random.Random(size), Root()
    while root.size < size:
        root.grow(rows[root.size : root.size + dice.randrange(1, 300)])
    assert root.size == size
    assert root.hash == mth([leaf_of_row(row).text.encode() for row in rows])
