"""HTML and SVG from Python: whatever is not markup already is escaped."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is HTML already; only `tag` and `join` make it."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str | float) -> Markup:
    """Build an element.

    Parameters
    ----------
    children
        `Markup` goes in as it is, any other text escaped.
    attributes
        Values are escaped; a trailing underscore is dropped from names (``class_``), and other underscores are hyphens.
    """
    shown = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for key, value in attributes.items())
    return Markup(f"<{name}{shown}>{join(children)}</{name}>")


def join(parts: tuple[str, ...] | list[str]) -> Markup:
    """Put pieces one after the other, escaping what is not `Markup`."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def html_table(
    heads: list[str], rows: list[list[str]], *, numeric: frozenset[int] = frozenset(), caption: str = ""
) -> Markup:
    """Build a table; columns at the positions in `numeric` are set to the right."""

    def cells(name: str, values: list[str]) -> Markup:
        return join(
            [tag(name, value, class_="n") if i in numeric else tag(name, value) for i, value in enumerate(values)]
        )

    head = tag("thead", tag("tr", cells("th", heads)))
    body = tag("tbody", *(tag("tr", cells("td", row)) for row in rows))
    return tag("table", *([tag("caption", caption)] if caption else []), head, body)
