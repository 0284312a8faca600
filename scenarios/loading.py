"""From a name or a path to a platform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from pydantic import Field

from router_core.errors import BadInputError
from router_core.platform import Platform
from scenarios.changes import changed
from scenarios.composition import build_composition
from scenarios.explicit import build_explicit
from scenarios.levels import build_levels
from scenarios.model import Model, Text, Titles
from scenarios.model_composition import CompositionModel
from scenarios.model_explicit import ExplicitModel
from scenarios.model_levels import LevelsModel
from scenarios.reading import BUNDLED, Document, read_document, validated

SCHEMA: Final = 1
CHANGES: Final = "changes"
_TITLE_KEYS: Final = ("name", "title_en", "title_zh")


def names() -> tuple[str, ...]:
    """Names of the bundled scenarios; the first is the default."""
    return BUNDLED


def titles(name_or_path: str) -> tuple[str, str]:
    """Return a scenario's English and Chinese title without building it.

    Raises
    ------
    BadInputError
        If the file cannot be read, or its first keys break a rule.
    """
    document = read_document(name_or_path)
    try:
        head = validated(Titles, {key: document.data[key] for key in _TITLE_KEYS if key in document.data})
    except BadInputError as error:
        raise document.own(error) from None
    return head.title_en, head.title_zh


def load(name_or_path: str, changes: Sequence[str] = ()) -> Platform:
    """Return the platform of a bundled scenario or of a TOML file.

    Parameters
    ----------
    name_or_path : str
        One of `names()`, or the path of a TOML file.
    changes : sequence of str
        Changes of it, such as ``demand x1.2``, made in this order (`scenarios.changes`); the platform then is a
        `ChangedPlatform`, unless they come to nothing.

    Raises
    ------
    BadInputError
        For the first thing that is wrong, naming file, key path, rule and value; nothing is built then.
    """
    document = read_document(name_or_path)
    platform = _built(document)
    try:
        own = validated(_ChangesModel, {key: document.data[key] for key in document.data.keys() & {CHANGES}}).changes
        result = changed(platform, own) if own else platform
    except BadInputError as error:
        raise document.own(error) from None
    if not own or not changes:
        return changed(result, changes) if changes else result
    return changed(platform, [*own, *changes])


class _ChangesModel(Model):
    """The key `changes`, which a file of any form may have."""

    changes: list[Text] = Field(default_factory=list)


def _built(document: Document) -> Platform:
    """Build a document as if it had no changes."""
    document = replace(document, data={key: value for key, value in document.data.items() if key != CHANGES})
    if document.base is not None:
        _built(document.base)  # what is wrong there is the base's fault, and said so
    try:
        return _FORMS[_form(document)](document)
    except BadInputError as error:
        raise document.own(error) from None


def _form(document: Document) -> str:
    schema = document.data.get("schema", "nothing")
    if type(schema) is not int or schema != SCHEMA:
        raise BadInputError("schema", f"must be {SCHEMA}, the version of the format that this program reads", schema)
    form = document.data.get("form", "nothing")
    if not isinstance(form, str) or form not in _FORMS:
        raise BadInputError("form", f"must be one of {', '.join(_FORMS)}", form)
    return form


def _levels(document: Document) -> Platform:
    return build_levels(validated(LevelsModel, document.data))


def _explicit(document: Document) -> Platform:
    return build_explicit(validated(ExplicitModel, document.data))


def _composition(document: Document) -> Platform:
    model = validated(CompositionModel, document.data)
    try:
        template = read_document(model.template, document.folder)
    except BadInputError as error:
        if error.place != "scenario":
            raise
        raise BadInputError("template", error.rule, error.value) from None
    if template.data.get("form") == "composition":
        raise BadInputError("template", "must not be a composition itself", model.template)
    return build_composition(model, _built(template))


_FORMS: Final[dict[str, Callable[[Document], Platform]]] = {
    "levels": _levels,
    "explicit": _explicit,
    "composition": _composition,
}
