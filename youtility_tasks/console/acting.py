"""The one way to change anything from a page: an act says what it will touch, asks what it must, then does it and is audited.

Its address `acts/NAME/?...` answers GET with that (in a dialog, or as a page of its own without scripts), and POST by doing it. The
functions it calls write the audit log in the transaction of the change, and refuse who may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from youtility_tasks import audit, membership, problems
from youtility_tasks.errors import NotAllowed
from youtility_tasks.problems import Problem
from youtility_tasks.visits import For, entered

from .door import came_from, enter_look, guarded, reading, spoken
from .rendering import rendered
from .visit import Shown, Visit


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an act would do, said before it does it."""

    title: str
    """A question: "Cancel job 88120?"."""
    touches: tuple[str, ...]
    """Sentences: what it will change, and what it will not."""
    back: str = ""
    """The page it leads back to, if the visitor came from nowhere."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an act has done."""

    sentence: str
    to: str = ""
    """The page to go to, if not where the visitor came from."""


class Form(forms.Form):
    """The fields of an act that its visitor fills in."""

    use_required_attribute = True
    layout: ClassVar[str] = "youtility_tasks/console/fields.html"
    """The template that lays them out."""
    styles: ClassVar[str] = ""
    """What that needs beside the console's own style sheet."""

    def place(self, error: Exception) -> str | None:
        """The field that an error of `run` is about; None: it is said above the form."""
        return None


