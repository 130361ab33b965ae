"""Servers are saved, picked and deleted on the page of backends."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import TextInput

from db import servers
from services.ask import link
from services.ask.config import RunConfig
from services.ask.saved_server import saved_server
from tests.conftest import ReferenceServer
from tests.pages.conftest import Visit, link_of, sound, text_of

LABELS = {"name": "Name", "base_url": "Address", "key_env": "API key variable"}


def field_of(at: AppTest, label: str) -> TextInput:
    (field,) = [field for field in at.text_input if field.label == label]
    return field


def save(at: AppTest, **texts: str) -> AppTest:
    for field, text in texts.items():
        field_of(at, LABELS[field]).set_value(text)
    (button,) = [button for button in at.button if button.label == "Save"]
    return sound(button.click().run())


def test_a_server_is_saved_shown_and_deleted(visit: Visit, database: Engine) -> None:
    at = visit("backends")
    assert "Save a server once" in text_of(at)
    at.number_input[0].set_value(3.5)
    at = save(at, name="prod", base_url="http://gpu-7/v1", key_env="PROD_API_KEY")
    values = servers.list_all(database)["prod"].values
    assert (values["backend"], values["base_url"]) == ("url", "http://gpu-7/v1")
    assert (values["key_env"], values["usd_per_hour"]) == ("PROD_API_KEY", 3.5)
    assert field_of(at, "Name").value == "", "it is ready for another server"
    assert "key from" in text_of(at) and "US$ 3.5 per hour" in text_of(at).replace("\\", "")
    sound(at.button(key="server-delete-prod").click().run())
    assert servers.list_all(database) == {}


def test_a_saved_server_is_replaced_only_after_a_question(visit: Visit, database: Engine) -> None:
    at = save(visit("backends"), name="prod", base_url="http://gpu-7/v1")
    at = save(at, name="prod", base_url="http://gpu-8/v1")
    assert "There is already a saved server “prod”. Choose another name" in text_of(at)
    assert servers.list_all(database)["prod"].values["base_url"] == "http://gpu-7/v1"
    (button,) = [button for button in at.button if button.label == "Replace"]
    sound(button.click().run())
    assert servers.list_all(database)["prod"].values["base_url"] == "http://gpu-8/v1"


def test_an_error_in_saving_keeps_the_typed_values(visit: Visit, database: Engine) -> None:
    at = save(visit("backends"), name="vllm", base_url="http://gpu-7/v1")
    assert "vllm is already a backend" in text_of(at)
    at = save(at, name="prod", key_env="sk-hunter2")
    assert "must be the name of a variable" in text_of(at) and "hunter2" not in text_of(at)
    assert field_of(at, "Address").value == "http://gpu-7/v1"
    assert servers.list_all(database) == {}


def test_a_saved_server_is_tested(
    visit: Visit, database: Engine, reference: ReferenceServer
) -> None:
    at_nothing = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    servers.save(database, saved_server("there", {**at_nothing, "base_url": reference.base_url}))
    servers.save(database, saved_server("gone", at_nothing))
    at = sound(visit("backends").button(key="test-saved-there").click().run())
    assert "reachable" in text_of(at) and "Nothing answers" not in text_of(at)
    at = sound(at.button(key="test-saved-gone").click().run())
    assert "Nothing answers at 127.0.0.1:9." in text_of(at) and "reachable" in text_of(at)
    servers.delete(database, "there")
    servers.save(database, saved_server("there", {**at_nothing, "model": "another"}))
    assert "reachable" not in text_of(sound(at.run())), "that was another server of this name"


def test_the_model_of_a_saved_server_is_not_shown_as_markup(visit: Visit, database: Engine) -> None:
    model = "<b>*bold*</b> :red[x]"
    servers.save(database, saved_server("a_b", {"backend": "vllm", "model": model}))
    (line,) = [part.value for part in visit("backends").caption if "bold" in part.value]
    assert not any(markup in line for markup in ("<b>", "*bold*", ":red["))


@pytest.mark.parametrize("page", ["run", "capacity"])
def test_the_fields_of_a_saved_server_do_not_stay_for_another_server(
    visit: Visit, database: Engine, page: str
) -> None:
    own = {"headers": {"X-Route": "a"}, "usd_per_hour": 4, "insecure_tls": True}
    prod = saved_server("prod", {"backend": "url", "base_url": "http://127.0.0.1:9/v1", **own})
    servers.save(database, prod)
    at = visit(page, **link.query(prod.values, RunConfig()))
    assert at.selectbox(key="run-backend").value == "prod"
    at = sound(at.selectbox(key="run-backend").set_value("vllm").run())
    assert link_of(at) == {"backend": "vllm"}
    sound(at.selectbox(key="run-backend").set_value("prod").run())
    assert link_of(at).keys() == {"backend", "base_url", *own}


def test_a_reload_keeps_a_saved_server_without_a_model(
    visit: Visit, database: Engine, reference: ReferenceServer
) -> None:
    servers.save(database, saved_server("prod", {"backend": "url", "base_url": reference.base_url}))
    at = visit("run")
    at = sound(at.selectbox(key="run-backend").set_value("prod").run())
    assert link_of(at)["model"] == "ref"
    again = visit("run", **link_of(at))
    assert again.selectbox(key="run-backend").value == "prod"
