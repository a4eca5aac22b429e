"""Where an upload may be kept."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.rules import uploads
from task_catalog.rules.records import Flaw

KEY = UUID("5b2e3c39-8c4f-4a65-9d0a-3a1b2c3d4e5f")


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("transactions/people/12/", "transactions/7/people/12/"),
        ("transaction/people/", "transactions/7/people/"),
        ("/people//./x", "transactions/7/people/x/"),
        ("", "transactions/7/"),
        ("transactions/7/people/", "transactions/7/people/"),
        ("transactions/8/people/", "transactions/7/8/people/"),
    ],
)
def test_a_folder_is_below_its_clients_own(path, folder):
    assert uploads.folder_of(7, path) == folder
    assert uploads.folder_of(7, folder) == folder


@given(st.text())
def test_no_path_leads_out_of_the_clients_folder(path):
    try:
        folder = uploads.folder_of(7, path)
    except Flaw:
        return
    assert folder.startswith("transactions/7/")
    assert ".." not in folder.split("/")
    assert len(folder) <= 100


@given(st.text())
def test_no_name_is_a_path(name):
    try:
        found = uploads.name_of(KEY, name)
    except Flaw:
        return
    assert "/" not in found
    assert found.startswith(str(KEY))
    assert uploads.name_of(KEY, found) == found
