"""Which role an e-mail address has, and settings that let nobody in."""

from __future__ import annotations

import pytest

from services.base.roles import (
    InvalidSignIn,
    Person,
    Role,
    headers_of,
    person_in,
    role_of,
    sign_in,
)

ENV = {
    "PACELINE_ADMINS": "ada@example.org, Root@Example.org",
    "PACELINE_RUNNERS": "ada@example.org,@lab.example.org",
    "PACELINE_VIEWERS": "@example.org,,",
}


@pytest.mark.parametrize(
    ("email", "role"),
    [
        ("ada@example.org", Role.admin),
        ("ROOT@example.org ", Role.admin),
        ("grace@lab.example.org", Role.runner),
        ("grace@example.org", Role.viewer),
        ("grace@elsewhere.example", None),
        ("grace@example.org.elsewhere.example", None),
        ("ada@example.org@elsewhere.example", None),
        ("@example.org", None),
        ("ada", None),
        ("", None),
    ],
)
def test_the_highest_role_of_an_address_or_its_domain_counts(email: str, role: Role | None) -> None:
    assert role_of(email, ENV) is role
    assert role_of(email, {}) is None


def test_sign_in_is_off_by_default() -> None:
    assert not sign_in({}) and not sign_in({"PACELINE_SIGN_IN": " Off "})
    assert sign_in({"PACELINE_SIGN_IN": "on", **ENV})


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"PACELINE_SIGN_IN": "yes", **ENV}, "it must be on or off"),
        ({"PACELINE_SIGN_IN": "on"}, "nobody is an admin"),
        ({"PACELINE_SIGN_IN": "on", "PACELINE_ADMINS": " , "}, "in PACELINE_ADMINS"),
    ],
)
def test_invalid_sign_in_settings_are_refused(env: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidSignIn, match=sentence):
        sign_in(env)


@pytest.mark.parametrize("name", ["ada@example.org", "Zoë – nightly (token)", "a\r\nX-B: c", "%41"])
def test_the_caller_is_passed_in_headers(name: str) -> None:
    headers = headers_of(Person(name, Role.runner))
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert person_in({key.title(): value for key, value in headers.items()}) == Person(
        name, Role.runner
    )


def test_a_person_without_a_role_gets_no_headers() -> None:
    assert headers_of(Person("a@b.c", None)) == {}


def test_two_tokens_of_one_name_are_two_callers() -> None:
    one, two = (Person("ci (token)", Role.runner, number) for number in (1, 2))
    assert person_in(headers_of(one)) == one
    assert len({one.caller, two.caller, one.name}) == 3
    assert person_in({}) is None and person_in({"x-paceline-role": "root"}) is None
