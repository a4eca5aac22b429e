"""Finds the people who decide on a form, by their codes, in the form's own client, and makes their answer links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from task_catalog import entities
from task_catalog.forms import Form
from task_catalog.replies import ACCEPTED, REJECTED, Reply, link
from task_catalog.rules.permits import Decider
from task_catalog.rules.recipients import valid_addresses

if TYPE_CHECKING:
    from task_catalog.facility.models import People


@dataclass(frozen=True, slots=True)
class Found:
    """People, each once, and a word on each code behind which nobody was found."""

    people: tuple[People, ...]
    warnings: tuple[str, ...] = ()

    def with_address(self) -> Found:
        """Those who can be written to."""
        checked = [(person, valid_addresses([person.email])) for person in self.people]
        words = [f"{person.peoplecode}: {word}" for person, address in checked for word in address.warnings]
        return Found(tuple(person for person, address in checked if address.addresses), (*self.warnings, *words))


def find(wanted: Sequence[Decider], form: Form, *, also_disabled: bool = False) -> Found:
    """The people of the form's client behind some codes; one query, however many there are.

    A code is unique per site only. If several people of the client have it, the one of the stored name is meant, else
    the one of the form's site, else the one of the client itself; if that leaves several, none of them is taken:
    better a failed job than an invitation to the wrong person (D22).
    """
    row = form.row
    enabled = {} if also_disabled else {"enable": True}
    codes = {each.code for each in wanted}
    by_code: dict[str, list[People]] = defaultdict(list)
    for person in (
        entities.Person.objects.filter(client_id=row.client_id, peoplecode__in=codes, **enabled)
        .exclude(pk=entities.none_id())
        .order_by("pk")
    ):
        by_code[person.peoplecode].append(person)
    people: dict[int, People] = {}
    warnings = []
    for each in wanted:
        meant = _meant(each, by_code[each.code], [row.bu_id, row.client_id])
        if len(meant) == 1:
            people[meant[0].pk] = meant[0]
        elif meant:
            warnings.append(f"{len(meant)} people of this client have the code {each.code!r}; none of them was taken")
        else:
            warnings.append(f"no enabled person of this client has the code {each.code!r}")
    return Found(tuple(people.values()), tuple(warnings))


def links(step: str, womid: object, person: People, *, path: str) -> dict[str, str]:
    """The two answers that a person may give, for a template."""
    return {
        action: link(
            Reply(step=step, womid=str(womid), peopleid=person.pk, client_id=person.client_id or 0, action=action),
            path=path,
        )
        for action in (ACCEPTED, REJECTED)
    }


def _meant(wanted: Decider, same_code: list[People], units: Sequence[int | None]) -> list[People]:
    narrowed = [each for each in same_code if wanted.name and each.peoplename == wanted.name] or same_code
    for unit in units:
        if len(narrowed) > 1:
            narrowed = [each for each in narrowed if each.bu_id == unit] or narrowed
    return narrowed
