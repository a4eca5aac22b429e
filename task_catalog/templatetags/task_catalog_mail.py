"""What the templates of mails need and Django has not."""

from __future__ import annotations

from django import template

register = template.Library()
_FURTHER = "\n    "


@register.filter(is_safe=True)
def continued(value: object) -> str:
    """A value for the text of a mail: further lines are set in, so that none can be taken for a line of ours.

    What people type may begin a line with "Accept: https://..."; ours begin at the left.
    """
    return _FURTHER.join(line.rstrip() for line in str(value).splitlines())
