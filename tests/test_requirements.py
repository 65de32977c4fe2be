"""What the code imports is named in requirements.txt with a tested range, and this environment keeps to it."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.test_architecture import HOMES, SOURCES, imports
from tts_core.engines.yourtts.environment import REQUIREMENTS as YOURTTS_FILE
from tts_core.platform.paths import PACKAGE_DIR, PIPER_REQUIREMENTS_FILE, REQUIREMENTS_FILE
from tts_core.ui.widgets.fragments import LICENCES

YOURTTS_SERVICE = PACKAGE_DIR / "engines" / "yourtts" / "service"
"""It runs in an environment of its own."""
PEER_RUNNER = PACKAGE_DIR / "cli" / "bench" / "peer_runner.py"
"""It runs in the environments of the engines that are measured beside this one."""


def requirements(file: Path) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-r")]


RUNTIME = [*requirements(REQUIREMENTS_FILE), *requirements(PIPER_REQUIREMENTS_FILE)]
TESTS = requirements(Path(__file__).parent / "requirements.txt")


def test_every_imported_library_is_required() -> None:
    ours = [source for source in SOURCES if source != PEER_RUNNER and YOURTTS_SERVICE not in source.parents]
    imported = {module.split(".")[0] for source in ours for module in imports(source)}
    made_by = metadata.packages_distributions()
    libraries = {_plain(made_by[name][0]) for name in imported & {*HOMES, "numpy"} - sys.stdlib_module_names}
    assert libraries <= {_plain(requirement.name) for requirement in RUNTIME}


def _plain(name: str) -> str:
    return name.replace("_", "-").lower()


def test_yourtts_has_what_its_service_imports() -> None:
    service = [source for source in SOURCES if YOURTTS_SERVICE in source.parents]
    assert service
    imported = {module.split(".")[0] for source in service for module in imports(source)}
    known = {"TTS": "coqui-tts"}
    libraries = {known.get(name, name) for name in imported - sys.stdlib_module_names - {"tts_core"}}
    assert libraries <= {requirement.name for requirement in requirements(YOURTTS_FILE)}


def test_every_requirement_has_a_lower_bound() -> None:
    assert [str(wanted) for wanted in (*RUNTIME, *TESTS) if not str(wanted.specifier).count("=")] == []


def test_the_licences_that_the_page_names_are_those_of_the_packages() -> None:
    packages = [name for name in LICENCES if name != "espeak-ng"]  # a library inside a package that names none
    stated = {name: metadata.metadata(name)["License"] for name in packages}
    assert {name: text for name, text in stated.items() if not text.startswith(LICENCES[name])} == {}


def test_this_environment_lies_in_the_tested_ranges() -> None:
    wrong = [
        f"{wanted} but {metadata.version(wanted.name)}"
        for wanted in (*RUNTIME, *TESTS)
        if not wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    ]
    assert wrong == []
