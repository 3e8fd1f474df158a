"""nginx as an origin that nobody here wrote: HTTP/1.1 and HTTP/2 over TLS, plain HTTP, static files."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from pathlib import Path

from certificates import CaWorld
from gateway import DEADLINE_S, kill_group, spawn

CONFIG = """
daemon off;
master_process off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 2048; }}
http {{
  log_format lines escape=json '{{"protocol":"$server_protocol","method":"$request_method","uri":"$request_uri",'
                               '"status":$status,"bytes":$body_bytes_sent,"connection":$connection,"host":"$host"}}';
  access_log {folder}/access.log lines;
  types {{ text/html html; text/css css; text/javascript js; image/svg+xml svg; application/octet-stream bin; }}
  default_type text/plain;
  client_max_body_size 0;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server_tokens off;
  {servers}
}}
"""
SERVER = """
server {{
  listen 127.0.0.1:{port} {options};
  server_name {names};
  {tls}
  root {folder}/www;
  location /moved {{ return 302 /hello; }}
  location = /empty {{ return 204; }}
  location /upload/ {{ dav_methods PUT; create_full_put_path on; }}
  location = /echo-method {{ return 200 "$request_method\\n"; }}
}}
"""
SUB_RESOURCES = 60
# Written by the page's own script once everything has loaded, so that --dump-dom shows whether it has.
PAGE = """<!doctype html><meta charset=utf-8><title>sixty</title>
{links}
<body><p id=verdict>loading</p>{images}
<script>
addEventListener("load", () => {{
  const bad = [...document.images].filter(image => !image.complete || !image.naturalWidth).length;
  document.getElementById("verdict").textContent = `loaded ${{document.images.length - bad}} images, ` +
    `${{window.scripts}} scripts, ${{document.styleSheets.length}} sheets`;
}});
</script>
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Nginx:
    """Four servers over the same files: `h1` and `h2` (TLS), `both` (TLS, the client chooses), `plain`."""

    def __init__(self, folder: Path, world: CaWorld, *, large_bytes: int = 10 * 1024 * 1024):
        self.folder = folder
        self.ports = {name: free_port() for name in ("h1", "h2", "both", "plain")}
        self.names = {name: f"nginx-{name}.test" for name in self.ports}
        (folder / "www").mkdir(parents=True)
        self._write_files(large_bytes)
        options = {"h1": "ssl", "h2": "ssl http2", "both": "ssl http2", "plain": ""}
        servers = []
        for name, port in self.ports.items():
            identity = world.identity(self.names[name], f"other-{self.names[name]}")
            tls = (
                ""
                if name == "plain"
                else f"ssl_certificate {identity.chain_file}; ssl_certificate_key {identity.key_file};"
            )
            servers.append(
                SERVER.format(
                    port=port,
                    options=options[name],
                    folder=folder,
                    tls=tls,
                    names=f"{self.names[name]} other-{self.names[name]} localhost",
                )
            )
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, user=user, servers="".join(servers)))
        self._process = spawn(
            ["/usr/sbin/nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log"]
        )
        self._wait_until_up()

    def authority(self, name: str) -> str:
        return f"{self.names[name]}:{self.ports[name]}"

    def url(self, name: str, path: str = "/") -> str:
        return f"{'http' if name == 'plain' else 'https'}://{self.authority(name)}{path}"

    def access_log(self) -> list[dict]:
        """What nginx says it was asked for and answered."""
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]

    def close(self) -> None:
        kill_group(self._process)

    def _write_files(self, large_bytes: int) -> None:
        www = self.folder / "www"
        (www / "hello").write_text("hello\n")
        (www / "upload").mkdir()
        large = (b"0123456789abcdef" * 64)[:1024] * (large_bytes // 1024)
        (www / "large.bin").write_bytes(large)
        self.large_sha256 = hashlib.sha256(large).hexdigest()
        for number in range(20):
            (www / f"s{number}.css").write_text(f"p {{ margin: {number}px }}")
            (www / f"j{number}.js").write_text("window.scripts = (window.scripts || 0) + 1;")
            (www / f"i{number}.svg").write_text(
                '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8">'
                f'<rect width="8" height="8" fill="#0{number:02}0"/></svg>'
            )
        links = "".join(f'<link rel=stylesheet href="/s{n}.css"><script src="/j{n}.js"></script>' for n in range(20))
        images = "".join(f'<img src="/i{n}.svg">' for n in range(20))
        (www / "sixty.html").write_text(PAGE.format(links=links, images=images))

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        for port in self.ports.values():
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert self._process.poll() is None, (self.folder / "error.log").read_text()
                    assert time.monotonic() < deadline, "nginx does not listen"
                    time.sleep(0.02)
