"""What all pages of the admin stand on: whose rows they show, that they count no more than they must, that changes are acts.

With django-unfold installed its own classes are below, so that pages, forms and actions look as the rest of that admin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property

from youtility_tasks import audit, membership
from youtility_tasks.errors import EnqueueError, NotAllowed, Refused
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import current_tenant

MOST_COUNTED = 10_000
"""Rows that a list counts, and so reaches by its page numbers; filters and searches reach the others."""

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
    _ActionForm = ActionForm
    _Paginator = Paginator[Any]
    _text_input = forms.TextInput
elif apps.is_installed("unfold"):
    from unfold.admin import ModelAdmin as _ModelAdmin
    from unfold.forms import ActionForm as _ActionForm
    from unfold.widgets import UnfoldAdminTextInputWidget as _text_input

    _Paginator = Paginator
else:
    # Django itself gives them no subscript; only the backport on Django 5.2 adds one.
    _ModelAdmin, _ActionForm, _Paginator, _text_input = admin.ModelAdmin, ActionForm, Paginator, forms.TextInput


class FewCounted(_Paginator):
    """Counts up to MOST_COUNTED rows: a list of millions opens as fast as one of ten."""

    @cached_property
    def count(self) -> int:
        """Of the rows there are, or MOST_COUNTED if there are more."""
        rows: Any = self.object_list
        return int(rows[:MOST_COUNTED].count())


def one_of(column: str, values: Iterable[str], title: str = "") -> type[admin.SimpleListFilter]:
    """A filter over values that are known: Django's own asks the table for all that there are."""
    known = [str(value) for value in values]

    class OneOf(admin.SimpleListFilter):
        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, value) for value in known]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            chosen = self.value()
            return queryset.filter(**{column: chosen}) if chosen in known else queryset

    OneOf.title, OneOf.parameter_name = title or column.replace("_", " "), column
    return OneOf


class OfTenant(_ModelAdmin):
    """The rows of the tenant that the person works for; all of them to who works for none and operates every tenant."""

    paginator = FewCounted
    show_full_result_count = False
    of_tenant = "tenant_id"
    """The column that says whose a row is."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found, here = super().get_queryset(request), current_tenant()
        if here is not None:
            return found.filter(self.belongs_to(here))
        return found if membership.is_ops(request.user) else found.none()

    def belongs_to(self, tenant_id: int) -> Q:
        """Which rows a tenant may look at."""
        return Q(**{self.of_tenant: tenant_id})


class ToLookAt(OfTenant):
    """No adding, changing or deleting."""

    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class FoundExactly(ToLookAt):
    """Searched by whole words, which an index finds: Django's own searches compare in capitals, and read every row."""

    found_by_id = "id"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        for word in search_term.replace("\x00", "").split()[:5]:
            which = Q()
            for column in self.search_fields:
                which |= Q(**{str(column): word})
            if word.isascii() and word.isdecimal() and len(word) < 19:
                which |= Q(**{self.found_by_id: int(word)})
            queryset = queryset.filter(which)
        return queryset, False


class OfTheHouse(ToLookAt):
    """Rows that are no tenant's: an operator's to see, and where the setting `roles` keeps tenants apart not the web's user's."""

    def belongs_to(self, tenant_id: int) -> Q:
        return Q()  # to nobody: who sees them at all sees them all

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        is_seen = roles.acting_as() is None and membership.is_ops(request.user)
        return is_seen and super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return roles.acting_as() is None and super().has_module_permission(request)


class WithReason(_ActionForm):
    """What is to be done with the rows that are ticked, and why."""

    because = forms.CharField(label="Reason", max_length=audit.LONGEST_REASON, required=False, widget=_text_input)


def reason_of(page: admin.ModelAdmin[Any], request: HttpRequest) -> str | None:
    """The reason beside an action that needs one; None, and told, when there is none."""
    because = request.POST.get("because", "").strip()[: audit.LONGEST_REASON]
    if not because:
        page.message_user(request, "Why? Give a reason beside the action: it is kept in the audit log.", messages.ERROR)
        return None
    return because


class ByActs(OfTenant):
    """Changes rows by the house's own acts, which ask for a role and enter who, what and why; their refusals are told."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        with membership.acting(request.user):
            try:
                return super().changeform_view(request, object_id, form_url, extra_context)
            except (Refused, EnqueueError) as refused:  # its transaction is rolled back by now
                tell_refusal(self, request, refused)
                return HttpResponseRedirect(request.get_full_path())


class Because(forms.Form):
    because = forms.CharField(
        label="Reason",
        max_length=audit.LONGEST_REASON,
        widget=_text_input,
        help_text="Why you change it: kept in the audit log with your name.",
    )


def tell_refusal(page: admin.ModelAdmin[Any], request: HttpRequest, refused: Refused | EnqueueError) -> None:
    """On the next page; one for want of a role is in the audit log, too."""
    if isinstance(refused, NotAllowed):
        membership.enter_refusal(refused)
    page.message_user(request, str(refused), messages.ERROR)


def act_on_each(
    page: admin.ModelAdmin[Any], request: HttpRequest, rows: Iterable[Any], act: Callable[[Any], str]
) -> None:
    """Do it to each as the person who asks, and tell what came of it."""
    for row in rows:
        try:
            with membership.acting(request.user):
                page.message_user(request, act(row), messages.SUCCESS)
        except (Refused, EnqueueError) as refused:
            tell_refusal(page, request, refused)
