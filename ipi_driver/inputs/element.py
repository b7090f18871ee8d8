"""Building XML, so that no value is ever pasted into text."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from xml.etree.ElementTree import Element

__all__ = ["element", "quantity", "to_text"]


def element(tag: str, *content: Element | str | int | float, **attributes: object) -> Element:
    """Return an element with children, or with one value as text.

    Examples
    --------
    >>> to_text(element("beads", 4, mode="auto"))
    "<beads mode='auto'> 4 </beads>"
    """
    result = Element(tag, {name: str(value) for name, value in attributes.items()})
    for item in content:
        if isinstance(item, Element):
            result.append(item)
        else:
            result.text = f" {item} "
    return result


def quantity(tag: str, value: float, units: str) -> Element:
    """Return a number with its unit, which i-PI would otherwise take to be atomic."""
    return element(tag, f"{value:.12g}", units=units)


def to_text(root: Element) -> str:
    """Return a document, indented."""
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")
