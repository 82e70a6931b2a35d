"""The past of an incident for people: tables and colours. Texts are shown so that no terminal obeys them."""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from rich.table import Column, Table
from rich.text import Text

from domain.erasure import ALL
from domain.event import Json
from projections.documents import Document

MAX_SHOWN: Final = 120
"""Characters of a value in a history; `show` and `diff` show all."""
COMMENT_DIGITS: Final = 8
"""Of a comment's id, to tell one comment from another."""

_OBEYED: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != ord("\n")}
_ERASED: Final = Text("erased", "italic red")
_UNREADABLE: Final = Text("cannot be read: `ims audit verify` names what is wrong", "bold red")
_NOTHING: Final = {"from": None, "to": None}


def history_table(changes: Sequence[Document]) -> Table:
    table = Table("version", "time", "who", "what", _whole("changes"), show_lines=True)
    for change in changes:
        table.add_row(str(change["occ_lock"]), change["at"], _plain(change.get("by", "")), _what(change), _told(change))
    return table


def state_table(state: Document) -> Table:
    table = Table("member", _whole("value"), title=f"incident {state['id']}, version {state['occ_lock']}")
    erased = state.get("erased", ())
    for member, value in _flat(state).items():
        table.add_row(Text(member, "dim"), _ERASED if value is None and member in erased else _value(value))
    return table


def difference_table(changes: dict[str, Json], before: int, after: int) -> Table:
    table = Table("member", _whole(f"version {before}"), _whole(f"version {after}"))
    for member, change in changes.items():
        table.add_row(Text(member, "dim"), _value(change["from"], "red"), _value(change["to"], "green"))
    return table


def _whole(header: str) -> Column:
    return Column(header, overflow="fold")


def _what(change: Document) -> Text:
    what = Text(change["what"].removeprefix("ims.").replace(".", " ").replace("_", " "), "green")
    if "comment_id" in change:
        what.append(f" {change['comment_id'][:COMMENT_DIGITS]}", "dim")
    if "to_version" in change:
        what.append(f" to version {change['to_version']}", "dim")
    return what


def _told(change: Document) -> Text:
    if change.get("erased") is True:
        return _ERASED
    if change.get("unreadable") is True:
        return _UNREADABLE
    changes = change["changes"]
    lines = [_line(member, values) for member, values in changes.items()]
    gone = [change["fields"]] if change.get("fields") == ALL else change.get("erased", ())
    lines += [_line(member, _NOTHING) for member in gone if member not in changes]
    if "reason" in change:
        lines.append(Text("reason: ", "dim").append_text(_shortened(change["reason"], "")))
    return Text("\n").join(lines)


def _line(member: str, values: dict[str, Json]) -> Text:
    """From what to what; of what was erased, only that it was there."""
    line = Text(f"{member}: ", "dim")
    if values == _NOTHING:
        return line.append_text(_ERASED)
    return (
        line.append_text(_shortened(values["from"], "red")).append(" → ").append_text(_shortened(values["to"], "green"))
    )


def _flat(state: Document) -> dict[str, Any]:
    """Each attribute as a member of its own."""
    flat: dict[str, Any] = {}
    for member, value in state.items():
        if member == "attributes":
            flat |= {f"attributes.{name}": attribute for name, attribute in (value or {}).items()}
        else:
            flat[member] = value
    return flat


def _shortened(value: Json, style: str) -> Text:
    text = _value(value, style)
    text.truncate(MAX_SHOWN, overflow="ellipsis")
    return text


def _value(value: Json, style: str = "") -> Text:
    if value is None:
        return Text("–", "dim")
    return Text(_plain(value) if isinstance(value, str) and value else orjson.dumps(value).decode(), style)


def _plain(text: str) -> str:
    return text.translate(_OBEYED)
