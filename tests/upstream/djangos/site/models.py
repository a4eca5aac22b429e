"""A page that is searched, with a picture."""

from django.db import models
from wagtail.models import Page
from wagtail.search import index


class SitePage(Page):
    body = models.TextField(default="")
    picture = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    search_fields = [*Page.search_fields, index.SearchField("body")]
