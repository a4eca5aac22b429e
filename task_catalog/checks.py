"""Mistakes in `TASK_CATALOG` found by `manage.py check` before a worker starts, each with an id and a hint.

E001 a setting that cannot work - E002 a model that is not installed - E003 a field that is missing -
E004 a field that holds something else - E005 a dotted path that leads nowhere - E006 a hook of the control room on a
field that is not there - E007 another table than the one that is meant - W001 a component that is named and cannot
work, mostly for want of an extra - W002 a system library is missing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from ctypes.util import find_library
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.utils.module_loading import import_string

from youtility_tasks import errors

from .conf import Settings, catalog
from .expected_fields import ENTITIES, KINDS, OPTIONAL, Expected
from .extras import MissingExtra, is_installed
from .likeness import field_like, fields_of, line_for, model_like
from .ports import pdf

_MANY_FIELDS = 5
_DOTTED_PATHS = (
    *("clock", "route_provider"),
    # permits
    "pdf_renderer",
    # mobile
    "graphql_executor",
    # outside
    *("mqtt_publisher", "blob_store", "face_verifier"),
)


@register("youtility_tasks")  # what a worker asks before it starts, too
def check_task_catalog(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Everything that is wrong with `TASK_CATALOG` and the models it maps; asks no database."""
    try:
        settings = catalog()
    except errors.ConfigurationError as error:
        return [Error(str(error), hint="Correct TASK_CATALOG in the Django settings.", id="task_catalog.E001")]
    return [
        *_mapping_mistakes(settings),
        *_path_mistakes(settings),
        *_missing_for_documents(settings),
        *_schema_mistakes(settings),
        *_hook_mistakes(settings),
        *_flaws(settings, "graphql_executor", used=True),
        *_flaws(settings, "mqtt_publisher", used=bool(settings.mqtt_host)),
        *_flaws(settings, "blob_store", used=bool(settings.media_bucket)),
        *_flaws(settings, "face_verifier", used=bool(settings.face_verifier)),
    ]


def _mapping_mistakes(settings: Settings) -> Iterator[CheckMessage]:
    installed = {model._meta.label.lower(): model for model in apps.get_models()}
    for logical, path in settings.models.items():
        model = installed.get(path.lower())
        if model is not None:
            another = _another_model(settings, logical, model, installed.values())
            if another is not None:
                yield another  # its fields would all be missing, one by one
                continue
            for field, expected in ENTITIES[logical].items():
                if settings.models.get(expected.target, path).lower() in installed:  # else E002 says it once
                    yield from _field_mistakes(settings, logical, model, field, expected)
        elif logical not in OPTIONAL:
            labels = sorted(each._meta.label for each in installed.values())
            yield Error(
                f"TASK_CATALOG['models'][{logical!r}] is {path!r}, which is no installed model.",
                hint=f"Map {logical!r} to your own table, or add the app to INSTALLED_APPS."
                + errors.did_you_mean(path, labels)
                + _has_the_fields(settings, logical, installed.values()),
                id="task_catalog.E002",
            )


def _another_model(
    settings: Settings, logical: str, model: type[Model], installed: Iterable[type[Model]]
) -> CheckMessage | None:
    """The mistake of a model that lacks most fields, when another one has them."""
    wanted = ENTITIES[logical]
    count = fields_of(model, wanted)
    if count * 2 > len(wanted) or len(wanted) < _MANY_FIELDS:
        return None
    meant = _has_the_fields(settings, logical, installed)
    if not meant:
        return None
    lacks = [name for name in wanted if name != "id" and name not in {each.name for each in model._meta.get_fields()}]
    return Error(
        f"{model._meta.label}, mapped as {logical!r}, has {count} of the {len(wanted)} fields that are needed; it lacks "
        f"{', '.join(lacks[:_MANY_FIELDS])}{', ...' if len(lacks) > _MANY_FIELDS else ''}.",
        hint=f"It seems to be another table.{meant}",
        obj=model,
        id="task_catalog.E007",
    )


def _has_the_fields(settings: Settings, logical: str, installed: Iterable[type[Model]]) -> str:
    """Which model has the fields of a table, and what to write; nothing where none has."""
    found = model_like(logical, installed, not_=[settings.models[logical]])
    if found is None:
        return ""
    label, count = found
    return (
        f" {label} has {count} of its {len(ENTITIES[logical])} fields. If that is it, write in the Django settings: "
        f'TASK_CATALOG = {{"models": {{"{logical}": "{label}", ...}}, ...}}.'
    )


def _field_mistakes(
    settings: Settings, logical: str, model: type[Model], name: str, expected: Expected
) -> Iterator[CheckMessage]:
    wanted = _wanted(settings, expected)
    try:
        field = model._meta.pk if name == "id" else model._meta.get_field(name)
    except FieldDoesNotExist:
        yield Error(
            f"{model._meta.label}, mapped as {logical!r}, has no field {name!r}.",
            hint=f"Right is {name!r}, {wanted}. {_instead(settings, logical, model, name, expected)}",
            obj=model,
            id="task_catalog.E003",
        )
        return
    if expected.kind == "place":
        return
    given = field.get_internal_type() if hasattr(field, "get_internal_type") else type(field).__name__
    if given not in KINDS[expected.kind]:
        yield Error(
            f"{model._meta.label}.{name}, mapped as {logical}.{name}, is a {given}.",
            hint=f"Right is {wanted}. Map a model whose field {name!r} has that type.",
            obj=model,
            id="task_catalog.E004",
        )
    elif expected.kind == "reference" and not _points_to(field.related_model, settings.models[expected.target]):
        label = getattr(getattr(field.related_model, "_meta", None), "label", field.related_model)
        yield Error(
            f"{model._meta.label}.{name}, mapped as {logical}.{name}, points to {label}.",
            hint=f"Right is {wanted}. Map {expected.target!r} to {label!r}, or {logical!r} to another model.",
            obj=model,
            id="task_catalog.E004",
        )


