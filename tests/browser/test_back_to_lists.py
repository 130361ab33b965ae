"""From one item of a page back to its list, which is the same page without parameters."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, expect

from db import capacities, new_tasks, studies, task_batches
from db.new_tasks import NewSettings
from services.ask.config import RunConfig
from services.ask.tasks import NewTask
from services.studies.capacity_config import CapacityConfig
from services.studies.study_link import preset_config
from tests.browser.conftest import App, no_trouble, settled

pytestmark = pytest.mark.browser

SETTINGS = NewSettings({"backend": "url"}, "127.0.0.1:9", "m", {"target": {}})


@pytest.mark.long
def test_a_choice_in_the_list_of_tasks_does_not_reopen_a_batch(
    app: App, person: BrowserContext
) -> None:
    with app.database() as database:
        batch_id = new_tasks.create(database, "me", [SETTINGS], [(NewTask("Why?", {}), 0)]).batch_id
        task_batches.cancel(database, batch_id)
    page = person.new_page()
    page.goto(f"{app.url}/batches?batch={batch_id}")
    page.get_by_role("link", name="All tasks").click()
    page.wait_for_url(f"{app.url}/batches")
    page.get_by_text("Submit prompts").click()
    page.get_by_role("radio", name="One per line").click()
    expect(page.get_by_label("Prompts, one per line")).to_be_visible()
    settled(page)
    assert page.url == f"{app.url}/batches"
    page.go_back()
    expect(page.get_by_role("link", name="All tasks")).to_be_visible()
    no_trouble(page)


@pytest.mark.long
def test_a_search_and_a_study_lead_back_to_their_lists(app: App, person: BrowserContext) -> None:
    with app.database() as database:
        search = capacities.create(database, CapacityConfig(servers=(RunConfig(),)), "one of them")
        capacities.end(database, search, "cancelled")
        study = studies.create(database, preset_config("concurrency"), "a sweep", [])
    page = person.new_page()
    for item, back in (
        (f"capacity?search={search}", "searches"),
        (f"study?study={study}", "studies"),
    ):
        page.goto(f"{app.url}/{item}")
        page.get_by_role("link", name=f"All {back}").click()
        page.wait_for_url(f"{app.url}/{item.partition('?')[0]}")
        expect(page.get_by_role("heading", name=back.capitalize(), exact=True)).to_be_visible()
        page.goto(f"{app.url}/{item}&view=share")
        settled(page)
        expect(page.get_by_role("link", name=f"All {back}")).to_have_count(0)
    no_trouble(page)


def test_a_choice_after_a_deletion_does_not_look_for_the_deleted_search(
    app: App, person: BrowserContext
) -> None:
    config = CapacityConfig(servers=(RunConfig(),))
    with app.database() as database:
        search = capacities.create(database, config, "gone soon")
        capacities.end(database, search, "cancelled")
    page = person.new_page()
    page.goto(f"{app.url}/capacity?search={search}")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete permanently").click()
    page.wait_for_url(f"{app.url}/capacity")
    page.get_by_role("radio", name="Users").click()
    page.wait_for_url("**/capacity**load=users")
    no_trouble(page)


@pytest.mark.long
def test_a_link_to_the_same_page_changes_the_url(app: App, person: BrowserContext) -> None:
    with app.database() as database:
        study = studies.create(database, preset_config("concurrency"), "a sweep", [])
    page = person.new_page()
    page.goto(f"{app.url}/study?study={study}")
    page.get_by_role("button", name="Run again").click()
    page.get_by_role("link", name="Duplicate").click()
    page.wait_for_url(f"{app.url}/study?like={study}")
    settled(page)
    page.go_back()
    expect(page.get_by_role("heading", name="a sweep")).to_be_visible()
    page.wait_for_url(f"{app.url}/study?study={study}")
    no_trouble(page)
