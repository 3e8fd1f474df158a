"""Node's clients through CONNECT, with built-ins only: https, http2, fetch (undici), WebSocket (undici)."""

import json
import threading

import pytest
from harness import answering, echo, read_request, reply, response, run
from websocket import WebSocketOrigin

# Each script reads its parameters from `p` and prints one JSON line.
PRELUDE = r"""
const http = require("http"), https = require("https"), tls = require("tls"), fs = require("fs");
const p = JSON.parse(process.argv[1]);
const ca = fs.readFileSync(p.ca);
function tunnel(host, port, done) {
  const path = `${host}:${port}`;
  http.request({host: p.proxyHost, port: p.proxyPort, method: "CONNECT", path, headers: {host: path}})
    .on("connect", (answer, socket) => done(answer.statusCode === 200 ? null : new Error(answer.statusCode), socket))
    .on("error", done).end();
}
function secure(host, port, ALPNProtocols, done) {
  tunnel(host, port, (error, socket) => {
    if (error) return done(error);
    const stream = tls.connect({socket, servername: host, ca, ALPNProtocols}, () => done(null, stream));
    stream.on("error", done);
  });
}
class TunnelAgent extends https.Agent {
  createConnection(options, done) { secure(options.host, options.port, ["http/1.1"], done); }
}
// undici's Agent is not exported, but the global dispatcher is one.
async function dispatcher() {
  await fetch("data:,").then(r => r.text());
  const Agent = globalThis[Symbol.for("undici.globalDispatcher.1")].constructor;
  return new Agent({connect: (o, done) => secure(o.hostname, o.port || 443, ["http/1.1"], done)});
}
const say = value => console.log(JSON.stringify(value));
"""


@pytest.fixture
def node(gateway):
    def call(script, *flags, **parameters):
        parameters |= {"ca": str(gateway.ca_file), "proxyHost": gateway.proxy[0], "proxyPort": gateway.proxy[1]}
        done = run(["node", "--no-warnings", *flags, "-e", PRELUDE + script, json.dumps(parameters)], timeout=60)
        return json.loads(done.stdout.decode().splitlines()[-1])

    return call


def test_https_with_a_keep_alive_agent(gateway, scripted, node):
    origin = scripted(answering(lambda request: response(request.target.encode())))
    result = node(
        r"""
    const agent = new TunnelAgent({keepAlive: true, maxSockets: 1}), bodies = [];
    const get = path => new Promise((done, fail) => https.get({host: p.host, port: p.port, path, agent}, answer => {
      let body = ""; answer.on("data", d => body += d).on("end", () => done(body));
    }).on("error", fail));
    (async () => {
      for (const path of ["/a", "/b", "/c"]) bodies.push(await get(path));
      agent.destroy(); say(bodies);
    })();
    """,
        host=origin.name,
        port=origin.port,
    )
    assert result == ["/a", "/b", "/c"]
    records = gateway.wait_for(origin.name, kind="exchange", count=3)
    assert [record["path"] for record in records] == result and len(origin.visits) == 1


def test_fetch_streams_a_request_body(gateway, scripted, node):
    origin = scripted(answering(echo))
    result = node(
        r"""
    (async () => {
      const pieces = ["one ", "two"].map(text => Buffer.from(text));
      const body = new ReadableStream({start(c) { pieces.forEach(piece => c.enqueue(piece)); c.close(); }});
      const answer = await fetch(p.url, {method: "POST", body, duplex: "half", dispatcher: await dispatcher(),
                                         headers: {"content-type": "text/plain"}});
      say({status: answer.status, text: await answer.text()}); process.exit(0);
    })();
    """,
        url=f"{origin.url}/fetch?token=hidden",
    )
    assert result["status"] == 200 and origin.requests[0].body == b"one two"
    record = gateway.exchange(origin.name)
    assert (record["method"], record["request_bytes"], record["query"]) == ("POST", 7, ["token"])
    assert record["user_agent"] in ("node", "undici")


def test_fetch_aborts_a_response_in_the_middle(gateway, scripted, node):
    gone = threading.Event()

    def script(stream, visit):
        visit.requests.append(read_request(stream))
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nfirst")
        stream.read_to_end()
        gone.set()

    origin = scripted(script)
    result = node(
        r"""
    (async () => {
      const abort = new AbortController();
      const answer = await fetch(p.url, {signal: abort.signal, dispatcher: await dispatcher()});
      const first = Buffer.from((await answer.body.getReader().read()).value).toString();
      abort.abort(); say(first); setTimeout(() => process.exit(0), 200);
    })();
    """,
        url=origin.url,
    )
    assert result == "first"
    assert gone.wait(15), "the origin was never told that nobody listens any more"
    record = gateway.exchange(origin.name)
    assert (record["status"], record["response_bytes"]) == (200, 5)
    assert record["state"] not in ("complete", "open")


def test_http2_with_twenty_streams_at_once(gateway, h2_origin, node):
    origin = h2_origin(reply(b"hello"))
    result = node(
        r"""
    const http2 = require("http2");
    secure(p.host, p.port, ["h2"], (error, stream) => {
      const session = http2.connect(p.url, {createConnection: () => stream});
      const get = path => new Promise((done, fail) => {
        const request = session.request({":path": path}); let status, body = "";
        request.on("response", h => status = h[":status"]).on("data", d => body += d);
        request.on("end", () => done([status, body])).on("error", fail);
      });
      Promise.all([...Array(20).keys()].map(n => get(`/${n}`))).then(all => { say(all); session.close(); });
    });
    """,
        host=origin.name,
        port=origin.port,
        url=origin.url,
    )
    assert result == [[200, "hello"]] * 20
    records = gateway.wait_for(origin.name, kind="exchange", count=20)
    assert {record["path"] for record in records} == {f"/{number}" for number in range(20)}
    assert len({record["connection"] for record in records}) == 1


def test_websocket_messages_go_both_ways_and_frames_are_counted(gateway, ca_world, node):
    with WebSocketOrigin(ca_world) as origin:
        result = node(
            r"""
        (async () => {
          const set = await dispatcher(); globalThis[Symbol.for("undici.globalDispatcher.1")] = set;
          const socket = new WebSocket(p.url, ["chat"]), got = [];
          socket.binaryType = "arraybuffer";
          const messages = ["hello", new Uint8Array(70000), "x".repeat(200)];
          socket.onopen = () => messages.forEach(message => socket.send(message));
          socket.onmessage = e => {
            got.push(e.data.length ?? e.data.byteLength);
            if (got.length === 3) socket.close(1000, "done");
          };
          socket.onclose = e => { say({got, code: e.code, protocol: socket.protocol}); process.exit(0); };
        })();
        """,
            "--experimental-websocket",
            url=f"wss://{origin.authority}/socket?key=hidden",
        )
    assert result == {"got": [5, 70000, 200], "code": 1000, "protocol": "chat"}
    assert origin.received == ["hello", bytes(70000), "x" * 200]
    record = gateway.exchange(origin.name)
    assert (record["status"], record["scheme"], record["query"]) == (101, "wss", ["key"])
    # Three messages and a close frame each way; masks and lengths are content too (RFC 6455 §5.2).
    assert (record["frames_up"], record["frames_down"]) == (4, 4)
    assert record["request_bytes"] > 70205 and record["response_bytes"] > 70205
