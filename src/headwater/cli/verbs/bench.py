"""``headwater bench``: hands its words to headwater.bench. Reads: bench/command_line.py."""

from __future__ import annotations

import click


@click.command("bench", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def command(words: tuple[str, ...]) -> int:
    """Run the benchmarks against their floors and peers; ``headwater bench --help`` lists the options."""
    from headwater.bench import WrongWords, main

    try:
        return main(words)
    except WrongWords as error:
        raise click.UsageError(str(error), click.get_current_context()) from error
