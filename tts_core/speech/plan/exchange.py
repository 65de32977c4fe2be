"""A lexicon as a file that people exchange: CSV for tables, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable

from tts_core.domain.errors import InvalidRequest
from tts_core.speech.plan.lexicon import LexiconEntry

COLUMNS = ("term", "reading", "language", "whole_word", "match_case", "voices", "note", "enabled")
MAX_BYTES = 5_000_000
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""The beginnings of cells that spreadsheets compute; an apostrophe in front keeps them text."""


def as_csv(entries: Iterable[LexiconEntry]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for entry in entries:
        fields = {**entry.as_fields(), "voices": ";".join(entry.voices)}
        writer.writerow([_cell(fields[name]) for name in COLUMNS])
    return out.getvalue()


def as_json(entries: Iterable[LexiconEntry]) -> str:
    return json.dumps([entry.as_fields() for entry in entries], ensure_ascii=False, indent=2) + "\n"


def entries_in(data: bytes) -> list[LexiconEntry]:
    """The entries in a CSV or JSON file, as UTF-8. Raises InvalidRequest saying which row is wrong.

    A table needs a column `term` and a column `reading`, or two columns without names.
    """
    if len(data) > MAX_BYTES:
        raise InvalidRequest(reason=f"a lexicon file has at most {MAX_BYTES // 1_000_000} MB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(reason="the lexicon file is not UTF-8 text.") from error
    rows = _json_rows(text) if text.lstrip()[:1] in ("[", "{") else _csv_rows(text)
    entries = []
    for number, row in enumerate(rows, start=1):
        try:
            entries.append(LexiconEntry.from_fields(row))
        except InvalidRequest as error:
            raise InvalidRequest(reason=f"entry {number}: {error.params['reason']}") from error
    return entries


def merged(entries: Iterable[LexiconEntry], added: Iterable[LexiconEntry]) -> list[LexiconEntry]:
    """`entries` with others added; one for the same term, language and voices takes its place."""
    found = {(entry.term, entry.language, entry.voices): entry for entry in entries}
    found.update({(entry.term, entry.language, entry.voices): entry for entry in added})
    return list(found.values())


def _json_rows(text: str) -> list[dict[str, object]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(reason="the lexicon file is no JSON.") from error
    rows = data.get("entries") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidRequest(reason="a lexicon in JSON is a list of objects with term and reading.")
    return rows


def _csv_rows(text: str) -> list[dict[str, object]]:
    first = text.partition("\n")[0]
    delimiter = next((sign for sign in ("\t", ";") if sign in first and "," not in first), ",")
    try:
        table = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(map(str.strip, row))]
    except csv.Error as error:
        raise InvalidRequest(reason=f"the lexicon file is no table: {error}.") from error
    if not table:
        return []
    header = [name.strip().lower() for name in table[0]]
    if "term" not in header or "reading" not in header:
        return [dict(zip(COLUMNS[:2], row, strict=False)) for row in table]
    return [
        {name: _text(cell) for name, cell in zip(header, row, strict=False) if name in COLUMNS} for row in table[1:]
    ]


def _cell(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _text(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULAS) else cell
