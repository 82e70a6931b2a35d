"""The words of one incident that is folded: what a new name changes is found without the words of all the rest."""

from projections.documents import Document
from projections.words import joined, words_in


class Searched:
    """`text`: what the read models keep of them."""

    __slots__ = ("_others", "_rest", "text")

    def __init__(self, document: Document) -> None:
        self.read(document)

    def read(self, document: Document) -> None:
        """All of them anew."""
        words = [*words_in(document["description"] or ""), *words_in(document["location"] or "")]
        self._others = dict.fromkeys(words)
        self._rest = joined(self._others)
        self.name(document["name"])

    def name(self, name: str | None) -> None:
        words = dict.fromkeys(words_in(name or ""))
        if words and self._others and self._others.keys().isdisjoint(words):
            self.text = f" {' '.join(words)}{self._rest}"
        else:
            self.text = joined((*words, *self._others))
