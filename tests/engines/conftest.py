"""The browser of the browser's tests, for studies of real engines."""

from __future__ import annotations

from tests.browser.conftest import app as app
from tests.browser.conftest import browser_port as browser_port
from tests.browser.conftest import chromium as chromium
from tests.browser.conftest import person as person
from tests.browser.conftest import shared_app as shared_app
