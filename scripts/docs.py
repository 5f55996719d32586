"""Writes the reference pages that are made from the code, and checks the pages that people write.

    python scripts/docs.py            write docs/reference/errors.md, then check
    python scripts/docs.py --check    write nothing; exit 1 if that page is stale

The checks: no dead link, no heading that a link misses, no page that the index does not lead to. That the Python blocks
of the pages run is checked by ``tests/test_docs.py``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from headwater import errors
from headwater.http.problems import status_of

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
ERRORS_PAGE = DOCS / "reference" / "errors.md"

_HEAD = """\
# Errors

Every error that Headwater raises stands in one tree, in `headwater.errors`. Each has:

* a `code` that stays the same between releases: programs and logs can rely on it;
* a `message` for people, and a `remedy` where there is something to do;
* typed fields with the facts, also in `error.fields`.

Over HTTP an error is a problem document (RFC 9457) of the type `urn:headwater:problem:<code>`, with the status given
here. A status of 500 stands for a fault on the server's side, whose details are logged and not told.

Each is also a subclass of the built-in error it resembles, so `except ValueError` works as a reader expects.

<!-- written by scripts/docs.py from src/headwater/errors.py: change that file, then run it -->

```text
{tree}
```

{entries}
"""


def main(arguments: list[str]) -> int:
    """Write the pages unless told to check only, then check. Returns the exit code."""
    if "--check" not in arguments:
        ERRORS_PAGE.parent.mkdir(parents=True, exist_ok=True)
        ERRORS_PAGE.write_text(errors_page(), encoding="utf-8")
    faults = list(check())
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


def check() -> Iterator[str]:
    """Every fault of the documentation, in words."""
    if not ERRORS_PAGE.exists() or ERRORS_PAGE.read_text(encoding="utf-8") != errors_page():
        yield f"{_name(ERRORS_PAGE)} is stale: run `python scripts/docs.py`"
    pages = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
    for page in pages:
        yield from _dead_links(page)
    yield from _not_in_the_index([page for page in pages if DOCS in page.parents])


def errors_page() -> str:
    """The reference page of the errors: the tree as the module draws it, then each class."""
    drawn = (errors.__doc__ or "").split("\n\n")[1]
    tree = "\n".join(line[4:] for line in drawn.splitlines())
    found = [value for value in vars(errors).values() if isinstance(value, type) and _is_error(value)]
    found.sort(key=lambda error: tree.split().index(error.__name__))
    return _HEAD.format(tree=tree, entries="\n\n".join(_entry(error) for error in found))


def _is_error(value: type) -> bool:
    return issubclass(value, errors.HeadwaterError)


def _entry(error: type[errors.HeadwaterError]) -> str:
    bases = [base.__name__ for base in error.__bases__]
    parts = [
        f"## {error.__name__}",
        f"`{error.code}` · a kind of {' and '.join(f'`{base}`' for base in bases)} · HTTP {status_of(error)}",
        _markdown(error.__doc__ or ""),
    ]
    if error.remedy:
        parts.append(f"What to do: {_markdown(error.remedy)}.")
    return "\n\n".join(parts)


def _markdown(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _dead_links(page: Path) -> Iterator[str]:
    prose = _without_code(page.read_text(encoding="utf-8"))
    for path, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)", prose):
        target = page if not path else (page.parent / path).resolve()
        if not target.exists():
            yield f"{_name(page)}: no file {path}"
        elif anchor and target.suffix == ".md" and anchor not in _anchors(target):
            yield f"{_name(page)}: {path or page.name} has no heading #{anchor}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def _not_in_the_index(pages: list[Path]) -> Iterator[str]:
    index = DOCS / "index.md"
    reached = {index}
    waiting = [index]
    while waiting:
        page = waiting.pop()
        for path in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8")):
            target = (page.parent / path).resolve()
            for found in target.rglob("*.md") if target.is_dir() else [target]:
                if found.suffix == ".md" and found.exists() and found not in reached:
                    reached.add(found)
                    waiting.append(found)
    yield from (f"{_name(page)}: no way leads there from docs/index.md" for page in pages if page not in reached)


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
