"""An input with what was entered in it and what is wrong with that. Reads: entered.py. Read next: cells.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from headwater.errors import FieldError
from headwater.ui.entered import NONE, Entered
from headwater.ui.inputs import Input

Path = tuple[str, ...]


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One input as it is shown: ``name`` in the form, ``id`` in the page, the text it holds and its ``errors``.

    It ``is_needed`` if there is no value without it, and what it is in is needed too. ``inner`` are the controls of a
    group; the rows of several, each a group; or the single inputs of several.
    """

    input: Input
    name: str
    id: str
    text: str = ""
    texts: Sequence[str] = ()
    is_cleared: bool = False
    is_needed: bool = False
    errors: tuple[str, ...] = ()
    inner: tuple[Control, ...] = ()

    @property
    def has_errors(self) -> bool:
        """Whether anything is wrong with it, or inside of it."""
        return bool(self.errors) or any(each.has_errors for each in self.inner)


class Fault(msgspec.Struct, frozen=True):
    """One fault for the summary above a form: the ``id`` of the control to go to, its label, what is wrong."""

    id: str
    label: str
    words: str


class Form(msgspec.Struct, frozen=True):
    """The controls of a form, and every fault in it, first those of no single control."""

    controls: tuple[Control, ...]
    faults: tuple[Fault, ...] = ()

    def of(self, name: str) -> Control | None:
        """The control of that name, if there is one."""
        return next((control for control in self.controls if control.name == name), None)


def form_of(inputs: Iterable[Input], entered: Entered, errors: Iterable[FieldError] = ()) -> Form:
    """The form as it was filled in, each fault beside its control."""
    found: dict[Path, list[str]] = {}
    for error in errors:
        found.setdefault(_path(error.pointer), []).append(in_words(error.detail))
    making = _Making(entered, found)
    controls = making.group(inputs, "", ())
    rest = [
        Fault("", ".".join(path), words) for path, told in found.items() for words in told if path not in making.told
    ]
    return Form(controls, (*rest, *making.faults))


class _Making:
    def __init__(self, entered: Entered, errors: Mapping[Path, list[str]]) -> None:
        self._entered = entered
        self._errors = errors
        self.told: set[Path] = set()
        self.faults: list[Fault] = []

    def group(
        self, inputs: Iterable[Input], prefix: str, path: Path, around: str = "", *, needed: bool = True
    ) -> tuple[Control, ...]:
        """The controls of some inputs; ``around`` is the label of what they are in, for the summary of faults."""
        return tuple(
            self._control(each, prefix + each.name, (*path, each.name), around, needed=needed and each.required)
            for each in inputs
        )

    def _control(self, each: Input, name: str, path: Path, around: str, *, needed: bool) -> Control:
        label = f"{around}: {each.label}" if around else each.label
        errors = self._own(each, name, path, label)
        texts = self._entered.all(name)
        inner: tuple[Control, ...] = ()
        if each.kind == "group":
            inner = self.group(each.inner, f"{name}.", path, label, needed=needed)
        elif each.kind == "rows":
            inner = tuple(
                self._row(each, name, row, (*path, str(place)), f"{label} {place + 1}")
                for place, row in enumerate(texts)
            )
        elif each.kind == "values":
            inner = self._singles(each, name, path, label, texts)
        return Control(
            input=each,
            name=name,
            id=_id(name),
            text=self._entered.one(name),
            texts=texts,
            is_cleared=bool(self._entered.one(name + NONE)),
            is_needed=needed,
            errors=errors,
            inner=inner,
        )

    def _row(self, each: Input, name: str, row: str, path: Path, label: str) -> Control:
        own = f"{name}.{row}"
        return Control(
            input=each,
            name=own,
            id=_id(own),
            text=row,
            errors=self._own(each, own, path, label),
            inner=self.group(each.inner, f"{own}.", path, label),
        )

    def _singles(self, each: Input, name: str, path: Path, label: str, texts: Sequence[str]) -> tuple[Control, ...]:
        """One input for each text, and one more where there is none yet."""
        made: list[Control] = []
        place = 0
        for number, text in enumerate(texts or [""]):
            own = f"{name}.{number}"
            errors = self._own(each.inner[0], own, (*path, str(place)), f"{label} {number + 1}") if text else ()
            made.append(Control(input=each.inner[0], name=name, id=_id(own), text=text, errors=errors))
            place += bool(text)
        return tuple(made)

    def _own(self, each: Input, name: str, path: Path, label: str) -> tuple[str, ...]:
        """The faults of one control. One that is a single input also bears those deeper in its value."""
        single = each.kind not in {"group", "rows", "values"}
        found = [
            (where, words)
            for where, told in self._errors.items()
            if where == path or (single and where[: len(path)] == path)
            for words in told
        ]
        self.told.update(where for where, _ in found)
        self.faults.extend(Fault(_id(name), label, words) for _, words in found)
        return tuple(words for _, words in found)


def _path(pointer: str) -> Path:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _id(name: str) -> str:
    return "f-" + re.sub(r"[^A-Za-z0-9_-]", "-", name)


_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"is missing", "is needed"),
        (r"Expected int(?: \| null)?, got .*", "must be a whole number"),
        (r"Expected (?:float|decimal)(?: \| null)?, got .*", "must be a number"),
        (r"Expected bool(?: \| null)?, got .*", "must be yes or no"),
        (r"Expected \w+ of length >= 1", "must not be empty"),
        (r"Expected str of length >= (\d+)", r"must have at least \1 characters"),
        (r"Expected str of length <= (\d+)", r"must have at most \1 characters"),
        (r"Expected \w+ of length >= (\d+)", r"needs at least \1"),
        (r"Expected \w+ of length <= (\d+)", r"takes at most \1"),
        (r"Expected \w+ >= (.+)", r"must be at least \1"),
        (r"Expected \w+ <= (.+)", r"must be at most \1"),
        (r"Expected \w+ > (.+)", r"must be more than \1"),
        (r"Expected \w+ < (.+)", r"must be less than \1"),
        (r"Expected \w+ that's a multiple of (.+)", r"must be a multiple of \1"),
        (r"Expected str matching regex (.+)", r"does not have the right form: \1"),
        (r"Invalid RFC3339 encoded datetime", "must be a date and a time"),
        (r"Invalid RFC3339 encoded date", "must be a date"),
        (r"Invalid RFC3339 encoded time", "must be a time"),
        (r"Invalid decimal string", "must be a number"),
        (r"Invalid UUID", "must be a UUID"),
        (r"Invalid ISO8601 duration", "must be a duration, such as PT90M"),
        (r"Invalid enum value .*", "must be one of the choices"),
    )
)


def in_words(detail: str) -> str:
    """What a decoder says, as a person says it to another.

    >>> in_words("Expected int >= 1"), in_words("Something else")
    ('must be at least 1', 'Something else')
    """
    for pattern, words in _WORDS:
        if (found := pattern.fullmatch(detail)) is not None:
            return found.expand(words)
    return detail
