"""The judgement of a model's folder: state, missing files, problems, and whether it is the published model.

A folder that differs from the catalogue is either damaged or another model of the same family. It is taken for another
model - usable if its files are sound by themselves, "unverified", and complete with the files that inference needs - if
its config.json names the entry's kind and size, and one of these shows that these are other weights:

- config.json differs from the published one,
- a weights file has another size than published (and not that of another file of the same model, which would be a
  file in the wrong place),
- two or more weights files have other hashes, and none of them was the published file at an earlier look.

Without such evidence a difference is damage: `wrong_size`, `hash_mismatch`, or `zero_filled` where the weights hold a
block of zeros. One weights file with the published size and another hash can't be told from a damaged one.

Such a model is ready only if its engine says that it will load (see `verdict`).

There is one judgement for shallow and deep checks. Small files are hashed at every look and large ones have the hash
that the cache holds, so a deep check only adds facts, and the next shallow one keeps its result. A file without a
sha256 in the catalogue counts as equal when its size is; it can only be found damaged by structure or zeros, and a
model that has inference files of that sort is "unverified" at best.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from tts_core.models.catalogue import (
    CONFIG_FILE,
    VOCABULARY_FILES,
    WEIGHTS_FILE,
    WEIGHTS_INDEX_SUFFIX,
    ModelEntry,
    ModelFile,
    ModelKind,
)
from tts_core.models.files.config import expected_label
from tts_core.models.files.content import FileFacts, look_at
from tts_core.models.files.findings import INCOMPLETE_CODES, FileProblem, ModelState, Verification
from tts_core.models.files.hash_cache import HashCache
from tts_core.models.files.verdict import FolderJudge, FolderVerdict, loads_anyway

OWN_FILES = (CONFIG_FILE, WEIGHTS_FILE, "generation_config.json")
"""The files that make a model another one; a published file never stands for one of them."""
_TOKENIZER = "tokenizer.json"
_TOKENIZER_PARTS = ("vocab.json", "merges.txt", "tokenizer_config.json")


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of a look at a model's folder."""

    facts: tuple[FileFacts, ...]
    """The facts of each expected file, in the catalogue's order."""
    state: ModelState
    verification: Verification
    missing: tuple[str, ...]
    problems: tuple[FileProblem, ...]
    differing: tuple[str, ...]
    """The sound files that are not the published ones; empty unless the folder is taken for another model."""
    ignored: tuple[str, ...] = ()
    """The weights of another model that are left aside when it is loaded."""

    @property
    def bytes_done(self) -> int:
        return sum(facts.bytes_done for facts in self.facts)

    @property
    def unread(self) -> tuple[FileFacts, ...]:
        """The files that a deep check has to read through."""
        return tuple(facts for facts in self.facts if facts.is_unread)


def inspect(
    entry: ModelEntry,
    folder: Path,
    hashes: HashCache,
    *,
    read_errors: tuple[FileProblem, ...] = (),
    judge: FolderJudge = loads_anyway,
) -> Inspection:
    """Look at the folder now. `read_errors` are problems that a deep check met while reading; `judge` says whether a
    speaking model with other files than the published ones loads."""
    facts = tuple(look_at(folder, _in_its_place(folder, file), hashes) for file in entry.files)
    own = next((fact for fact in facts if fact.file.path == CONFIG_FILE and fact.config is not None), None)
    fits = own is not None and (own.is_published or (own.config is not None and own.config.fits(entry)))
    stand_ins = _stand_ins(entry, folder, facts) if fits else {}
    is_other = fits and (WEIGHTS_FILE in stand_ins or _has_other_weights(facts))
    # In a wrong model's folder, differences of its files add no information.
    is_explained = is_other or (own is not None and not fits)
    needed = [fact for fact in facts if not is_other or fact.file.path in (*entry.inference_files, *VOCABULARY_FILES)]
    missing = tuple(fact.file.path for fact in needed if fact.is_missing and fact.file.path not in stand_ins)
    problems = [*read_errors]
    for fact in needed:
        if problem := fact.problem or _kind_problem(entry, fact) or _content_problem(fact, is_explained=is_explained):
            problems.append(replace(problem, is_own=is_other and problem.file in OWN_FILES))
    verdict = FolderVerdict()
    if is_other and entry.kind.speaks and not missing and not problems:
        verdict = judge(folder)
    if verdict.reason:
        problems.append(FileProblem(verdict.file, "not_loadable", {"reason": verdict.reason}, is_own=True))
    state = _state(facts, missing, problems)
    return Inspection(
        facts=facts,
        state=state,
        verification=_verification(entry, facts, is_other=is_other) if state is ModelState.READY else Verification.NONE,
        missing=missing,
        problems=tuple(problems),
        differing=_differing(facts, stand_ins) if is_other else (),
        ignored=verdict.ignored,
    )


