"""Texts give the same words to every store."""

from __future__ import annotations

import pytest

from headwater.words import fold, indexed_words, languages, stem_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Printer's e-mail, 12.5", ["printer", "s", "e", "mail", "12", "5"]),
        ("\u00dcberflu\u00df CAF\u00c9 na\u00efve", ["uberfluss", "cafe", "naive"]),
        ("e\u0301te\u0301", ["ete"]),
        ("\u6771\u4eac\u30bf abc", ["\u6771", "\u4eac", "\u30bf", "abc"]),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", ["\u0939\u093f\u0928\u0926\u0940"]),
        ("x_y \u2474 \ud800!", ["x", "y", "1"]),
        ("", []),
    ],
    ids=ascii,
)
def test_a_text_gives_its_words(text, words):
    """Without case and accents; a script without spaces gives a word a character."""
    assert [word.text for word in words_of(text, stem_of("simple"))] == words


def test_a_word_knows_where_it_stands():
    """In the text as it was given."""
    text = "\u00c4pfel und \u6771\u4eac"
    assert [text[word.start : word.end] for word in words_of(text, stem_of("simple"))] == [
        "\u00c4pfel",
        "und",
        "\u6771",
        "\u4eac",
    ]


def test_an_index_takes_the_first_words_of_a_text():
    """So many, and so many characters, whatever somebody writes."""
    assert indexed_words("word " * 20_000).count("word") == 10_000
    assert len(indexed_words(("x" * 99 + " ") * 5_000)) < 100_001
    assert indexed_words(None) == indexed_words("!") == ""
    assert len(fold("x" * 500)) == len(fold("\ufdfa" * 500)) == 100


def test_a_language_cuts_words():
    """One that nobody knows is refused with those that are known."""
    pytest.importorskip("snowballstemmer")
    assert indexed_words("Printers printing", "english") == "printer print"
    assert languages()[0] == "simple"
    with pytest.raises(ValueError, match="german"):
        stem_of("klingon")
