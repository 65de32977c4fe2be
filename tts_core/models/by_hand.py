"""The commands by which a person fetches a model without the studio."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from tts_core.models.catalogue import ModelEntry


@dataclass(frozen=True, slots=True)
class ManualDownload:
    """The commands to paste into a shell; "" for a hub where the model is not published."""

    hf_command: str
    modelscope_command: str
    folder: Path

    @classmethod
    def of(cls, entry: ModelEntry, folder: Path) -> ManualDownload:
        is_windows = os.name == "nt"
        target = quote_for_shell(str(folder), windows=is_windows)
        # All voices share one repository, of many gigabytes.
        files = entry.inference_files if entry.kind.is_single_voice else ()
        wanted = " ".join((entry.hf, *(quote_for_shell(file, windows=is_windows) for file in files)))
        return cls(
            hf_command=f"hf download {wanted} --local-dir {target}" if entry.hf else "",
            modelscope_command=(
                f"modelscope download --model {entry.modelscope} --local_dir {target}" if entry.modelscope else ""
            ),
            folder=folder,
        )


def quote_for_shell(argument: str, *, windows: bool) -> str:
    """The argument quoted for a POSIX shell, or for cmd and PowerShell; no Windows path contains a double quote."""
    return f'"{argument}"' if windows else shlex.quote(argument)