class Act:
    """One act; subclass it, and put the class into the table with `@act`."""

    name: ClassVar[str]
    """In its address: "retry-job"."""
    needs: ClassVar[str]
    """Of `membership.NEEDS`."""
    label: ClassVar[str]
    """On its button."""
    confirm: ClassVar[str] = ""
    """On the button that does it; the label unless given."""
    hurts: ClassVar[bool] = False
    """Whether something is lost by it: the button is red, and a reason must be given."""
    asks_reason: ClassVar[bool] = True
    scope: ClassVar[For] = For.TENANT_OR_OPS
    one_transaction: ClassVar[bool] = True
    """Whether all it does is one transaction, whose statements have a limit of time."""
    Target: type[forms.Form] = forms.Form
    """What it is done to: fields of the address, hidden in the form."""
    Fields: type[Form] = Form
    """What the visitor fills in, beside the reason."""

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """What it would touch. Raises Refused if it cannot be done (any more)."""
        raise NotImplementedError

    def initial(self, visit: Visit, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the fields say at first."""
        return {}

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """Do it. Raises what the house raises: Refused, NotAllowed, an EnqueueError; the form shows it."""
        raise NotImplementedError


ACTS: dict[str, Act] = {}


def act(kind: type[Act]) -> type[Act]:
    """Put an act into the table."""
    if kind.needs not in membership.NEEDS or kind.name in ACTS:
        raise ValueError(f"The act {kind.name!r} needs {kind.needs!r}, or is there already.")
    ACTS[kind.name] = kind()
    return kind


# -- its address


class _Reason(forms.Form):
    reason = forms.CharField(
        required=False, max_length=audit.LONGEST_REASON, strip=True,
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off"}),
        help_text="Why, for the audit log and for whoever comes next.",
    )  # fmt: skip

    def __init__(self, *given: Any, must: bool, **named: Any) -> None:
        super().__init__(*given, **named)
        self.fields["reason"].required = must


def view_of(act: Act) -> Any:
    """The view of one act."""

    def answer(request: HttpRequest, visit: Visit) -> HttpResponse:
        return _done(request, visit, act) if request.method == "POST" else _proposed(request, visit, act)

    return guarded(act.scope, answer, methods=("GET", "HEAD", "POST"))


def _target(act: Act, given: Any) -> dict[str, Any]:
    form = act.Target(given)
    if not form.is_valid():
        said = " ".join(f"{name}: {' '.join(map(str, errors))}" for name, errors in form.errors.items())
        raise Problem(
            422, "wrong-target", "That cannot be meant", f"It is not said rightly what this is to be done to. {said}"
        )
    return form.cleaned_data


def _may(visit: Visit, act: Act) -> None:
    if not visit.may(act.needs):
        membership.allow(act.needs, visit.tenant_id)  # whose words say what it takes
        raise NotAllowed(f"You may not {act.needs} here.")


def _proposed(request: HttpRequest, visit: Visit, act: Act) -> HttpResponse:
    with reading(visit, act.scope):
        _may(visit, act)
        target = _target(act, request.GET)
        proposal = act.proposal(visit, target)
        fields = act.Fields(initial=dict(act.initial(visit, target)))
        return _asked(request, visit, act, target, proposal, fields, _reason(act))


def _reason(act: Act, given: Any = None) -> _Reason | None:
    return _Reason(given, must=act.hurts) if act.asks_reason else None


def _asked(
    request: HttpRequest,
    visit: Visit,
    act: Act,
    target: Mapping[str, Any],
    proposal: Proposal,
    fields: forms.Form,
    reason: forms.Form | None,
    *,
    refused: str = "",
    is_over: bool = False,
    status: int = 200,
) -> HttpResponse:
    given = request.POST if request.method == "POST" else request.GET
    hidden = [(name, value) for name in act.Target.base_fields for value in given.getlist(name)]
    context = {
        "act": act, "proposal": proposal, "fields": fields, "reason": reason, "hidden": hidden, "refused": refused, "is_over": is_over,
        "next": _next(request, visit, proposal.back), "confirm": act.confirm or act.label,
        "address": visit.to(f"act-{act.name}"),
    }  # fmt: skip
    template = "act_part.html" if visit.part else "act.html"
    return rendered(request, Shown(template, proposal.title, context, status), visit)


def _done(request: HttpRequest, visit: Visit, act: Act) -> HttpResponse:
    with entered(visit.place, visit.user):
        _may(visit, act)  # before what is wrong with the form, which is none of theirs who may not
    target = _target(act, request.POST)
    fields, reason = act.Fields(request.POST), _reason(act, request.POST)
    fits = fields.is_valid() and (reason is None or reason.is_valid())
    refused = ""
    if fits:
        given = {**target, **fields.cleaned_data}
        why = reason.cleaned_data["reason"] if reason is not None else ""
        try:
            done = _run(visit, act, given, why)
        except NotAllowed:
            raise
        except Exception as error:
            refused = _refusal(error)
            at_field = fields.place(error)
            if at_field is not None:
                fields.add_error(at_field, refused)
                refused = ""
        else:
            messages.success(request, done.sentence, fail_silently=True)
            response = HttpResponseRedirect(done.to or _next(request, visit, ""))
            response.status_code = 303
            return response
    with reading(visit, act.scope):
        is_over, status = False, 409 if refused else 422
        try:
            proposal = act.proposal(visit, target)
        except Exception as error:  # it has moved on in the meantime: there is nothing left to ask
            proposal, refused, is_over = Proposal(f"{act.label}?", ()), refused or _refusal(error), True
        return _asked(
            request, visit, act, target, proposal, fields, reason, refused=refused, is_over=is_over, status=status
        )  # fmt: skip


def _run(visit: Visit, act: Act, given: Mapping[str, Any], reason: str) -> Done:
    with reading(visit, act.scope) if act.one_transaction else entered(visit.place, visit.user):
        membership.allow(act.needs, visit.tenant_id)
        if act.one_transaction:
            enter_look(visit)
        return act.run(visit, given, reason)


def _refusal(error: Exception) -> str:
    """What the form says of an error; what is no refusal of an act is no business of the form's."""
    problem = spoken(problems.of(error))
    if problem.status in (404, 409, 422):
        return problem.detail
    raise error


def _next(request: HttpRequest, visit: Visit, back: str) -> str:
    """Where the visitor came from, if that is one of our pages."""
    return came_from(request) or back or visit.to("overview")