def _in_its_place(folder: Path, file: ModelFile) -> ModelFile:
    """The file itself, or the other form of a Whisper model's vocabulary where only that is there: it does as well."""
    if file.path not in VOCABULARY_FILES or (folder / file.path).exists():
        return file
    other = next(name for name in VOCABULARY_FILES if name != file.path)
    try:
        return ModelFile(other, (folder / other).stat().st_size)
    except OSError:
        return file


def _stand_ins(entry: ModelEntry, folder: Path, facts: tuple[FileFacts, ...]) -> dict[str, str]:
    """The missing files of a speaking model for which another one stands, as trainers save them, and that one's name:
    the index of sharded weights, and tokenizer.json with all of the tokenizer."""
    stands = {WEIGHTS_FILE: WEIGHTS_FILE + WEIGHTS_INDEX_SUFFIX, **dict.fromkeys(_TOKENIZER_PARTS, _TOKENIZER)}
    missing = [fact.file.path for fact in facts if fact.is_missing and fact.file.path in stands]
    if not entry.kind.speaks:
        return {}
    return {path: stands[path] for path in missing if os.path.isfile(folder / stands[path])}  # noqa: PTH113 - never raises


def _differing(facts: tuple[FileFacts, ...], stand_ins: dict[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(fact.file.path for fact in facts if fact.differs), *stand_ins.values()]))


def _has_other_weights(facts: tuple[FileFacts, ...]) -> bool:
    """Whether there is the evidence of other weights that the module's docstring lists."""
    weights = [fact for fact in facts if fact.file.is_weights]
    if any(_is_misplaced(fact, weights) for fact in weights):
        return False
    rehashed = [fact for fact in weights if not fact.has_other_size and fact.has_other_hash]
    return (
        any(fact.differs for fact in facts if fact.file.path == CONFIG_FILE)
        or any(fact.has_other_size for fact in weights)
        or (len(rehashed) > 1 and not any(fact.was_published for fact in rehashed))
    )


def _is_misplaced(fact: FileFacts, weights: list[FileFacts]) -> bool:
    """Whether the file's size is exactly that of another of the model's weights files."""
    return fact.has_other_size and any(fact.size == other.file.size for other in weights)


def _kind_problem(entry: ModelEntry, fact: FileFacts) -> FileProblem | None:
    config = fact.config
    if config is None or fact.is_published:  # the catalogue means this very file, whatever names make of it
        return None
    if fact.file.path == CONFIG_FILE:
        fits, expected = config.fits(entry), expected_label(entry)
    else:  # the speech tokenizer's own config.json, the only one below the folder
        fits, expected = config.kind is ModelKind.TOKENIZER, ModelKind.TOKENIZER.value
    params = {"found": config.label, "expected": expected}
    return None if fits else FileProblem(fact.file.path, "wrong_model_kind", params)


def _content_problem(fact: FileFacts, *, is_explained: bool) -> FileProblem | None:
    """The damage in a file that is sound by its structure."""
    path, size, published = fact.file.path, fact.size, fact.file.size
    if fact.is_sound and fact.file.is_weights and fact.digest and fact.digest.has_zero_block and not fact.is_published:
        return FileProblem(path, "zero_filled")
    if is_explained or not fact.differs:
        return None
    if not fact.has_other_size:
        return FileProblem(path, "hash_mismatch")
    # JSON and weights that end early are not sound; a text that ends early shows by its length only.
    is_short_text = path.endswith(".txt") and size < published
    return FileProblem(path, "truncated" if is_short_text else "wrong_size", {"size": size, "expected": published})


def _state(facts: tuple[FileFacts, ...], missing: tuple[str, ...], problems: list[FileProblem]) -> ModelState:
    if any(problem.code not in INCOMPLETE_CODES for problem in problems):
        return ModelState.ERROR
    if all(fact.is_missing for fact in facts):
        return ModelState.NOT_DOWNLOADED
    return ModelState.INCOMPLETE if missing or problems else ModelState.READY


def _verification(entry: ModelEntry, facts: tuple[FileFacts, ...], *, is_other: bool) -> Verification:
    if is_other:
        return Verification.UNVERIFIED
    if any(fact.is_unread for fact in facts):
        return Verification.UNCHECKED
    return Verification.UNVERIFIED if files_without_checksum(entry) else Verification.VERIFIED


def files_without_checksum(entry: ModelEntry) -> tuple[str, ...]:
    """The inference files that the catalogue gives no sha256 for."""
    return tuple(file.path for file in entry.files if file.sha256 is None and file.path in entry.inference_files)
