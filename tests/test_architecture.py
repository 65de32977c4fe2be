"""The rules that keep the code readable: who may import whom, one home per library, small files, a light start."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from tests import ROOT

FLOORS: tuple[tuple[str, ...], ...] = (
    ("domain",),
    ("platform",),
    ("audio", "models", "access"),
    ("speech",),
    ("engines", "voices", "studio"),
    ("services",),
    ("api", "ui"),
    ("cli",),  # some of its commands serve
    ("app", "__main__"),
)
"""The parts of tts_core from the ground up. Each imports only from lower floors: parts of one floor are strangers."""
QWEN_FLOORS: tuple[tuple[str, ...], ...] = (
    ("kernels",),
    ("device", "talker"),
    ("placing",),
    ("codec", "quantised"),
    ("generation",),
    ("cloning",),
)
"""What lies in engines/qwen from the ground up; its other files stand above all of these."""
HOMES = {
    "gradio": {"ui", "cli.serve.studio", "access.share_server"},
    "fastapi": {"api", "cli.serve"},
    "starlette": {"api", "cli.serve.studio", "ui"},
    "pydantic": {"api"},
    "pydantic_core": {"api.services.numbers"},
    "uvicorn": {"api"},
    "h11": {"api.protection"},
    "mcp": {"api"},
    "anyio": {"api"},
    "wyoming": {"api.wyoming"},
    "zeroconf": {"api.wyoming"},
    "fastapi_offline": {"api"},
    "torch": {"engines.qwen", "engines.yourtts.service", "cli.bench"},
    "qwen_tts": {"cli.bench.peer_runner"},
    "faster_qwen3_tts": {"cli.bench.peer_runner"},
    "transformers": {"engines.qwen", "engines.whisper", "cli.bench"},
    "numba": {"engines.qwen"},
    "llvmlite": {"engines.qwen.kernels"},
    "safetensors": {"engines.qwen", "voices.prompt_files", "cli.bench"},
    "tokenizers": {"engines.qwen"},
    "faster_whisper": {"engines.whisper"},
    "ctranslate2": {"engines.whisper"},
    "opencc": {"engines.whisper"},
    "rapidfuzz": {"engines.whisper"},
    "pypinyin": {"studio.making.sounds"},
    "requests": {"models.downloads", "access"},
    "charset_normalizer": {"studio.readers"},
    "urllib3": {"models.downloads"},
    "filelock": {"models.downloads", "voices", "access", "engines.yourtts", "speech.plan.store", "studio.store"},
    "huggingface_hub": {"models.downloads.hubs", "cli.bench"},  # bench download measures against it
    "modelscope_hub": {"models.downloads.hubs"},
    "librosa": {"engines.qwen.cloning"},
    "av": {"audio"},
    "soundfile": {"audio", "engines.yourtts.service"},
    "soxr": {"audio"},
    "markdown_it": {"speech.markdown"},
    "espeakng_loader": {"engines.espeak"},
    "piper": {"engines.piper"},
    "onnxruntime": {"engines.piper", "engines.hibari", "engines.whisper"},
    "hibari": {"engines.hibari", "cli.bench.speak.runner"},  # measured beside the engine
    "ctypes": {"engines.espeak", "engines.whisper"},
    "platformdirs": {"platform"},
    "psutil": {"platform", "engines.qwen"},
    "argon2": {"access"},
    "packaging": {"cli"},
    "TTS": {"engines.yourtts.service"},
}
"""Library to the places that may import it; whatever isn't listed is the standard library's or numpy's."""
KNOWN_ENGINES = {
    ("whisper", "qwen"): "how many threads help",
    ("yourtts", "qwen"): "what a model's config says",
}
"""Which engine may ask which other one, and for what. Otherwise engines don't know each other."""
NO_BEGINNINGS = frozenset(
    [
        "of",
        "for",
        "in",
        "with",
        "without",
        "by",
        "from",
        "to",
        "as",
        "at",
        "on",
        "behind",
        "below",
        "above",
        "after",
        "before",
        "between",
        "into",
        "through",
        "until",
        "since",
        "under",
        "over",
        "beside",
        "besides",
        "inside",
        "within",
        "among",
        "like",
        "than",
        "about",
        "against",
        "during",
        "it",
        "its",
        "they",
        "them",
        "their",
        "he",
        "she",
        "his",
        "her",
        "who",
        "whom",
        "whose",
        "which",
        "that",
        "this",
        "these",
        "those",
        "what",
        "whatever",
        "whoever",
        "somebody",
        "nobody",
        "everybody",
        "others",
        "one",
        "ones",
        "each",
        "both",
        "all",
        "some",
        "any",
        "none",
        "same",
    ]
)
"""Words that begin no docstring: they lean on a signature that the reader may not see."""
NO_NAMES = frozenset({"tell", "tells", "told", "said", "heard", "looked", "whoever", "somebody"})
"""Words that no name is made of: they say that something is reported, transcribed or checked, but not what."""
READERS_OF_THE_ENVIRONMENT = {"app", "cli"}
"""Entry points; they hand the environment to Settings.from_env."""
HEAVY = ("torch", "transformers", "librosa", "gradio", "faster_whisper", "ctranslate2", "av", "lxml", "docx", "pysubs2")
Node = TypeVar("Node", bound=ast.AST)
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 8
MAX_FILES_IN_A_FOLDER = 18
MAX_DEPTH = 4
"""Names in a module's path: a part, at most two folders below it, and the file."""

