"""TTS Studio: `python app.py` serves the page, REST and docs on this machine. Assembly and start; no logic."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import webbrowser
from threading import Timer

from fastapi import FastAPI
from starlette.middleware import Middleware

from tts_core.api.serving import bind, build_server, url_of
from tts_core.errors import StudioError
from tts_core.logs import setup_logging
from tts_core.options import DISK_OPTIONS, MODEL_OPTIONS, SERVER_OPTIONS, options_parser, with_options
from tts_core.paths import ASSETS_DIR
from tts_core.services import Services, build_services
from tts_core.settings import Settings, allowed_hosts


def build_app(services: Services) -> FastAPI:
    """REST, docs and both pages as one ASGI app."""
    # Gradio reads its environment when imported; nothing leaves the machine, and its copies live in our data folder.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ["GRADIO_TEMP_DIR"] = str(services.settings.paths.page_cache_dir)
    import gradio as gr  # noqa: PLC0415 - after the environment

    from tts_core.api.server import create_api  # noqa: PLC0415
    from tts_core.ui.gradio_guard import guard_gradio  # noqa: PLC0415
    from tts_core.ui.language import LanguageRedirect  # noqa: PLC0415
    from tts_core.ui.page import PAGE_PATHS, build_page  # noqa: PLC0415
    from tts_core.ui.page_head import PageHead  # noqa: PLC0415
    from tts_core.ui.theme import build_theme  # noqa: PLC0415

    guard_gradio()
    app = create_api(services)
    for language, path in sorted(PAGE_PATHS.items(), key=lambda item: -len(item[1])):  # "/" would hide the others
        gr.mount_gradio_app(
            app,
            build_page(services, language),
            path=path,
            allowed_paths=[str(services.settings.paths.outputs_dir)],
            max_file_size=services.settings.limits.max_upload_bytes,
            enable_monitoring=False,
            run_history=False,  # it would keep texts in the browser
            show_error=False,  # errors for people are raised as gr.Error
            footer_links=[],
            favicon_path=str(ASSETS_DIR / "icon.png") if path == "/" else None,
            theme=build_theme(),
            css_paths=[ASSETS_DIR / "theme.css"],
        )
    # Innermost, so that the guard looks first.
    app.user_middleware += [Middleware(LanguageRedirect), Middleware(PageHead, pages=PAGE_PATHS)]
    return app


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    shared = options_parser(*SERVER_OPTIONS, *DISK_OPTIONS, *MODEL_OPTIONS)
    parser = argparse.ArgumentParser(description="TTS Studio: speech from your own machine.", parents=[shared])
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="serve this host name too")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    return parser.parse_args(arguments)


def resolve_settings(options: argparse.Namespace) -> Settings:
    """Options win over environment variables. Raises InvalidSetting, also for a certificate that can't be used."""
    settings = Settings.from_env(with_options(os.environ, options))
    if settings.certificate is not None:
        settings.certificate.check()
    hosts = allowed_hosts(settings.host, [*settings.allowed_hosts, *options.allow_host])
    return dataclasses.replace(settings, allowed_hosts=hosts)


def main(arguments: list[str]) -> int:
    # Threads of torch that wait for work would else keep the processor busy; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        options = parse_arguments(arguments)
        settings = resolve_settings(options)
        setup_logging(settings.paths.log_file)
        services = build_services(settings)
        listener = bind(settings)
    except StudioError as error:
        print(f"{error.message} [{error.code}]", file=sys.stderr)  # noqa: T201
        return 2
    app = build_app(services)
    url = url_of(listener, settings.certificate)
    print(f"TTS Studio is on {url}   (Ctrl+C ends it)", flush=True)  # noqa: T201
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        print("It listens beyond this machine and asks for no password.", file=sys.stderr)  # noqa: T201
    if options.open:
        Timer(0.5, webbrowser.open, [url]).start()
    services.start()
    try:
        build_server(app, settings.certificate).run(sockets=[listener])
    finally:
        services.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
