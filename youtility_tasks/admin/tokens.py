"""Tokens of the HTTP API in Django's admin: made by `tokens.create`, shown once, revoked by an action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.forms.models import construct_instance
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from youtility_tasks import membership, tokens
from youtility_tasks.errors import Refused
from youtility_tasks.models import ApiToken

from .doors import Because, ByActs, tell_refusal

if TYPE_CHECKING:
    _TokenForm = forms.ModelForm[ApiToken]
else:
    _TokenForm = forms.ModelForm


class TokenForm(Because, _TokenForm):
    """Whose it will be, for what, for how long, and why."""

    days = forms.IntegerField(min_value=1, max_value=tokens.LONGEST_DAYS, initial=tokens.USUAL_DAYS)

    class Meta:
        model = ApiToken
        fields = ["user", "name", "tenant", "role"]

    def _post_clean(self) -> None:
        # The call that makes it checks it.
        self.instance = construct_instance(self, self.instance, self._meta.fields)


@admin.register(ApiToken)
class ApiTokenAdmin(ByActs):
    """A token is made and revoked, never changed; what opens the door is on one page, once."""

    form = TokenForm  # type: ignore[assignment]
    list_display = ["id", "name", "username", "tenant_id", "role", "expires_at", "last_used_at", "revoked_at"]
    search_fields = ["name", "=username"]
    ordering = ["-id"]
    raw_id_fields = ["user"]
    exclude = ["digest"]
    actions = ["revoke"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("digest")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["user", "name", "tenant", "role", "days", "because"]
        return [each.name for each in ApiToken._meta.fields if each.name not in ("digest", "user")]

    def save_model(self, request: HttpRequest, obj: Any, form: forms.Form, change: bool) -> None:
        said = form.cleaned_data
        made, text = tokens.create(
            obj.user,
            obj.name,
            tenant_id=obj.tenant_id,
            role=obj.role or None,
            days=said["days"],
            reason=said["because"],
        )
        obj.pk, obj._shown_once = made.pk, text

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        # Not as a message, which a session or a cookie would keep until the next page.
        context = {
            **self.admin_site.each_context(request),
            "title": "A new token",
            "token": obj,
            "text": obj._shown_once,
        }
        shown = TemplateResponse(request, "admin/youtility_tasks/apitoken/shown_once.html", context)
        shown.headers["Cache-Control"] = "no-store"
        return shown

    @admin.action(description="Revoke", permissions=["add"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        """Let the chosen ones open nothing any more."""
        with membership.acting(request.user):
            for each in chosen:
                try:
                    tokens.revoke(each.pk, "by the admin")
                except Refused as refused:
                    tell_refusal(self, request, refused)
                else:
                    self.message_user(request, f"The {each} opens nothing any more.", messages.SUCCESS)
