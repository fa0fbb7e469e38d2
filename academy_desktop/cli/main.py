"""`academy`: builds the commands in the user's language, runs one, and turns its end into an exit code.

0 done; 1 an expected failure; 2 wrong usage; 130 interrupted. Anything else is a bug: logged with its
traceback, and shown as one.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from academy_desktop.cli import (
    considerate,
    data,
    demo,
    doctor,
    estimate,
    exports,
    jobs,
    models,
    recipes,
    rehearse,
    train,
    venom,
)
from academy_desktop.cli.screen import Screen
from academy_desktop.cli.session import Session
from academy_desktop.core.paths import APP_NAME
from academy_desktop.core.workshop import RESOURCES
from academy_desktop.text.language import Words
from trainers.errors import AcademyError

#: Options of `academy` itself; they may stand behind the command as well.
_FLAGS = frozenset({"--json", "--quiet", "--offline"})
_DATA_DIR = "--data-dir"
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    session = Session(Words.load(RESOURCES / "locale"))
    try:
        _application(session)(args=_hoisted(sys.argv[1:] if argv is None else argv), prog_name="academy")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except AcademyError as error:
        session.screen.failure(error.code, error.facts)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); Python must not try to flush it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # a bug, and shown as one
        session.screen.bug(error, _log_bug())
        return 1
    return 0


def _application(session: Session) -> typer.Typer:
    """Put the commands together."""
    _ = session.words.gettext
    app = typer.Typer(
        name="academy",
        help=_("Fine-tune a language model on this computer, prove the export, and keep every run."),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def academy(
        data_dir: Annotated[
            Path | None,
            typer.Option(help=_("Folder that holds datasets, models and runs."), envvar="ACADEMY_DATA_DIR"),
        ] = None,
        offline: Annotated[
            bool, typer.Option("--offline", help=_("Never use the network."), envvar="ACADEMY_OFFLINE")
        ] = False,
        json: Annotated[bool, typer.Option("--json", help=_("Print one JSON object on stdout."))] = False,
        quiet: Annotated[bool, typer.Option("--quiet", help=_("Show no progress."))] = False,
    ) -> None:
        session.begin(data_dir, offline, Screen(session.words, as_json=json, quiet=quiet))

    for group in (
        doctor,
        models,
        data,
        recipes,
        estimate,
        rehearse,
        train,
        jobs,
        exports,
        venom,
        demo,
        considerate,
    ):
        group.register(app, session)
    return app


def _hoisted(arguments: Sequence[str]) -> list[str]:
    """Move the options of `academy` in front of the command, wherever they were typed."""
    front: list[str] = []
    rest: list[str] = []
    given = list(arguments)
    while given:
        word = given.pop(0)
        if word == "--":
            rest += [word, *given]
            break
        if word in _FLAGS or word.startswith(f"{_DATA_DIR}="):
            front.append(word)
        elif word == _DATA_DIR and given:
            front += [word, given.pop(0)]
        else:
            rest.append(word)
    return front + rest


def _log_bug() -> Path:
    """Append the traceback to the log; returns the log's path."""
    path = platformdirs.user_log_path(APP_NAME, appauthor=False) / "academy.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as log:
        log.write(traceback.format_exc() + "\n")
    return path
