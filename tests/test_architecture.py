"""The rules that keep the code readable: who may import whom, one home per library, small files, a light start."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TypeVar

import pytest

from tests import ROOT

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"tts_core", "domain", "events", "errors", "protocols"}),
    frozenset(
        {
            "settings",
            "addresses",
            "certificate",
            "proxy_settings",
            "source_settings",
            "compute_settings",
            "preferences",
            "paths",
            "options",
            "catalogue",
        }
        | {"audio", "encoding", "text", "languages", "logs", "desktop", "board"}
        | {"share_settings", "yourtts_settings", "whole_files"}
    ),
    frozenset(
        {"model_files", "downloads", "espeak", "piper", "outputs", "live", "engine"}
        | {"recordings", "voice_library", "transcription"}
        | {"access", "yourtts", "peers"}
    ),
    frozenset(
        {
            "model_manager",
            "model_store",
            "downloader",
        }
        | {"jobs", "all_jobs", "voices", "voice_rules", "voice_prompts", "voice_check", "voice_transfer"}
        | {"speaker_embedding", "piper_engine"}
        | {"voice_recordings", "speech_jobs"}
        | {"speaker_service", "yourtts_engine", "yourtts_download"}
        | {"library_engine", "models_of_kind", "voice_choice", "transcriber"}
        | {"sharing"}
        | {"supervision"}
        | {"codec_tool", "model_cache", "qwen", "gate", "synthesis", "system", "services", "temporary_files"}
    ),
    frozenset({"api", "ui"}),
    frozenset({"cli"}),  # some of its commands serve
    frozenset({"app", "__main__"}),
)
"""Parts (a module or package of tts_core) from the ground up; each may import only what lies below it."""
CLOSED_LAYERS = (2, 4)
"""Their parts don't know each other; within the other layers any order without a circle will do."""
HOMES = {
    "gradio": {"ui", "app", "sharing"},
    "fastapi": {"api", "app"},
    "starlette": {"api", "app", "ui"},
    "pydantic": {"api"},
    "uvicorn": {"api"},
    "h11": {"api"},
    "mcp": {"api"},
    "anyio": {"api"},
    "fastapi_offline": {"api"},
    "torch": {"engine", "transcription", "yourtts", "peers"},  # the peers' own torch
    "qwen_tts": {"peers"},
    "faster_qwen3_tts": {"peers"},
    "transformers": {"engine", "transcription"},
    "numba": {"engine"},
    "llvmlite": {"engine"},
    "safetensors": {"engine", "transcription"},
    "tokenizers": {"engine", "transcription"},
    "opencc": {"transcription"},
    "rapidfuzz": {"transcription"},
    "requests": {"downloads", "sharing"},
    "urllib3": {"downloads"},
    "filelock": {"downloads", "voice_library", "access", "yourtts"},
    "huggingface_hub": {"downloads", "cli"},  # bench download measures against it
    "modelscope_hub": {"downloads"},
    "librosa": {"audio"},
    "av": {"recordings", "encoding"},
    "soundfile": {"audio", "recordings", "yourtts"},
    "soxr": {"audio"},
    "espeakng_loader": {"espeak"},
    "piper": {"piper"},
    "onnxruntime": {"piper"},
    "ctypes": {"espeak"},
    "platformdirs": {"paths"},
    "psutil": {"system", "engine"},
    "argon2": {"access"},
    "packaging": {"cli"},
    "TTS": {"yourtts"},
}
"""Library to the parts that may import it; whatever isn't listed is the standard library's or numpy's."""
READERS_OF_THE_ENVIRONMENT = {"app", "cli"}
"""Entry points; they hand the environment to Settings.from_env."""
HEAVY = ("torch", "transformers", "librosa", "gradio")
Node = TypeVar("Node", bound=ast.AST)
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 8

SOURCES = sorted([*ROOT.glob("*.py"), *(ROOT / "tts_core").rglob("*.py")])


