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

from headwater.app import App
from headwater.errors import HeadwaterError, WrongApp


def load_app(reference: str) -> App:
    """The app that ``module:attribute`` names; modules are looked for in the current directory first.

    Raises ``WrongApp`` if the text, the module or the attribute is wrong, and whatever ``HeadwaterError`` the module
    raises itself, such as ``WiringError``.
    """
    module_name, colon, attribute = reference.partition(":")
    if not (colon and module_name and attribute):
        raise WrongApp(
            reference, "is not of the form module:attribute", remedy="write it like headwater.servicedesk:app"
        )
    found = _attribute(_module(reference, module_name), attribute)
    if isinstance(found, App):
        return found
    module = sys.modules[module_name]
    if found is None:
        raise WrongApp(
            reference, f"has no {attribute!r} in module {module_name}", remedy=_suggestion(module, attribute)
        )
    raise WrongApp(reference, f"is a {type(found).__name__}, not an App", remedy=_suggestion(module, attribute))


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
    except Exception as error:
        raise WrongApp(reference, f"fails to import: {type(error).__name__}: {error}", remedy="see --debug") from error


def _attribute(module: ModuleType, name: str) -> object:
    """The attribute; where a package has a module of that name, ``package:app`` means ``package.app:app``."""
    if hasattr(module, "__path__") and find_spec(f"{module.__name__}.{name}"):
        return getattr(import_module(f"{module.__name__}.{name}"), name, None)
    return getattr(module, name, None)


def _suggestion(module: ModuleType, attribute: str) -> str:
    apps = [name for name, value in vars(module).items() if isinstance(value, App)]
    nearest = get_close_matches(attribute, apps, n=1, cutoff=0) or apps
    return f"did you mean {module.__name__}:{nearest[0]}?" if nearest else f"{module.__name__} has no App in it"
