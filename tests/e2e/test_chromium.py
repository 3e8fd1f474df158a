"""Headless Chromium with the gateway's CA in its store: a page with sixty sub-resources over HTTP/2."""

import os
import shutil

import pytest
from harness import SUB_RESOURCES, run

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication",
    "--virtual-time-budget=20000",
    "--timeout=60000",
]


@pytest.fixture
def browser(gateway, tmp_path):
    """Dumps a page's DOM after its load event. Chromium looks for a user's own CAs in the NSS database of HOME."""
    database = tmp_path / "home/.pki/nssdb"
    database.mkdir(parents=True)
    run(["certutil", "-N", "-d", f"sql:{database}", "--empty-password"])
    run(["certutil", "-A", "-d", f"sql:{database}", "-n", "tollgate", "-t", "C,,", "-i", gateway.ca_file])
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path)}

    def dump(url):
        done = run(
            [
                "chromium",
                *FLAGS,
                f"--user-data-dir={tmp_path / 'profile'}",
                f"--proxy-server={gateway.proxy_url}",
                "--dump-dom",
                url,
            ],
            env=environment,
            timeout=90,
        )
        return done.stdout.decode()

    yield dump
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)


@pytest.mark.parametrize("server, version", [("h2", "2"), ("h1", "1.1")])
def test_a_page_with_sixty_sub_resources_loads_whole_and_is_logged_whole(gateway, nginx, browser, server, version):
    dom = browser(nginx.url(server, "/sixty.html"))
    assert "loaded 20 images, 20 scripts, 20 sheets" in dom
    served = [line["uri"] for line in nginx.access_log() if line["host"] == nginx.names[server]]
    page = [uri for uri in served if uri != "/favicon.ico"]
    assert len(page) == len(set(page)) == 1 + SUB_RESOURCES
    records = gateway.wait_for(nginx.names[server], kind="exchange", count=len(served))
    assert sorted(record["path"] for record in records) == sorted(
        served
    ), "the log is what nginx saw, no more and no less"
    assert {record["http"] for record in records} == {version}
    assert all(
        record["user_agent"].startswith("Mozilla/5.0") and "Chrome" in record["user_agent"] for record in records
    )
    loaded = [record for record in records if record["path"] != "/favicon.ico"]
    assert {(record["status"], record["state"], record["action"]) for record in loaded} == {
        (200, "complete", "allowed")
    }
    assert {record["response_type"] for record in loaded} == {
        "text/html",
        "text/css",
        "text/javascript",
        "image/svg+xml",
    }


def test_chromium_does_not_accept_the_leaf_without_the_ca(gateway, nginx, tmp_path):
    """What the first test shows is worth something only if the browser does verify."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    dom = run(
        [
            "chromium",
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--proxy-server={gateway.proxy_url}",
            "--dump-dom",
            nginx.url("both", "/sixty.html"),
        ],
        env=environment,
        timeout=90,
    ).stdout.decode()
    assert "loaded 20 images" not in dom
    assert not gateway.log(nginx.names["both"], kind="exchange")
