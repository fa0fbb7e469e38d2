"""`academy recipe`: recipes as YAML files, made, checked and explained."""

from pathlib import Path
from typing import Annotated, Any

import typer

from academy_desktop.cli.session import Session
from academy_desktop.core.recipe_problems import Problem
from academy_desktop.core.recipe_yaml import dump_recipe
from academy_desktop.text.guide import GuideWords
from trainers.errors import AcademyError, ErrorCode, Fact
from trainers.layout import write_atomically
from trainers.recipe import Method, TrainRecipe


def register(app: typer.Typer, session: Session) -> None:
    """Add the group."""
    _ = session.words.gettext
    group = typer.Typer(help=_("Recipes: everything that a run needs, as YAML."), no_args_is_help=True)
    app.add_typer(group, name="recipe")

    @group.command(help=_("Write a recipe with every value resolved."))
    def init(
        dataset: Annotated[str, typer.Option(help=_("Id or name of a dataset."))],
        model: Annotated[str, typer.Option(help=_("Id, name or folder of a model."))],
        preset: Annotated[str, typer.Option(help=_("Which preset to begin with."))] = "balanced",
        name: Annotated[str, typer.Option(help=_("Name of the run."))] = "",
        method: Annotated[
            Method | None,
            typer.Option(help=_("What is learned; without it what fits the rows.")),
        ] = None,
        minutes: Annotated[
            float | None,
            typer.Option(help=_("How long it may take; passes and steps are chosen to fit."), min=1),
        ] = None,
        out: Annotated[Path | None, typer.Option(help=_("File to write; stdout without it."))] = None,
    ) -> None:
        recipes = session.workshop.recipes
        recipe = recipes.make(dataset, model, preset, name, method)
        fitted = recipes.fit(recipe, minutes * 60) if minutes is not None else None
        if fitted is not None:
            recipe = fitted.recipe
            words = GuideWords(_, session.words.formats)
            session.screen.note(words.fitted(fitted.outcome, fitted.facts))
        content = dump_recipe(recipe)
        if out is not None:
            _write(out, content)
        elif not session.screen.as_json:
            session.screen.raw(content.decode())
            return
        fields = {"ok": True, "problems": [], "path": str(out) if out else None}
        fields["recipe"] = recipe.model_dump(mode="json")
        session.screen.answer(fields, _("Written to {path}.").format(path=out))

    @group.command(help=_("Name every problem of a recipe, with its line."))
    def check(file: Annotated[Path, typer.Argument(help=_("The recipe."))]) -> None:
        problems = session.workshop.recipes.check(file)
        if not problems:
            session.screen.answer({"ok": True, "problems": []}, _("This recipe can be run."))
            return
        named = [_fields(session, problem) for problem in problems]
        fields = {"ok": False, "problems": named}
        if session.screen.as_json:
            first = problems[0]
            facts: dict[str, Fact] = {"path": str(file), "line": first.line, "key": first.path or None}
            session.screen.failure(ErrorCode.RECIPE_INVALID, facts, fields)
        else:
            lines = [f"{file}:{one['line']}: {one['message']}" for one in named]
            session.screen.answer(fields, "\n".join(lines))
        raise typer.Exit(1)

    @group.command(help=_("Print every key with its default, bounds and meaning (JSON Schema)."))
    def schema() -> None:
        session.screen.line(TrainRecipe.model_json_schema())


def _fields(session: Session, problem: Problem) -> dict[str, Any]:
    message = session.words.findings.problem(problem.code, problem.facts)
    return {
        "path": problem.path,
        "line": problem.line,
        "code": problem.code,
        "message": message,
        "nearest": problem.facts.get("nearest"),
    }


def _write(path: Path, content: bytes) -> None:
    if path.exists():
        raise AcademyError(ErrorCode.OUTPUT_EXISTS, path=str(path))
    try:
        write_atomically(path, content)
    except OSError as error:
        detail = error.strerror or str(error)
        raise AcademyError(ErrorCode.OUTPUT_NOT_WRITABLE, path=str(path), detail=detail) from error
