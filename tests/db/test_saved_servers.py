"""Saved servers are kept by name until they are deleted."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from db import servers
from db.named import NameTaken
from db.servers import ServerNotFound
from services.ask.backends import BACKENDS, BackendProblem
from services.ask.saved_server import MOST, SavedServer, saved_server
from services.base.errors import Invalid


def prod(model: str = "m", name: str = "prod") -> SavedServer:
    address = {"backend": "url", "base_url": "http://gpu-7/v1", "model": model}
    more = {"headers": {"X-Route": "a"}, "extra_body": {"a": [1, None]}}
    return saved_server(name, address | more)


def test_saving_a_server_replaces_the_one_with_its_name(database: Engine) -> None:
    servers.save(database, prod("old"))
    servers.save(database, prod(name="a"))
    servers.save(database, prod("new"))
    assert servers.list_all(database) == {"a": prod(name="a"), "prod": prod("new")}
    assert list(servers.list_all(database)) == ["a", "prod"]


def test_a_server_is_kept_unless_it_may_be_replaced(database: Engine) -> None:
    servers.save(database, prod("old"), replace=False)
    with pytest.raises(NameTaken, match="There is already a saved server “prod”"):
        servers.save(database, prod("new"), replace=False)
    assert servers.list_all(database) == {"prod": prod("old")}


def test_a_server_is_deleted_once(database: Engine) -> None:
    servers.save(database, prod())
    servers.delete(database, "prod")
    assert servers.list_all(database) == {}
    with pytest.raises(ServerNotFound, match="No server is saved as 'prod'"):
        servers.delete(database, "prod")


def test_a_run_names_a_saved_server_as_its_backend(database: Engine) -> None:
    servers.save(database, prod())
    expanded = servers.expand(database, {"backend": "prod", "requests": 3})
    assert expanded == {**prod().fields, "requests": 3}
    for values in ({"requests": 3}, {"backend": "vllm", "model": "a"}):
        assert servers.expand(database, values) == values


def test_an_unknown_backend_is_refused_with_the_known_ones(database: Engine) -> None:
    servers.save(database, prod())
    with pytest.raises(BackendProblem) as caught:
        servers.expand(database, {"backend": "prd"})
    known = ", ".join(BACKENDS)
    assert str(caught.value) == f"There is no backend 'prd'. Choose one of {known} and prod."


def test_the_number_of_saved_servers_is_limited_but_each_can_be_replaced(database: Engine) -> None:
    for number in range(MOST):
        servers.save(database, prod(name=f"s{number}"))
    servers.save(database, prod("new", "s7"))
    with pytest.raises(Invalid, match=f"There are {MOST} saved servers"):
        servers.save(database, prod(name="more"))
    assert len(servers.list_all(database)) == MOST
