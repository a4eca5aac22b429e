"""What somebody with SQL in the session of tenant A tries; each attack fails by an assertion where it gets anywhere.

They are functions, so that the same ones run against a house as it should be and against houses that lack one guard.
"""

from __future__ import annotations

from .acts import (
    comes_due_at_no_time,
    redrives_into_the_locks_of_another,
    starts_what_cannot_go_on,
    uses_up_the_requests_of_another,
    writes_what_nobody_can_read,
)
from .guards import (
    becomes_another_role,
    calls_what_is_not_for_him,
    forges_a_token,
    leaves_a_table_behind,
    reads_the_keys,
    stands_in_for_tables,
    switches_the_guards_off,
)
from .jobs import (
    acts_on_jobs_of_another,
    enqueues_for_another,
    enqueues_for_nobody,
    pushes_in,
    sets_more_than_a_claim_can_lock,
    stops_every_claim,
    takes_ids_that_others_will_draw,
    takes_the_locks_of_another,
)
from .oracles import asks_by_trying_which_ids_there_are, learns_of_keys, listens, reads_the_statistics
from .parts import (
    an_operator_reads_what_is_the_tenants,
    the_exporter_sees_rows,
    the_owner_looks_around,
    the_worker_goes_beyond_the_queue,
)
from .rows import (
    changes_rows,
    copies_in,
    copies_out,
    divides_by_zero,
    empties_tables,
    goes_back_to_a_savepoint,
    keeps_a_plan,
    looks_through_a_function,
    moves_rows,
    reads,
    reads_as_a_sweep,
    reads_in_a_roundabout_way,
    reads_without_a_tenant,
)
from .settings_of_people import (
    meddles_with_what_people_set,
    reaches_for_the_house,
    says_how_much_it_is_worth,
    writes_yesterdays_acts,
)
from .ways import Attack

AS_TENANT: tuple[Attack, ...] = (
    reads,
    reads_without_a_tenant,
    reads_as_a_sweep,
    reads_in_a_roundabout_way,
    copies_out,
    copies_in,
    looks_through_a_function,
    divides_by_zero,
    changes_rows,
    moves_rows,
    enqueues_for_another,
    enqueues_for_nobody,
    takes_the_locks_of_another,
    takes_ids_that_others_will_draw,
    asks_by_trying_which_ids_there_are,
    leaves_a_table_behind,
    listens,
    reads_the_statistics,
    learns_of_keys,
    forges_a_token,
    becomes_another_role,
    switches_the_guards_off,
    reads_the_keys,
    stands_in_for_tables,
    calls_what_is_not_for_him,
    acts_on_jobs_of_another,
    starts_what_cannot_go_on,
    redrives_into_the_locks_of_another,
    comes_due_at_no_time,
    uses_up_the_requests_of_another,
    writes_what_nobody_can_read,
    meddles_with_what_people_set,
    empties_tables,
    reaches_for_the_house,
    says_how_much_it_is_worth,
    stops_every_claim,
    sets_more_than_a_claim_can_lock,
    pushes_in,
    writes_yesterdays_acts,
    keeps_a_plan,
    goes_back_to_a_savepoint,
)

ACROSS_TENANTS: tuple[Attack, ...] = (
    the_worker_goes_beyond_the_queue,
    an_operator_reads_what_is_the_tenants,
    the_exporter_sees_rows,
    the_owner_looks_around,
)
