"""Documents that are kept take no more memory than they fill."""

import tracemalloc

import orjson

from service import kept_json

DOCUMENTS, LETTERS = 1_000, 1_000


def test_a_document_that_is_kept_takes_the_room_that_it_fills() -> None:
    document = {"description": "x" * LETTERS}
    tracemalloc.start()
    try:
        kept = [kept_json.dumps(document) for _ in range(DOCUMENTS)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept[0] == orjson.dumps(document)
    assert taken < 2 * DOCUMENTS * LETTERS
