"""A client and everything below it: which units a report may look at, and what they are called."""

from __future__ import annotations

from task_catalog import entities
from youtility_tasks import BadInput

_DEEPEST = 10


class Units:
    """The client's tree of business units, read level by level (two or three questions)."""

    def __init__(self, client_id: int) -> None:
        self.client_id = client_id
        self.names: dict[int, str] = dict(
            entities.BusinessUnit.objects.filter(pk=client_id).values_list("pk", "buname")
        )
        self._children: dict[int, list[int]] = {}
        level = list(self.names)
        for _ in range(_DEEPEST):
            found = (
                entities.BusinessUnit.objects.filter(parent_id__in=level)
                .exclude(pk=entities.none_id())
                .order_by("buname", "pk")
                .values_list("pk", "parent_id", "buname")
            )
            level = []
            for pk, parent_id, name in found:
                if pk not in self.names and parent_id is not None:
                    self.names[pk] = name
                    self._children.setdefault(parent_id, []).append(pk)
                    level.append(pk)
            if not level:
                break

    def below(self, unit_id: int) -> tuple[int, ...]:
        """The unit and all below it: a site alone, or for the client itself everything.

        Raises BadInput for a unit of nobody or of another client.
        """
        if unit_id not in self.names:
            raise BadInput(f"site is {unit_id}, which is no site of client {self.client_id}.")
        found = [unit_id]
        for unit in found:
            found.extend(self._children.get(unit, ()))
        return tuple(found)

    def of_group(self, group_id: int) -> tuple[int, ...]:
        """The client's sites in a group of sites. Raises BadInput for an unknown group, and for one without any."""
        is_mine = entities.Group.objects.filter(pk=group_id, client_id=self.client_id)
        if entities.is_none(group_id) or not is_mine.exists():
            raise BadInput(f"sitegroup is {group_id}, which is no group of client {self.client_id}.")
        members = (
            entities.GroupMember.objects.filter(pgroup_id=group_id, client_id=self.client_id)
            .exclude(entities.points_nowhere("assignsites"))
            .order_by("pk")
            .values_list("assignsites_id", flat=True)
        )
        sites = tuple(dict.fromkeys(pk for pk in members if pk in self.names))
        if not sites:
            raise BadInput(f"sitegroup {group_id} has no site of client {self.client_id}.")
        return sites