def test_imports_only_go_down() -> None:
    wrong = []
    for source in SOURCES:
        importer = part_of_file(source)
        for module in imports(source):
            if module.split(".")[0] in ("tts_core", "app") and part_of(module) != importer:
                here, there = layer_of(importer), layer_of(part_of(module))
                if there > here or (there == here and here in CLOSED_LAYERS):
                    wrong.append(f"{name_of(source)} imports {module}")
    assert wrong == []


def test_no_parts_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for source in SOURCES:
        ours = {part_of(module) for module in imports(source) if module.startswith("tts_core.")}
        graph.setdefault(part_of_file(source), set()).update(ours - {part_of_file(source)})
    TopologicalSorter(graph).prepare()


def test_peers_run_where_nothing_of_ours_is() -> None:
    of_peers = [source for source in SOURCES if part_of_file(source) == "peers"]
    assert of_peers
    assert {module for source in of_peers for module in imports(source) if module.startswith("tts_core")} == set()


def test_every_library_has_one_home() -> None:
    known = {"tts_core", "app", "numpy", *sys.stdlib_module_names} - HOMES.keys()
    libraries = [(source, module.split(".")[0]) for source in SOURCES for module in imports(source)]
    wrong = [
        f"{name_of(source)} imports {library}"
        for source, library in libraries
        if library not in known and part_of_file(source) not in HOMES.get(library, ())
    ]
    assert wrong == []


def test_only_entry_points_read_the_environment() -> None:
    readers = {
        part_of_file(source)
        for source, node in nodes(ast.Attribute)
        if node.attr in ("environ", "environb", "getenv", "putenv")
    }
    assert readers <= READERS_OF_THE_ENVIRONMENT


def test_files_are_small() -> None:
    lengths = {name_of(source): len(source.read_text(encoding="utf-8").splitlines()) for source in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_functions_are_small() -> None:
    lengths = {
        f"{name_of(source)} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for source, function in functions()
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


def test_parameters_are_few_and_named() -> None:
    wrong = []
    for source, function in functions():
        taken = function.args
        names = [argument.arg for argument in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
        too_many = len([name for name in names if name not in ("self", "cls")]) > MAX_PARAMETERS
        is_the_error_base = (
            source.as_posix().endswith("errors/base.py") and function.name == "__init__"
        )  # its parameters are data
        if too_many or (taken.kwarg is not None and not is_the_error_base):
            wrong.append(f"{name_of(source)} {function.name}")
    assert wrong == []


def test_nothing_is_global() -> None:
    assert [f"{name_of(source)}:{node.lineno}" for source, node in nodes(ast.Global)] == []


@pytest.mark.parametrize("module", ["tts_core", "tts_core.services", "tts_core.cli.main", "tts_core.api.server", "app"])
def test_starting_loads_nothing_heavy(module: str) -> None:
    check = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (answer.stdout.strip(), answer.stderr) == ("[]", "")


@cache
def tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"))


def nodes(kind: type[Node]) -> Iterator[tuple[Path, Node]]:
    return ((source, node) for source in SOURCES for node in ast.walk(tree(source)) if isinstance(node, kind))


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    yield from nodes(ast.FunctionDef)
    yield from nodes(ast.AsyncFunctionDef)


def imports(source: Path) -> Iterator[str]:
    """Full names of what it imports anywhere, lazily or not."""
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{name_of(source)}:{node.lineno} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(source: Path) -> str:
    return source.relative_to(ROOT).as_posix()


def part_of(name: str) -> str:
    """ "tts_core.engines.espeak.engine" is in part "espeak"; what tts_core itself defines is in part "tts_core"."""
    names = name.split(".")
    return names[1] if names[0] == "tts_core" and len(names) > 1 and not names[1].startswith("__v") else names[0]


def part_of_file(source: Path) -> str:
    return part_of(name_of(source).removesuffix(".py").removesuffix("/__init__").replace("/", "."))


def layer_of(part: str) -> int:
    layers = [number for number, parts in enumerate(LAYERS) if part in parts]
    assert layers, f"{part} has no layer: add it to LAYERS"
    return layers[0]
