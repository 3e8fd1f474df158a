"""git over https: negotiation, packs both ways, large chunked posts."""

import os
import subprocess

import pytest
from harness import Message, Nginx, Origin, run
from streams import read_content, read_head

GIT_HTTP_BACKEND = "/usr/lib/git-core/git-http-backend"


class GitOrigin(Origin):
    """`git http-backend` behind a socket: its CGI (RFC 3875) for each request."""

    def __init__(self, world, root, **options):
        self._root = root
        super().__init__(world, **options)

    def serve(self, stream, visit):
        while first := stream.read():
            stream.unread(first)
            request = read_head(stream)
            if (request.get("expect") or "").lower() == "100-continue":
                stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            read_content(stream, request)
            visit.requests.append(request)
            stream.send(self._answer(request))

    def _answer(self, request: Message) -> bytes:
        path, _, query = request.target.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self._root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.get("content-type") or "",
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.get("content-encoding") or "",
            "REMOTE_USER": "tester",
            "GIT_PROTOCOL": request.get("git-protocol") or "",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        output = subprocess.run(
            [GIT_HTTP_BACKEND], input=request.body, capture_output=True, env=environment, timeout=60
        ).stdout
        head, _, body = output.partition(b"\r\n\r\n")
        status = next((line[8:].decode() for line in head.split(b"\r\n") if line.startswith(b"Status: ")), "200 OK")
        fields = [line for line in head.split(b"\r\n") if not line.startswith(b"Status: ")]
        return b"\r\n".join([f"HTTP/1.1 {status}".encode(), *fields, b"Content-Length: %d" % len(body), b"", body])


@pytest.fixture
def git(gateway, tmp_path):
    """Runs git with nothing of the machine's configuration, through the gateway."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSL_CAINFO": str(gateway.ca_file),
        "https_proxy": gateway.proxy_url,
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@test",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@test",
    }

    def call(*arguments, cwd=tmp_path):
        return run(["git", *arguments], env=environment, cwd=cwd).stdout.decode().strip()

    return call


@pytest.fixture
def repository(git, tmp_path):
    """A bare repository with a few commits and a file that does not compress."""
    work, bare = tmp_path / "work", tmp_path / "root/project.git"
    git("init", "--quiet", "--initial-branch=main", str(work))
    for number in range(5):
        (work / f"file{number}").write_bytes(os.urandom(100_000))
        git("add", ".", cwd=work)
        git("commit", "--quiet", "-m", f"commit {number}", cwd=work)
    git("clone", "--quiet", "--bare", str(work), str(bare))
    git("config", "http.receivepack", "true", cwd=bare)
    return bare


def test_clone_and_push_over_smart_http(gateway, ca_world, git, repository, tmp_path):
    origin = GitOrigin(ca_world, repository.parent)
    try:
        git("clone", "--quiet", f"{origin.url}/project.git", "clone")
        clone = tmp_path / "clone"
        assert git("rev-parse", "HEAD", cwd=clone) == git("rev-parse", "main", cwd=repository)
        git("fsck", "--strict", cwd=clone)
        # More than http.postBuffer: git sends the pack chunked, after a probing request.
        (clone / "large").write_bytes(os.urandom(3_000_000))
        git("add", ".", cwd=clone)
        git("commit", "--quiet", "-m", "large", cwd=clone)
        git("-c", "http.postBuffer=65536", "push", "--quiet", "origin", "main", cwd=clone)
        assert git("rev-parse", "HEAD", cwd=clone) == git("rev-parse", "main", cwd=repository)
    finally:
        origin.close()
    seen = [(request.method, request.target.partition("?")[0]) for request in origin.requests]
    records = gateway.wait_for(origin.name, kind="exchange", count=len(seen))
    assert [(record["method"], record["path"]) for record in records] == seen
    assert all(record["user_agent"].startswith("git/") for record in records)
    pushed = max(records, key=lambda record: record["request_bytes"])
    assert pushed["request_bytes"] > 3_000_000 and pushed["request_type"] == "application/x-git-receive-pack-request"
    assert pushed["query"] == [] and records[0]["query"] == ["service"]


def test_clone_over_dumb_http_and_h2(gateway, nginx: Nginx, git, repository, tmp_path):
    git("update-server-info", cwd=repository)
    run(["cp", "-r", repository, nginx.folder / "www/dumb.git"])
    git("clone", "--quiet", nginx.url("h2", "/dumb.git"), "dumb-clone")
    assert git("rev-parse", "HEAD", cwd=tmp_path / "dumb-clone") == git("rev-parse", "main", cwd=repository)
    asked = [line["uri"].partition("?")[0] for line in nginx.access_log() if line["uri"].startswith("/dumb.git")]
    records = gateway.wait_for(nginx.names["h2"], kind="exchange", count=len(asked))
    assert sorted(record["path"] for record in records) == sorted(asked)
    assert {record["http"] for record in records} == {"2"}
