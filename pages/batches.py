"""Tasks: prompts that are answered in the background, submitted as batches.

The URL holds a batch, `?batch=…` with the filters of its list, or one task, `?task=…`. The page is
not called /tasks, because that is a path of the API.
"""

from __future__ import annotations

import streamlit as st

from db import task_batches
from db.database import opened
from pages.widgets import batch_list, batch_page, task_form, task_page, url_state
from pages.widgets.view import may_start, person, stop_with
from services.base.roles import whose_tasks

if not may_start():  # the page is not in their navigation
    stop_with("Only runners and admins can use tasks.")
url_state.watch(batch_list.PREFIX)
caller = whose_tasks(person())
if (task := st.query_params.get("task")) is not None:
    task_page.page(task, caller)
elif (batch := st.query_params.get("batch")) is not None:
    batch_page.page(batch, caller)
else:
    st.title("Tasks", anchor=False)
    st.caption(
        "Prompts that are answered in the background, even after you close the browser. To "
        "measure a server, use *Run*."
    )
    with st.expander(
        "Submit prompts", icon=":material/add:", expanded=not task_batches.count(opened(), caller)
    ):
        task_form.show()
    batch_list.show(caller)
