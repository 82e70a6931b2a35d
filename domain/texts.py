"""Whether there is anything to see in a text: names of blank characters alone look as if they were not there."""

import re
from typing import Final

# Of each, what has no glyph: by category, as Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties; it covers
# what is not assigned yet), or by its own definition. A required text may hold them; it must hold something else too.
_BLANK: Final = (
    "\x01-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # controls and spaces
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # default-ignorable
    "\ufff9-\ufffb\U00013430-\U0001343f"  # other format characters: annotation, joiners of hieroglyphs
    "\u2800\ufffc\U00016fe4\U0001d159"  # Braille of no dots, the place of an object, fillers
    "\ufdd0-\ufdef"  # no characters at all, as the last two code points of each plane
)
_LAST_OF_PLANES: Final = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))

_seen = re.compile(f"[^{_BLANK}{_LAST_OF_PLANES}]")


def is_seen(text: str) -> bool:
    """Whether one of its characters can be seen."""
    return "!" <= text[:1] <= "~" or _seen.search(text) is not None
