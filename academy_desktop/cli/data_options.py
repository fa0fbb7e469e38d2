"""The options that several commands of `academy data` take: each is declared here, once.

Typer reads them where a command is defined, so they are made with the words of the session.
"""

from collections.abc import Callable
from typing import Any

import typer

from academy_desktop.core.datasets.forms import Form

FORMATS = ("auto", *(form.value for form in Form))


def form_option(_: Callable[[str], str]) -> Any:
    """`--format`: which form the rows have."""
    return typer.Option("--format", help=_("Form of the rows."), metavar="|".join(FORMATS))


def columns_option(_: Callable[[str], str]) -> Any:
    """`--map`: which column is which."""
    said = _("Which column is which; FIELD= leaves a field out; may be repeated.")
    return typer.Option("--map", metavar="FIELD=COLUMN", help=said)


def profile_option(_: Callable[[str], str]) -> Any:
    """`--profile`: how picky the checks are."""
    return typer.Option(help=_("How strictly rows are checked."))


def encoding_option(_: Callable[[str], str]) -> Any:
    """`--encoding`: of text files."""
    return typer.Option(help=_("How text files are encoded, if their first bytes do not say it."))


def name_option(_: Callable[[str], str]) -> Any:
    """`--name`: what the dataset is called."""
    return typer.Option(help=_("Name of the dataset."))


def share_option(_: Callable[[str], str]) -> Any:
    """`--eval`: how many rows are never learned from."""
    return typer.Option("--eval", min=0.0, max=0.9, help=_("Share of the rows that is held out."))


def seed_option(_: Callable[[str], str]) -> Any:
    """`--seed`: which rows those are."""
    return typer.Option(help=_("Decides which rows are held out."))
