"""Markdown as a voice reads it: the words without the signs that set them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_SIGNS = re.compile(r"[*_`~#<>&\[\]|\\]|^[ \t]*(?:[-+=]|\d{1,9}[.)])", re.MULTILINE)
"""Signs of which every text that Markdown changes has one."""
_FACTOR = re.compile(r"(?<=[0-9A-Za-z])\*(?=[0-9A-Za-z])|(?<=\d)\*\*(?=\d)")
"""Asterisks that multiply, as in 2*3, and would else be read as emphasis."""
_LEFT_OVER = re.compile(r"\*\*+(?=\S)|(?<=\S)\*\*+")
"""Emphasis that CommonMark leaves as it is beside the punctuation of Chinese and Japanese: **“字”**字."""
_CHECKBOX = re.compile(r"^\[[ xX]\]\s+")
_UNSPOKEN = tuple(
    (re.compile(start, re.IGNORECASE), re.compile(end, re.IGNORECASE))
    for start, end in ((r"<!--", r"-->"), (r"<script\b", r"</script\s{0,9}>"), (r"<style\b", r"</style\s{0,9}>"))
)
_GAPS = re.compile(r"\n{3,}")
_TAG = re.compile(r"</?([a-z][a-z0-9]*)\b", re.IGNORECASE)
_LINE_TAGS = (
    " address article aside blockquote br caption dd details div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6"
    " header hr li main nav ol p pre section summary table tbody tfoot thead title tr ul "
)
"""HTML's elements that begin a line of their own."""
_TAGS_INSIDE = (
    " a abbr b bdi bdo big body button center cite code col data del dfn em font head html i img input ins kbd label"
    " link mark meta picture q rp rt ruby s samp small source span strike strong sub sup svg td th time"
    " tt u var video wbr "
)
"""HTML's other elements. Whatever else stands between < and > is text, as in "press <enter>"."""


def read_markdown(text: str) -> str:
    """`text` without Markdown's signs and HTML's tags and entities; plain prose stays as it is.

    Links keep their words, pictures their descriptions, lists their numbers, tables their cells.

    >>> read_markdown("# Tea\\n\\nIt is **very** good, see [here](https://example.org) &amp; 2*3*4 < 30.")
    'Tea\\n\\nIt is very good, see here & 2*3*4 < 30.'
    """
    if not _SIGNS.search(text):
        return text
    escaped = _FACTOR.sub(lambda found: found.group().replace("*", r"\*"), _without_unspoken(text))
    return _GAPS.sub("\n\n", "".join(_parts(_reader().parse(escaped)))).strip()


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - loaded with the first text that needs it

    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    # HTML is read line by line, so that Markdown inside it is, too; what was escaped stays apart from what was not.
    return reader.disable(["html_block", "text_join", "code"])


def _parts(tokens: Sequence[Token]) -> Iterator[str]:
    """The words of a text's blocks, and the line ends between them."""
    is_first_cell = True
    for token in tokens:
        match token.type:
            case "inline":
                yield _CHECKBOX.sub("", "".join(_words(token.children or ())))
            case "fence":
                yield f"{_unescaped(token.content)}\n"
            case "list_item_open" if token.info:
                yield f"{token.info}{token.markup} "
            case "th_open" | "td_open":
                yield "" if is_first_cell else ", "
                is_first_cell = False
            case "tr_open":
                is_first_cell = True
            case "paragraph_close" if token.hidden:
                yield "\n"
            case "tr_close":
                yield "\n"
            case "paragraph_close" | "heading_close" | "bullet_list_close" | "ordered_list_close" | "table_close":
                yield "\n\n"


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    """The words of a paragraph."""
    for token in tokens:
        match token.type:
            case "text":
                yield _LEFT_OVER.sub("", token.content)
            case "text_special":
                yield token.content
            case "code_inline":
                yield _unescaped(token.content)
            case "softbreak" | "hardbreak":
                yield "\n"
            case "image":
                yield from _words(token.children or ())
            case "html_inline":
                yield _instead_of_tag(token.content)


def _unescaped(code: str) -> str:
    return code.replace(r"\*", "*")


def _instead_of_tag(tag: str) -> str:
    found = _TAG.match(tag)
    if found is None:  # a declaration or an instruction
        return ""
    name = f" {found[1].lower()} "
    return "\n" if name in _LINE_TAGS else "" if name in _TAGS_INSIDE else tag


def _without_unspoken(text: str) -> str:
    """`text` without comments, scripts and styles. Each end is looked for once, so that time stays in proportion."""
    for start, end in _UNSPOKEN:
        kept, at = [], 0
        while (begin := start.search(text, at)) and (finish := end.search(text, begin.end())):
            kept.append(text[at : begin.start()])
            at = finish.end()
        text = "".join((*kept, text[at:]))
    return text
