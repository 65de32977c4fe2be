"""The problems and hints about a model's folder: one code and one English template for each.

Codes and parameters are data; the page translates by code. Nothing here looks at the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

ProblemCode = Literal[
    "wrong_size",
    "truncated",
    "lfs_pointer",
    "html_page",
    "json_body",
    "bad_safetensors_header",
    "bad_weights_header",
    "bad_json",
    "empty_file",
    "hash_mismatch",
    "zero_filled",
    "unreadable",
    "wrong_model_kind",
    "not_loadable",
    "own_file",
]
HintCode = Literal[
    "nested_folder",
    "other_folder_name",
    "loose_files",
    "flat_copy",
    "older_form",
    "leftover_parts",
    "extra_files",
    "unverified_finetune",
    "ignored_weights",
    "no_checksums",
]
Params = Mapping[str, str | int | bool]

PROBLEM_TEMPLATES: Mapping[ProblemCode, str] = {
    "wrong_size": "{file} has {size} bytes where {expected} are published. Download this file again.",
    "truncated": "{file} ends early: {size} of {expected} bytes are there. Download this file again.",
    "lfs_pointer": (
        "{file} is a Git-LFS placeholder for {pointed_size} bytes, not the file itself. "
        "Run `git lfs pull` in this folder or download the file."
    ),
    "html_page": (
        "{file} is a web page, not the file: a proxy, a login or an error page was saved under its name. "
        "Download it again."
    ),
    "json_body": "{file} is a server's JSON answer, not the file. Download it again.",
    "bad_safetensors_header": "{file} is not a safetensors file or is damaged ({reason}). Download it again.",
    "bad_weights_header": "{file} is not a model of CTranslate2's or is damaged ({reason}). Download it again.",
    "bad_json": "{file} is not valid JSON ({reason}). Download it again.",
    "empty_file": "{file} is empty. Download it again.",
    "hash_mismatch": (
        "{file} has the published size but other content: it is damaged, or it holds other weights of the same size. "
        "Download this file again, or give these weights a catalogue entry of their own with --catalog."
    ),
    "zero_filled": "{file} contains a block of zeros, as an interrupted copy leaves it. Download this file again.",
    "unreadable": "{file} can't be read ({reason}). Check its permissions and the disk.",
    "wrong_model_kind": (
        "{file} belongs to another kind of model: {found}, where {expected} is expected. "
        "Put that model in its own folder and this one's files here."
    ),
    "not_loadable": (
        "This is not the published model, and it can't be loaded: {file}: {reason}. "
        "Nothing that could be fetched would mend that; make or copy it again where it came from."
    ),
    "own_file": (
        "{file} can't be used ({found}), and it is not the published file: "
        "copy it again from where this model was made."
    ),
}
INCOMPLETE_CODES: frozenset[ProblemCode] = frozenset({"truncated", "lfs_pointer", "empty_file"})
"""The problems of a download that has not finished; all others are damage."""

HINT_TEMPLATES: Mapping[HintCode, str] = {
    "nested_folder": "The model lies one or more levels too deep, in {found}. Move its files up into {folder}.",
    "other_folder_name": "This model's files seem to lie in {found}. Rename or move that folder to {folder}.",
    "loose_files": "This model's files seem to lie directly in {found}. Move them into {folder}.",
    "flat_copy": (
        "Files that belong in {folder} seem to lie one level too high: {files}. "
        "Move them there under their original names."
    ),
    "older_form": (
        "This model lies in {found}, in the form that earlier versions of the studio used. "
        "Convert it into {folder}: nothing has to be downloaded."
    ),
    "leftover_parts": "{count} unfinished download files ({size} bytes) are left in the folder.",
    "extra_files": "{count} other files lie in the folder. They do no harm.",
    "unverified_finetune": (
        "These are not the published files ({files} differ), as with a fine-tuned model. "
        "Usable, but there is nothing to verify them against."
    ),
    "ignored_weights": "{count} weights that are not needed are left aside, such as {name}.",
    "no_checksums": "The catalogue has no checksums for {files}, so only size and structure could be checked.",
}


class NextStep(str, Enum):
    """The step that brings a model to `ready`."""

    NOTHING = "nothing"
    MOVE = "move"
    """Move the files, which are here in the wrong place; the hints say where."""
    CONVERT = "convert"
    """Convert the model, which is here in another form."""
    FETCH = "fetch"
    FETCH_MISSING = "fetch_missing"
    MEND = "mend"
    """Fetch the damaged files again, or follow the problems' advice."""
    COPY = "copy"
    """Copy the files from the model's owner: no hub has them."""


class ModelState(str, Enum):
    """The state of a model for people. Derived from the disk, except for the two states of a running download."""

    READY = "ready"
    DOWNLOADING = "downloading"
    INCOMPLETE = "incomplete"
    ERROR = "error"
    NOT_DOWNLOADED = "not_downloaded"
    WAITING = "waiting"


class Verification(str, Enum):
    """The degree to which the content of a ready model is proven."""

    NONE = "none"
    """The model is not ready."""
    UNCHECKED = "unchecked"
    """Sizes and structure are right; the content has not been read through yet."""
    VERIFIED = "verified"
    """Every checksum equals the catalogue's."""
    UNVERIFIED = "unverified"
    """The model is usable, but has other files than the published ones, or the catalogue has no checksums."""


NEXT_STEPS: Mapping[HintCode, NextStep] = {
    "nested_folder": NextStep.MOVE,
    "other_folder_name": NextStep.MOVE,
    "loose_files": NextStep.MOVE,
    "flat_copy": NextStep.MOVE,
    "older_form": NextStep.CONVERT,
}
"""The next step where a hint says that the model's files are on this disk, in the wrong place or form."""


@dataclass(frozen=True, slots=True)
class FileProblem:
    file: str
    """The path inside the model's folder, with forward slashes; "" for the folder itself."""
    code: ProblemCode
    params: Params = field(default_factory=dict)
    is_own: bool = False
    """Whether the file is part of a model of somebody's own, so that no published file can take its place."""

    @property
    def explanation(self) -> tuple[ProblemCode, Params]:
        """The code and parameters of the sentence that explains the problem."""
        if self.is_own and self.code != "not_loadable":
            return "own_file", {"file": self.file, "found": self.code}
        return self.code, {"file": self.file, **self.params}

    @property
    def message(self) -> str:
        code, params = self.explanation
        return PROBLEM_TEMPLATES[code].format(**params)


@dataclass(frozen=True, slots=True)
class Hint:
    code: HintCode
    params: Params = field(default_factory=dict)

    @property
    def message(self) -> str:
        return HINT_TEMPLATES[self.code].format(**self.params)
