"""From ``module:attribute`` to an ``App``, and from ``--url`` to the log it means.

Reads: errors.py. Read next: fields.py, then verbs/send.py.
"""

from __future__ import annotations

import getpass
import sys
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from headwater.app import App
from headwater.errors import HeadwaterError, WrongApp

P = TypeVar("P")


def load_app(reference: str) -> App:
    """The app that ``module:attribute`` names; modules are looked for in the current directory first.

    Raises ``WrongApp`` if the text, the module or the attribute is wrong, and whatever ``HeadwaterError`` the module
    raises itself, such as ``WiringError``.
    """
    return load_part(reference, App)


def load_part(reference: str, kind: type[P]) -> P:
    """What ``module:attribute`` names, which must be of that kind. Raises what ``load_app`` raises."""
    module_name, colon, attribute = reference.partition(":")
    if not (colon and module_name and attribute) or _is_path(module_name):
        raise WrongApp(reference, "is not of the form module:attribute", remedy=f"write it like {_meant(reference)}")
    found = _attribute(_module(reference, module_name), attribute)
    if isinstance(found, kind):
        return found
    remedy = _suggestion(sys.modules[module_name], attribute, kind)
    if found is None:
        raise WrongApp(reference, f"has no {attribute!r} in module {module_name}", remedy=remedy)
    article = "an" if kind is App else "a"
    raise WrongApp(reference, f"is a {type(found).__name__}, not {article} {kind.__name__}", remedy=remedy)


def log_url(app: App, url: str | None) -> str:
    """The log to open: what was given, else one SQLite file named like the app in the current directory."""
    return url or f"sqlite:///{app.name}.db"


def existing(url: str) -> str:
    """The same URL, if there is a log: what only reads must not make an empty file. Raises ``StoreIOError``."""
    if url.startswith("sqlite:"):
        from headwater.backends.sqlite.integrity import existing_file

        existing_file(url)
    return url


async def existing_log(url: str) -> str:
    """The same URL, if there is a log, also where that takes a look into a database. Raises ``StoreError``."""
    if url.startswith(("postgresql:", "postgres:")):
        from headwater.backends.postgres.integrity import existing_schema

        await existing_schema(url)
        return url
    return existing(url)


def user() -> str:
    """Who runs this process, for records of who did what; empty for a user without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _is_path(name: str) -> bool:
    """Whether it names a file, and no module."""
    return name.endswith(".py") or "/" in name


def _meant(reference: str) -> str:
    """The reference that a file's name, or a module without attribute, stands for as far as one can tell."""
    place, _, attribute = reference.partition(":")
    module = place.removesuffix(".py").removeprefix("./").replace("/", ".")
    is_module = all(map(str.isidentifier, module.split(".")))
    return f"{module}:{attribute or 'app'}" if is_module else "headwater.servicedesk:app"


def _module(reference: str, name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except HeadwaterError:
        raise
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise WrongApp(
                reference, f"has no module {error.name} to import", remedy=f"looked in {here} first"
            ) from error
        raise WrongApp(reference, f"fails to import: {error}", remedy="install what it needs") from error
    except (Exception, SystemExit) as error:
        raise WrongApp(reference, f"fails to import: {type(error).__name__}: {error}", remedy="see --debug") from error


def _attribute(module: ModuleType, name: str) -> object:
    """The attribute; where a package has a module of that name, ``package:app`` means ``package.app:app``."""
    if hasattr(module, "__path__") and find_spec(f"{module.__name__}.{name}"):
        return getattr(import_module(f"{module.__name__}.{name}"), name, None)
    return getattr(module, name, None)


def _suggestion(module: ModuleType, attribute: str, kind: type[Any]) -> str:
    there = [name for name, value in vars(module).items() if isinstance(value, kind)]
    nearest = get_close_matches(attribute, there, n=1, cutoff=0) or there
    if nearest:
        return f"did you mean {module.__name__}:{nearest[0]}?"
    return f"{module.__name__} has no {kind.__name__} in it"
