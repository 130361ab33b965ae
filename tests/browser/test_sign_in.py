"""People sign in with a real OpenID provider, and see and do what their role may."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from services.servers.engines import free_port
from tests.browser.conftest import settled
from tests.conftest import ROOT, until

MODULES = Path(os.environ.get("NODE_MODULES", ROOT / ".venv" / "node_modules"))
MISSING = "Needs Node and its package oidc-provider, which `make test-all` installs into .venv"
HERE = Path(__file__).resolve().parent

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("node") and (MODULES / "oidc-provider").is_dir()), reason=MISSING
    ),
]


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


class Shared:
    """Paceline with sign-in, and the provider where people sign in."""

    def __init__(self, folder: Path) -> None:
        self.port, self.provider_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.env = {
            **os.environ,
            "PACELINE_DATABASE_URL": f"sqlite:///{folder / 'paceline.db'}",
            "PACELINE_SIGN_IN": "on",
            "PACELINE_ADMINS": "ada@example.org",
            "PACELINE_RUNNERS": "ray@example.org",
            "PACELINE_VIEWERS": "@view.example.org",
            "HOME": str(folder),
            "NODE_MODULES": str(MODULES),
        }
        shutil.copy(ROOT / "app.py", folder)
        for name in ("api", "db", "jobs", "pages", "services", "web"):
            (folder / name).symlink_to(ROOT / name)
        (folder / ".streamlit").mkdir()
        shutil.copy(ROOT / ".streamlit" / "config.toml", folder / ".streamlit")
        (folder / ".streamlit" / "secrets.toml").write_text(
            "[auth]\n"
            f'redirect_uri = "{self.url}/oauth2callback"\n'
            'cookie_secret = "only-for-tests-only-for-tests-only-for-tests"\n'
            'client_id = "paceline"\n'
            'client_secret = "not-a-secret-of-anybody"\n'
            'client_kwargs = { prompt = "login" }\n'
            "server_metadata_url = "
            f'"http://127.0.0.1:{self.provider_port}/.well-known/openid-configuration"\n'
        )

    def start(self) -> list[subprocess.Popen[bytes]]:
        redirect = f"{self.url}/oauth2callback"
        provider = ["node", str(HERE / "oidc_provider.mjs"), str(self.provider_port), redirect]
        app = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        with (self.folder / "log").open("wb") as log:
            started = [
                subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=log, stderr=log)
                for command in (provider, app)
            ]
        until(lambda: answers(f"{self.url}/_stcore/health"), 60)
        return started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    server = Shared(tmp_path_factory.mktemp("shared"))
    started = server.start()
    yield server
    for process in started:
        process.terminate()
        process.wait(20)


def sign_in(chromium: Browser, shared: Shared, email: str) -> Page:
    """Open Paceline as an unknown person, and sign in."""
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(shared.url)
    page.get_by_role("link", name="Sign in").click()
    assert page.url.startswith(f"http://127.0.0.1:{shared.provider_port}/interaction/")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", "any")
    page.click("button[type=submit]")
    page.click("button[type=submit]")  # and consent
    page.wait_for_url(f"{shared.url}/**")
    return page


def links(page: Page) -> list[str]:
    settled(page)
    return page.get_by_test_id("stSidebarNavLink").all_inner_texts()


def names(page: Page) -> str:
    return " ".join(" ".join(links(page)).split())


def test_an_admin_sees_everything(chromium: Browser, shared: Shared) -> None:
    page = sign_in(chromium, shared, "ada@example.org")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    assert "Engines" in names(page) and "Run" in names(page)


def test_a_runner_starts_a_run_and_creates_a_token(chromium: Browser, shared: Shared) -> None:
    page = sign_in(chromium, shared, "ray@example.org")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    assert "Run" in names(page) and "API tokens" in names(page) and "Backends" not in names(page)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("started by ray@example.org")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.goto(f"{shared.url}/tokens")
    page.get_by_label("Name").fill("nightly")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_text("Copy it now")).to_be_visible()
    text = page.get_by_test_id("stCode").inner_text().strip()
    headers = {"Authorization": f"Bearer {text}"}
    assert httpx.get(f"{shared.url}/api/runs", headers=headers).status_code == 200
    assert httpx.post(f"{shared.url}/api/runs", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize("email", ["vera@view.example.org", "ray@example.org"])
def test_a_viewer_has_no_control_that_changes_anything(
    chromium: Browser, shared: Shared, email: str
) -> None:
    page = sign_in(chromium, shared, email)
    page.goto(f"{shared.url}/history")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    assert "Engines" not in names(page) and "Backends" not in names(page)
    expect(page.get_by_role("button", name="Import")).to_have_count(0)
    page.goto(f"{shared.url}/engines")
    settled(page)
    expect(page.get_by_role("button", name="Start engine")).to_have_count(0)
    page.goto(f"{shared.url}/study")
    settled(page)
    expect(page.get_by_role("button", name="Start study")).to_have_count(0)


@pytest.mark.parametrize("email", ["eve@example.org", "unverified@view.example.org"])
def test_a_person_without_a_role_sees_nothing(
    chromium: Browser, shared: Shared, email: str
) -> None:
    page = sign_in(chromium, shared, email)
    assert page.get_by_test_id("stApp").count() == 0


def test_tokens_give_access_to_the_api_and_are_not_logged(shared: Shared) -> None:
    def made(role: str) -> str:
        command = [sys.executable, str(ROOT / "cli.py"), "token", "create", "ci", "--role", role]
        return subprocess.check_output(command, cwd=ROOT, env=shared.env, text=True).strip()

    viewer, runner = made("viewer"), made("runner")
    url = f"{shared.url}/api/runs"
    body = {"backend": "url", "base_url": "http://127.0.0.1:9", "requests": 1}

    def post(token: str, values: dict[str, object]) -> httpx.Response:
        return httpx.post(url, json=values, headers={"Authorization": f"Bearer {token}"})

    assert httpx.get(url).status_code == 401
    assert post(viewer, {}).status_code == 403
    refused = post(runner, body)
    assert refused.status_code == 403 and "base_url can only be set by an admin" in refused.text
    assert httpx.get(url, headers={"Authorization": f"Bearer {viewer}"}).status_code == 200
    log = (shared.folder / "log").read_text()
    for text in (viewer, runner, "not-a-secret-of-anybody", "only-for-tests-only"):
        assert text not in log
    assert "Traceback" not in log
