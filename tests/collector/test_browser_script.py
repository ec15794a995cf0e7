"""`GET /segue.js`, and that what is served is what its source says."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from streams.collector.browser_script import BUILT
from tests.browser.site import STUB
from tests.collector.doubles import Door
from tests.support.environments import node_modules_of
from tests.support.run_directory import CHECKOUT, UnavailableServiceError

SOURCE = BUILT.with_name("snippet")
CACHE = CHECKOUT / ".cache" / "npm"
GZIPPED_BYTES_MAX = 3_000


def test_it_is_what_its_source_builds_to_byte_for_byte(tmp_path: Path) -> None:
    folder = tmp_path / SOURCE.name
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"))
    try:
        (folder / "node_modules").symlink_to(node_modules_of(SOURCE, CACHE))
    except UnavailableServiceError as error:
        pytest.fail(str(error), pytrace=False)
    outcome = subprocess.run(
        ["npm", "run", "build"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert (tmp_path / BUILT.name).read_bytes() == BUILT.read_bytes(), (
        "run `npm run build` in streams/collector/snippet"
    )


def test_it_is_small() -> None:
    assert len(gzip.compress(BUILT.read_bytes(), 9)) < GZIPPED_BYTES_MAX


def test_it_has_no_dependency_and_its_lock_names_no_place_to_download_from() -> None:
    assert "dependencies" not in json.loads((SOURCE / "package.json").read_text())
    assert "://" not in (SOURCE / "package-lock.json").read_text()


def test_its_page_has_the_tags_and_every_attribute() -> None:
    page = (CHECKOUT / "ops" / "browser-script.md").read_text()
    assert f"<script>{STUB}</script>" in page
    settings = re.findall(r"given\.(\w+)", (SOURCE / "src" / "settings.ts").read_text())
    assert len(settings) == 9
    attributes = ["data-" + re.sub("[A-Z]", lambda found: "-" + found[0].lower(), name) for name in settings]
    assert [name for name in attributes if f"| `{name}` |" not in page] == []


def test_any_site_may_load_it_and_browsers_keep_it_for_an_hour(door: Door) -> None:
    answer = door.client.get("/segue.js", headers={"Accept-Encoding": "br, gzip"})
    assert (answer.status_code, answer.content) == (200, BUILT.read_bytes())
    assert int(answer.headers["content-length"]) < GZIPPED_BYTES_MAX
    wanted = {
        "content-type": "text/javascript; charset=utf-8",
        "content-encoding": "gzip",
        "cache-control": "public, max-age=3600, stale-while-revalidate=86400",
        "access-control-allow-origin": "*",
        "vary": "Accept-Encoding",
    }
    assert wanted.items() <= dict(answer.headers).items()
    assert door.metric("segue_collector_requests_total", route="script", status="200") == 1


@pytest.mark.parametrize("coding", ["identity", "gzip;q=0", "gzip; q=0.0", "br"])
def test_who_takes_no_gzip_gets_it_plain(door: Door, coding: str) -> None:
    answer = door.client.get("/segue.js", headers={"Accept-Encoding": coding})
    assert "content-encoding" not in answer.headers
    assert answer.content == BUILT.read_bytes()


def test_a_browser_that_has_it_is_not_sent_it_again(door: Door) -> None:
    tags = set()
    for coding in ("gzip", "identity"):
        tag = door.client.get("/segue.js", headers={"Accept-Encoding": coding}).headers["etag"]
        for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = door.client.get("/segue.js", headers={"Accept-Encoding": coding, "If-None-Match": given})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        tags.add(tag)
        other = door.client.get("/segue.js", headers={"Accept-Encoding": coding, "If-None-Match": '"other"'})
        assert other.status_code == 200
    assert len(tags) == 2


def test_without_node_the_test_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableServiceError, match="apt-get install nodejs npm"):
        node_modules_of(SOURCE, CACHE)