SOURCES = sorted([*ROOT.glob("*.py"), *(ROOT / "tts_core").rglob("*.py")])


def test_imports_go_down_and_siblings_are_strangers() -> None:
    assert upward_imports() == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter({place_of(source): our_imports(source) - {place_of(source)} for source in SOURCES}).prepare()


def test_the_core_has_thirteen_entries() -> None:
    entries = {
        path.stem for path in (ROOT / "tts_core").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert entries - {"__init__"} == {part for floor in FLOORS for part in floor} - {"app"}
    assert len(entries - {"__init__", "__main__"}) == 13


def test_folders_are_small_and_not_deep() -> None:
    counts = Counter(source.parent for source in SOURCES)
    assert {name_of(folder): count for folder, count in counts.items() if count > MAX_FILES_IN_A_FOLDER} == {}
    assert [place for source in SOURCES if len((place := place_of(source)).split(".")) > MAX_DEPTH] == []


def test_engines_do_not_know_each_other() -> None:
    asked = {
        (place.split(".")[1], other.split(".")[1])
        for source in SOURCES
        if (place := place_of(source)).startswith("engines.")
        for other in our_imports(source)
        if other.startswith("engines.") and other.split(".")[1] not in (place.split(".")[1], "faults")
    }
    assert asked == KNOWN_ENGINES.keys()


def test_the_neural_engine_has_floors_of_its_own() -> None:
    floors = {folder: number for number, folders in enumerate(QWEN_FLOORS) for folder in folders}
    wrong = [
        f"{place} imports {other}"
        for source in SOURCES
        if (place := place_of(source)).startswith("engines.qwen.") and place.split(".")[2] in floors
        for other in our_imports(source)
        if other.startswith("engines.qwen.")
        and (folder := other.split(".")[2]) != place.split(".")[2]
        and floors.get(folder, len(floors)) >= floors[place.split(".")[2]]
    ]
    assert wrong == []


def test_peers_run_where_nothing_of_ours_is() -> None:
    assert our_imports(ROOT / "tts_core" / "cli" / "bench" / "peer_runner.py") == set()


def test_every_library_has_one_home() -> None:
    known = {"tts_core", "app", "numpy", *sys.stdlib_module_names} - HOMES.keys()
    wrong = [
        f"{place_of(source)} imports {library}"
        for source in SOURCES
        for library in {module.split(".")[0] for module in imports(source)}
        if library not in known and not any(is_inside(place_of(source), home) for home in HOMES.get(library, ()))
    ]
    assert wrong == []


def test_only_entry_points_read_the_environment() -> None:
    readers = {
        part_of(place_of(source))
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
            place_of(source) == "domain.errors" and function.name == "__init__"
        )  # its parameters are data
        if too_many or (taken.kwarg is not None and not is_the_error_base):
            wrong.append(f"{name_of(source)} {function.name}")
    assert wrong == []


def test_a_name_means_one_thing() -> None:
    """No two public classes share a name; the shapes of REST may be named as the values that they carry."""
    names = Counter(
        node.name
        for source, node in nodes(ast.ClassDef)
        if not node.name.startswith("_") and not is_inside(place_of(source), "api")
    )
    assert {name: count for name, count in names.items() if count > 1} == {}


def test_errors_lie_where_all_are_found() -> None:
    """An error lies in the faults.py of the room that raises it, or in domain/errors.py where many rooms do."""
    wrong = [
        f"{name_of(source)} {node.name}"
        for source, node in nodes(ast.ClassDef)
        if {"code", "template"} <= {ast.unparse(made.targets[0]) for made in node.body if isinstance(made, ast.Assign)}
        and not (source.name.endswith("faults.py") or place_of(source) == "domain.errors")
    ]
    assert wrong == []


def test_names_are_ordinary_words() -> None:
    """Classes, functions, parameters, fields and variables; keys and texts are free."""
    wrong = {
        f"{name_of(source)} {name}"
        for source in SOURCES
        for name in names_made_in(source)
        if NO_NAMES & set(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"))
    }
    assert wrong == set()


def test_docstrings_begin_as_sentences_do() -> None:
    """Whoever reads one without the line beside it must know what it speaks of."""
    wrong = [
        f"{name_of(source)}: {text.splitlines()[0]}"
        for source in SOURCES
        for text in docstrings(source)
        if text.split()[0].strip("`\"'.,:;").lower() in NO_BEGINNINGS
    ]
    assert wrong == []


def test_nothing_is_global() -> None:
    assert [f"{name_of(source)}:{node.lineno}" for source, node in nodes(ast.Global)] == []


@pytest.mark.parametrize("module", ["tts_core", "tts_core.services", "tts_core.cli.main", "tts_core.api.server", "app"])
def test_starting_loads_nothing_heavy(module: str) -> None:
    check = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (answer.stdout.strip(), answer.stderr) == ("[]", "")


def upward_imports() -> set[tuple[str, str]]:
    """Pairs of modules of which the first imports the second from its own floor or from above."""
    floor = {part: number for number, parts in enumerate(FLOORS) for part in parts}
    return {
        (place, other)
        for source in SOURCES
        if (place := place_of(source))
        for other in our_imports(source)
        if part_of(other) != part_of(place) and floor[part_of(other)] >= floor[part_of(place)]
    }


def report() -> str:
    """The map in numbers: parts, arrows between them, floors. Printed by `python -m tests.test_architecture`."""
    arrows = {
        (part_of(place_of(source)), part_of(other))
        for source in SOURCES
        for other in our_imports(source)
        if part_of(other) != part_of(place_of(source))
    }
    parts = [part for floor in FLOORS for part in floor]
    return f"{len(parts)} parts, {len(arrows)} arrows, {len(FLOORS)} floors, {len(upward_imports())} imports upwards"


@cache
def tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"))


def nodes(kind: type[Node]) -> Iterator[tuple[Path, Node]]:
    return ((source, node) for source in SOURCES for node in ast.walk(tree(source)) if isinstance(node, kind))


def names_made_in(source: Path) -> Iterator[str]:
    for node in ast.walk(tree(source)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def docstrings(source: Path) -> Iterator[str]:
    """The docstrings of modules, classes and functions, and the texts below fields and constants."""
    for node in ast.walk(tree(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            body: list[ast.stmt] = node.body
            if text := ast.get_docstring(node):
                yield text
            for before, after in pairwise(body):
                if isinstance(before, (ast.Assign, ast.AnnAssign)) and isinstance(after, ast.Expr):
                    value = after.value
                    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value.strip():
                        yield value.value


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


@cache
def our_imports(source: Path) -> set[str]:
    """The modules of ours that it imports, each by its place."""
    modules = {place_of(other) for other in SOURCES}
    names = {name.removeprefix("tts_core.") for name in imports(source) if name.split(".")[0] in ("tts_core", "app")}
    return {
        place for name in names for place in (name, name.rpartition(".")[0]) if place in modules and place != ""
    } - {place_of(source)}


def name_of(source: Path) -> str:
    return source.relative_to(ROOT).as_posix()


def place_of(source: Path) -> str:
    """Where a module lies, seen from tts_core: "speech.queue"; the package itself is "", its neighbour "app"."""
    name = name_of(source).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return "" if name == "tts_core" else name.removeprefix("tts_core.")


def part_of(place: str) -> str:
    return place.partition(".")[0]


def is_inside(place: str, home: str) -> bool:
    return place == home or place.startswith(f"{home}.")


if __name__ == "__main__":
    sys.stdout.write(report() + "\n")
