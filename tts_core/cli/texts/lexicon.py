"""`lexicon`: how words are read."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tts_core.cli.faults import OutputUnwritable
from tts_core.cli.status import Exit
from tts_core.cli.targets import check_target
from tts_core.domain.errors import InvalidRequest
from tts_core.platform.whole_files import replacing
from tts_core.services import Services
from tts_core.speech.plan.exchange import MAX_BYTES, as_csv, as_json, entries_in, merged
from tts_core.speech.plan.lexicon import LexiconEntry


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    lexicon = commands.add_parser("lexicon", help="how words are read, for all voices", parents=[shared])
    actions = lexicon.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="all entries", parents=[shared])
    listed.add_argument("--json", action="store_true", help="print them as JSON")
    listed.set_defaults(run=_list)
    add = actions.add_parser("add", help="add an entry, or change the one of the same term", parents=[shared])
    add.add_argument("term", metavar="TERM")
    add.add_argument("reading", metavar="READING", help="what is spoken in its place")
    add.add_argument("--language", default="", metavar="L", help="only in this language")
    add.add_argument("--voice", action="append", default=[], metavar="V", help="only this voice's id; may be repeated")
    add.add_argument("--inside-words", action="store_true", help="also where other letters stand beside it")
    add.add_argument("--match-case", action="store_true", help="capitals have to be the same")
    add.add_argument("--note", default="", metavar="N")
    add.set_defaults(run=_add)
    remove = actions.add_parser("remove", help="remove all entries of a term", parents=[shared])
    remove.add_argument("term", metavar="TERM")
    remove.set_defaults(run=_remove)
    import_ = actions.add_parser("import", help="add the entries of a CSV or JSON file", parents=[shared])
    import_.add_argument("file", type=Path, metavar="FILE", help="columns: term, reading and, if wanted, the others")
    import_.add_argument("--replace", action="store_true", help="remove all entries that are not in the file")
    import_.set_defaults(run=_import)
    export = actions.add_parser(
        "export", help="write all entries as CSV, or as JSON by the file's name", parents=[shared]
    )
    export.add_argument("file", type=Path, metavar="FILE")
    export.add_argument("--force", action="store_true", help="replace FILE when it exists")
    export.set_defaults(run=_export)


def _list(args: argparse.Namespace, services: Services) -> Exit:
    entries = services.lexicon.state().entries
    if args.json:
        print(json.dumps([entry.as_fields() for entry in entries], ensure_ascii=False))
        return Exit.DONE
    for entry in entries:
        scope = ", ".join([*([entry.language] if entry.language else []), *entry.voices])
        print(
            f"{entry.term}  →  {entry.reading}" + (f"  ({scope})" if scope else "") + ("" if entry.enabled else "  off")
        )
    return Exit.DONE


def _add(args: argparse.Namespace, services: Services) -> Exit:
    entry = LexiconEntry(
        term=args.term,
        reading=args.reading,
        language=args.language,
        whole_word=not args.inside_words,
        match_case=args.match_case,
        voices=tuple(args.voice),
        note=args.note,
    )
    state = services.lexicon.state()
    services.lexicon.replace(merged(state.entries, [entry]), state.revision)
    print(f"{entry.term} is read as {entry.reading}.")
    return Exit.DONE


def _remove(args: argparse.Namespace, services: Services) -> Exit:
    state = services.lexicon.state()
    kept = [entry for entry in state.entries if entry.term != args.term]
    if len(kept) == len(state.entries):
        print(f"There is no entry for {args.term}.", file=sys.stderr)
        return Exit.NO
    services.lexicon.replace(kept, state.revision)
    print(f"{args.term} is read as it is written.")
    return Exit.DONE


def _import(args: argparse.Namespace, services: Services) -> Exit:
    try:
        with args.file.open("rb") as stream:
            added = entries_in(stream.read(MAX_BYTES + 1))
    except OSError as error:
        raise InvalidRequest(reason=f"{args.file} can't be read: {error.strerror or error}.") from error
    state = services.lexicon.state()
    now = services.lexicon.replace(added if args.replace else merged(state.entries, added), state.revision)
    print(f"{len(added)} entries were read; the lexicon has {len(now.entries)}.")
    return Exit.DONE


def _export(args: argparse.Namespace, services: Services) -> Exit:
    file: Path = args.file
    check_target(file, force=args.force)
    entries = services.lexicon.state().entries
    text = as_json(entries) if file.suffix.lower() == ".json" else as_csv(entries)
    try:
        with replacing(file) as part:
            part.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OutputUnwritable(path=file, reason=error.strerror or str(error)) from error
    print(f"{file}: {len(entries)} entries")
    return Exit.DONE
