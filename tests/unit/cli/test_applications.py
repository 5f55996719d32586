from __future__ import annotations

import sys

import pytest

from headwater.cli.applications import existing, load_app, log_url
from headwater.errors import StoreIOError, WiringError, WrongApp


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module into the current directory, under a name of this test alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text):
        (tmp_path / "wares.py").write_text(text)
        return "wares"

    yield write
    sys.modules.pop("wares", None)


def test_an_app_is_found_in_the_current_directory(module):
    """The current directory comes first on the path."""
    module("from headwater import App\napp = App('wares')\n")
    assert load_app("wares:app").name == "wares"


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ("wares", "wares:app"),
        ("wares:", "wares:app"),
        ("wares.py", "wares:app"),
        ("./shop/wares.py:shop", "shop.wares:shop"),
        ("shop/wares", "shop.wares:app"),
        (":app", "headwater.servicedesk:app"),
        ("", "headwater.servicedesk:app"),
        ("my wares.py", "headwater.servicedesk:app"),
    ],
)
def test_a_text_of_another_form_is_refused(reference, meant):
    """The form is module:attribute, and what seems to be meant is told in it."""
    with pytest.raises(WrongApp, match="module:attribute") as caught:
        load_app(reference)
    assert (caught.value.reference, caught.value.remedy) == (reference, f"write it like {meant}")


@pytest.mark.parametrize(
    ("text", "reference", "says"),
    [
        ("", "nowhere_at_all:app", "has no module nowhere_at_all"),
        ("", "wares.inner:app", "has no module wares.inner"),
        ("", "wares:app", "wares has no App in it"),
        ("from headwater import App\nshop = App('shop')\n", "wares:shopp", "did you mean wares:shop?"),
        ("from headwater import App\nshop = App('shop')\n", "wares:App", "is a type, not an App"),
        ("import nothing_like_this\n", "wares:app", "No module named 'nothing_like_this'"),
        ("1 / 0\n", "wares:app", "ZeroDivisionError"),
        ("def\n", "wares:app", "SyntaxError"),
        ("raise SystemExit(0)\n", "wares:app", "SystemExit"),
    ],
)
def test_what_is_wrong_with_a_reference_is_said(module, text, reference, says):
    """Module missing, attribute missing, not an app, or the module itself fails."""
    module(text)
    with pytest.raises(WrongApp) as caught:
        load_app(reference)
    assert says in str(caught.value)


def test_the_wiring_faults_of_an_app_come_through(module):
    """An app that is put together wrongly says so in its own words."""
    module("from headwater import App\napp = App('wares', 7)\n")
    with pytest.raises(WiringError, match="7 is no part of an app"):
        load_app("wares:app")


def test_the_log_is_named_like_the_app_unless_told_otherwise(module):
    """``--url`` or the environment go before the app's own file."""
    app = load_app(f"{module('from headwater import App; app = App(str(1))')}:app")
    assert log_url(app, None) == "sqlite:///1.db"
    assert log_url(app, "memory:") == "memory:"


def test_only_a_file_that_is_there_is_read(tmp_path):
    """A reading verb never makes an empty log."""
    with pytest.raises(StoreIOError, match="there is no log"):
        existing(f"sqlite:///{tmp_path}/none.db")
    assert existing("memory:") == "memory:"
    assert list(tmp_path.iterdir()) == []
