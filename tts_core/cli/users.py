"""`users` and `keys`: who may come in where people have to log in."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from tts_core.access.accounts import AccountsFile
from tts_core.access.faults import InvalidAccount
from tts_core.access.visitor import Role
from tts_core.cli.status import Exit
from tts_core.services import Services

ROLES = [role.value for role in Role]


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    users = commands.add_parser("users", help="who may log in", parents=[shared])
    actions = users.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", help="a new user; the password is asked, or read from stdin", parents=[shared])
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", choices=ROLES, default=Role.GUEST.value, help="admins may do everything (guest)")
    add.set_defaults(run=_add_user)
    password = actions.add_parser("password", help="a new password; ends the user's sessions", parents=[shared])
    password.add_argument("name", metavar="NAME")
    password.set_defaults(run=_set_password)
    remove = actions.add_parser("remove", help="ends the user's sessions, too", parents=[shared])
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(run=_remove_user)
    actions.add_parser("list", help="all users and their roles", parents=[shared]).set_defaults(run=_list_users)

    keys = commands.add_parser("keys", help="keys for programs: `Authorization: Bearer KEY`", parents=[shared])
    actions = keys.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", help="a new key; it is printed now and never again", parents=[shared])
    add.add_argument("name", metavar="NAME", help="what it is for")
    add.add_argument("--role", choices=ROLES, default=Role.GUEST.value, help="admins may do everything (guest)")
    add.set_defaults(run=_add_key)
    remove = actions.add_parser("remove", help="by its id in the list", parents=[shared])
    remove.add_argument("id", metavar="ID")
    remove.set_defaults(run=_remove_key)
    actions.add_parser("list", help="ids, names and roles of all keys", parents=[shared]).set_defaults(run=_list_keys)


def _accounts(services: Services) -> AccountsFile:
    return AccountsFile(services.settings.paths.accounts_file)


def _add_user(args: argparse.Namespace, services: Services) -> Exit:
    user = _accounts(services).add_user(args.name, _new_password(), Role(args.role))
    print(f"{user.name} may log in as {user.role.value}.")
    return Exit.DONE


def _set_password(args: argparse.Namespace, services: Services) -> Exit:
    _accounts(services).set_password(args.name, _new_password())
    print(f"{args.name} has a new password and is logged out everywhere.")
    return Exit.DONE


def _remove_user(args: argparse.Namespace, services: Services) -> Exit:
    _accounts(services).remove_user(args.name)
    print(f"{args.name} may no longer log in.")
    return Exit.DONE


def _list_users(_args: argparse.Namespace, services: Services) -> Exit:
    for user in _accounts(services).read().users:
        print(f"{user.role.value:6}  {user.created_at[:10]}  {user.name}")
    return Exit.DONE


def _add_key(args: argparse.Namespace, services: Services) -> Exit:
    key, secret = _accounts(services).add_key(args.name, Role(args.role))
    print(f"The key {key.id} for {key.name} ({key.role.value}). It is shown only now:", file=sys.stderr)
    print(secret)
    return Exit.DONE


def _remove_key(args: argparse.Namespace, services: Services) -> Exit:
    _accounts(services).remove_key(args.id)
    print(f"The key {args.id} opens nothing any more.")
    return Exit.DONE


def _list_keys(_args: argparse.Namespace, services: Services) -> Exit:
    for key in _accounts(services).read().keys:
        print(f"{key.id}  {key.role.value:6}  {key.created_at[:10]}  {key.name}")
    return Exit.DONE


def _new_password() -> str:
    """A password, typed twice at a terminal; else the first line of stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise InvalidAccount(what="The password", expected="the same one twice")
    return password
