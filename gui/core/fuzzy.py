"""Finds what a person means from a few letters."""

from __future__ import annotations

__all__ = ["score"]


def score(query: str, text: str) -> float | None:
    """Return how well a text fits, larger for better, or None if its letters do not hold the query's in order.

    Letters that follow one another and those that begin a word count more; so do short texts.
    """
    query, text = query.casefold().replace(" ", ""), text.casefold()
    found, position, previous = 0.0, 0, -2
    for letter in query:
        at = _best(text, letter, position, previous)
        if at < 0:
            return None
        begins_word = at == 0 or not text[at - 1].isalnum()
        found += 3 if begins_word or at == previous + 1 else 1
        previous, position = at, at + 1
    return found - 0.01 * len(text)


def _best(text: str, letter: str, start: int, previous: int) -> int:
    """Return where a letter is met next: right behind the last one, else at the beginning of a word, else anywhere."""
    if start == previous + 1 and text.startswith(letter, start):
        return start
    first = text.find(letter, start)
    at = first
    while at >= 0:
        if at == 0 or not text[at - 1].isalnum():
            return at
        at = text.find(letter, at + 1)
    return first