def _instead(settings: Settings, logical: str, model: type[Model], name: str, expected: Expected) -> str:
    """What looks like a missing field, and what to write where."""
    target = settings.models.get(expected.target, "")
    like = field_like(model, logical, name, expected, target)
    where = (
        f"Map a model of your own (managed = False, db_table = {model._meta.db_table!r}) in "
        f"TASK_CATALOG['models'][{logical!r}]"
    )
    if like is None:
        return (
            f"If the column has another name: {where}, whose field is called {name!r} with db_column= the real name. If there is "
            "none, add it."
        )
    return (
        f"{model._meta.label}.{like.name}, a {type(like).__name__}, looks like it. If it is: {where}, with the line "
        f"`{line_for(name, like, target)}`."
    )


def _points_to(related: object, path: str) -> bool:
    return isinstance(related, type) and issubclass(related, Model) and related._meta.label_lower == path.lower()


def _wanted(settings: Settings, expected: Expected) -> str:
    if expected.kind == "reference":
        return f"a foreign key to {settings.models[expected.target]} ({expected.target})"
    if expected.kind == "place":
        return "a field that holds a place"
    return f"one of {', '.join(sorted(KINDS[expected.kind]))}"


def _hook_mistakes(settings: Settings) -> Iterator[CheckMessage]:
    """Fields that the control room is to be told of and that their table lacks."""
    installed = {model._meta.label.lower(): model for model in apps.get_models()}
    for logical, hooked in settings.noc_hooks.items():
        model = installed.get(settings.models[logical].lower())
        names = [] if model is None else [each.name for each in model._meta.concrete_fields]
        for name in hooked if model is not None else ():
            if name not in names:
                yield Error(
                    f"TASK_CATALOG['noc_hooks'][{logical!r}] lists {name!r}, which {model._meta.label if model else ''} has not.",
                    hint=f"Known: {', '.join(names)}.{errors.did_you_mean(name, names)}",
                    obj=model,
                    id="task_catalog.E006",
                )


def _flaws(settings: Settings, name: str, *, used: bool) -> Iterator[CheckMessage]:
    """What a component's class says of itself (`flaw()`); only of one that is in use."""
    if not used:
        return
    try:
        flaw = getattr(import_string(getattr(settings, name)), "flaw", lambda: None)()
    except ImportError:  # E005 says it
        return
    if flaw:
        yield Warning(
            f"TASK_CATALOG[{name!r}] is {getattr(settings, name)!r}, which cannot work: {flaw}.",
            hint="Its task fails until this is mended.",
            id="task_catalog.W001",
        )


def _path_mistakes(settings: Settings) -> Iterator[CheckMessage]:
    for name in _DOTTED_PATHS:
        path = getattr(settings, name)
        if not path:
            continue
        try:
            import_string(pdf.RENDERERS.get(path, path) if name == "pdf_renderer" else path)
        except ImportError as error:
            yield Error(
                f"TASK_CATALOG[{name!r}] is {path!r}, which cannot be imported: {error}.",
                hint="Right is the dotted path of a class, 'package.module.Class'.",
                id="task_catalog.E005",
            )


def _missing_for_documents(settings: Settings) -> Iterator[CheckMessage]:
    renderer = settings.pdf_renderer
    if renderer in pdf.RENDERERS and not is_installed(renderer):
        missing = MissingExtra(f"TASK_CATALOG['pdf_renderer'] = {renderer!r}", renderer, "reports")
        yield Warning(
            f"No PDF can be made: {missing}", hint="Until then, tasks that make one fail.", id="task_catalog.W001"
        )
    elif renderer == "weasyprint" and find_library("pango-1.0") is None:
        yield Warning(
            "weasyprint finds no library pango, so PDFs are made by typst, in a plain look.",
            hint=f"Install it: {pdf.PANGO}. Or be content and set TASK_CATALOG['pdf_renderer'] = 'typst'.",
            id="task_catalog.W002",
        )
    if not is_installed("css_inline"):
        missing = MissingExtra("Putting the styles of mails into their elements", "css_inline", "reports")
        yield Warning(
            str(missing), hint="Until then, mail programs that drop <style> show plain text.", id="task_catalog.W001"
        )
    if not is_installed("xlsxwriter"):
        missing = MissingExtra("Writing reports as xlsx", "xlsxwriter", "reports")
        yield Warning(str(missing), hint="Until then, reports come in other formats.", id="task_catalog.W001")


def _schema_mistakes(settings: Settings) -> Iterator[CheckMessage]:
    """Looks for the schema's module and does not import it: a schema is slow to make."""
    module = settings.graphql_schema.rpartition(".")[0]
    try:
        found = bool(module) and importlib.util.find_spec(module) is not None
    except ImportError:
        found = False
    if not found:
        yield Error(
            f"TASK_CATALOG['graphql_schema'] is {settings.graphql_schema!r}, which cannot be imported.",
            hint="Right is the dotted path of a schema, 'package.module.schema'.",
            id="task_catalog.E005",
        )
