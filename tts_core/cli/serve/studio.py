"""The studio as a server: the pages, REST and docs as one application, and its start from `python app.py`."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import webbrowser
from contextlib import suppress
from threading import Timer

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from tts_core.access.public_link import GUEST, Link
from tts_core.access.visitor import Role
from tts_core.api.serving import bind, build_server, end_on_signals, listen, url_of
from tts_core.domain.errors import StudioError
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.logs import setup_logging
from tts_core.platform.paths import ASSETS_DIR
from tts_core.platform.settings.options import (
    DISK_OPTIONS,
    MODEL_OPTIONS,
    PROJECT_OPTIONS,
    SERVER_OPTIONS,
    add_admission_options,
    add_login_options,
    options_parser,
    with_admitted,
    with_options,
)
from tts_core.platform.settings.server import CERT_FLAG
from tts_core.platform.settings.studio import Settings, is_loopback
from tts_core.platform.whole_files import make_private
from tts_core.services import Services, build_services

TITLE = "TTS Studio"


def build_app(services: Services, *, is_shared: bool = False) -> FastAPI:
    """REST, docs and both pages as one ASGI app; where guests may come, also the pages for them."""
    # Gradio reads its environment when imported; nothing leaves the machine, and its copies live in our data folder.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ["GRADIO_TEMP_DIR"] = str(services.settings.paths.page_cache_dir)
    with suppress(OSError):  # a folder that can't be written: whoever uploads something is told
        make_private(services.settings.paths.page_cache_dir)
    from tts_core.ui.blocked_import import without  # noqa: PLC0415

    with without("mcp"):  # Gradio would load it for a server that we don't use: a second of every start
        import gradio as gr  # noqa: PLC0415 - after the environment

    from tts_core.api.protection.authentication import GUEST_PREFIX, GuestPages  # noqa: PLC0415
    from tts_core.api.protection.login import add_login  # noqa: PLC0415
    from tts_core.api.server import create_api  # noqa: PLC0415
    from tts_core.ui.gradio_answers import HANDLERS  # noqa: PLC0415
    from tts_core.ui.gradio_patches import guard_gradio  # noqa: PLC0415
    from tts_core.ui.language import LanguageRedirect  # noqa: PLC0415
    from tts_core.ui.login_page import login_page  # noqa: PLC0415
    from tts_core.ui.missing_page import MissingPage  # noqa: PLC0415
    from tts_core.ui.page import PAGE_PATHS, build_page  # noqa: PLC0415
    from tts_core.ui.page_assets import PageAssets  # noqa: PLC0415
    from tts_core.ui.page_head import PageHead  # noqa: PLC0415
    from tts_core.ui.theme import STYLES, build_theme  # noqa: PLC0415

    guard_gradio()
    app = create_api(services)
    add_login(app, services.login, login_page)
    app.mount("/scripts", StaticFiles(directory=ASSETS_DIR / "scripts"), name="scripts")
    pages = [(path, language, Role.ADMIN) for language, path in PAGE_PATHS.items()]
    if is_shared or may_have_guests(services):
        pages += [(GUEST_PREFIX + path.rstrip("/"), language, Role.GUEST) for language, path in PAGE_PATHS.items()]
    for path, language, audience in sorted(pages, key=lambda page: -len(page[0])):  # "/" would hide the others
        page = build_page(services, language, audience)
        gr.mount_gradio_app(
            app,
            page,
            path=path,
            allowed_paths=[str(services.settings.paths.outputs_dir)],
            max_file_size=services.settings.limits.max_upload_bytes,
            enable_monitoring=False,
            run_history=False,  # it would keep texts in the browser
            app_kwargs={"exception_handlers": HANDLERS, "routes": page.routes},
            show_error=False,  # errors for people are raised as gr.Error
            footer_links=[],
            favicon_path=str(ASSETS_DIR / "icon.png") if path == "/" else None,
            theme=build_theme(),
            css_paths=[ASSETS_DIR / "styles" / name for name in STYLES],
        )
    # Innermost, so that the guard looks first.
    app.user_middleware += [
        Middleware(MissingPage),
        Middleware(LanguageRedirect),
        Middleware(PageAssets, paths=PAGE_PATHS.values()),
        Middleware(PageHead, pages=PAGE_PATHS),
        Middleware(GuestPages),
    ]
    return app


def report_start(title: str, listener: socket.socket, settings: Settings) -> str:
    """Say on the console where it is served, and whether anybody may come in; returns the address."""
    url = url_of(listener, settings.certificate)
    print(f"{title} is on {url}   (Ctrl+C ends it)", flush=True)
    if not is_loopback(settings.host) and not settings.needs_login:
        print("It listens beyond this machine and asks for no password.", file=sys.stderr)
    return url


def may_have_guests(services: Services) -> bool:
    """Else the pages for them need not be built."""
    settings = services.settings
    return settings.auth != "off" and (settings.needs_login or services.login.may_get_accounts())


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    shared = options_parser(*SERVER_OPTIONS, *DISK_OPTIONS, *MODEL_OPTIONS, *PROJECT_OPTIONS)
    parser = argparse.ArgumentParser(description="TTS Studio: speech from your own machine.", parents=[shared])
    add_admission_options(parser)
    add_login_options(parser)
    parser.add_argument("--share", action="store_true", help="a public link, for people who log in")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    return parser.parse_args(arguments)


def resolve_settings(options: argparse.Namespace) -> Settings:
    """Options win over environment variables. Raises InvalidSetting, also for a certificate that can't be used."""
    settings = Settings.from_env(with_options(os.environ, options))
    if settings.certificate is not None:
        settings.certificate.check()
        if options.share:
            raise InvalidSetting(name=CERT_FLAG, value="", expected="none: with --share the link itself is https")
    return with_admitted(settings, options)


def main(arguments: list[str]) -> int:
    # Threads of torch that wait for work would else keep the processor busy; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        options = parse_arguments(arguments)
        settings = resolve_settings(options)
        settings.network.apply(os.environ)
        setup_logging(settings.paths.log_file)
        services = build_services(settings)
        services.check_accounts(settings, is_shared=options.share)
        listeners = [bind(settings)]
        if options.share:
            listeners.append(listen("127.0.0.1", 0))  # only the link's helper comes in there
    except StudioError as error:
        print(f"{error.message} [{error.code}]", file=sys.stderr)
        return 2
    app = build_app(services, is_shared=options.share)
    url = report_start(TITLE, listeners[0], settings)
    if options.open:
        Timer(0.5, webbrowser.open, [url]).start()
    end_on_signals()
    try:
        services.start()
        if options.share:
            services.link.open(listeners[1].getsockname()[1], print_link)
        build_server(app, settings.certificate).run(sockets=listeners)
    finally:
        services.close()
    return 0


def print_link(link: Link) -> None:
    """Say on the console what became of the public link."""
    if link.error is not None:
        print(f"{link.error.message} [{link.error.code}]", file=sys.stderr, flush=True)
        return
    who = f"user {GUEST}, password {link.password}" if link.password else "with a name and password of `users list`"
    print(f"Public link: {link.url}   ({who})", flush=True)
