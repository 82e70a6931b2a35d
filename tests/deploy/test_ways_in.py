"""What strangers reach through the shipped proxies: the API and its documents, and nothing that names hosts."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from service.app import application, running
from service.settings import Settings
from tests.deploy.kustomize import Manifest, rendered
from tests.deploy.test_kubernetes import KUBERNETES
from tests.machines.proxied import haproxy
from tests.servers.children import free_port, spawn
from tests.servers.process import ServiceProcess
from tests.servers.programs import needs

CLOSED = {"/metrics", "/status"}
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
"""Folders that nginx makes where the machine's own are not to be written."""


async def asked(url: str, target: str, *head: str) -> tuple[int, str]:
    """Status and all else of the answer to a request line as it stands here: no client tidies it up."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    lines = [f"GET {target} HTTP/1.1", f"Host: {place.netloc}", "Connection: close", *head]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split(" ", 2)[1]), answer


async def is_ready(url: str) -> bool:
    try:
        return (await asked(url, "/readyz"))[0] == 200
    except OSError:  # it has only been started
        return False


@needs("haproxy")
async def test_haproxy_keeps_what_names_hosts_to_the_cluster(
    start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    service = start_service(run="api,projector", cors_origins="*", base_path="/ims")
    with haproxy(tmp_path, [service]) as proxy:
        url = proxy.url
        async with asyncio.timeout(30):
            while not await is_ready(url):
                await asyncio.sleep(0.05)
        for open_to_all in ("/livez", "/openapi.json", "/docs"):
            assert (await asked(url, open_to_all))[0] == 200
        for name in ("metrics", "status"):
            for inside in (f"/{name}", f"/ims/{name}"):
                assert (await asked(service.url, inside))[0] == 200, "the cluster itself gets it"
            status, answer = await asked(url, f"/v1/incident/attributes/{name}")
            assert "trace_id" in answer, "an attribute of that name is the service's to answer for"
            spelt = "".join(f"%{ord(letter):02x}" for letter in name)
            for target in (
                f"/{name}", f"/{name}?x=1", f"/{name}/", f"//{name}", f"/{spelt}", f"/{spelt.upper()}", f"/{name};x",
                f"/./{name}", f"/v1/../{name}", f"/v1/%2e%2e/{name}", f"/%2f{name}", f"/%25{spelt[1:]}",
                f"{url}/{name}", f"/{name}%00", f"/{name}%20", f"/{name}#x", f"/ims/{name}", f"/ims//{name}",
                f"/ims/{spelt}", f"/%69ms/{name}", f"/v1/incident/attributes/../../../{name}",
            ):  # fmt: skip
                status, answer = await asked(url, target, "Origin: https://elsewhere.example")
                assert status in (400, 401, 404), target
                assert "ims_" not in answer
                assert "positions" not in answer
            status, answer = await asked(url, f"/{name}", "Origin: https://elsewhere.example")
            assert (status, "access-control" in answer.lower()) == (404, False)


def ingress() -> Manifest:
    (found,) = rendered(KUBERNETES / "ingress")
    return found


async def test_the_ingress_passes_on_every_path_of_the_service_but_those(tmp_path: Path) -> None:
    paths = ingress()["spec"]["rules"][0]["http"]["paths"]

    def passed(path: str) -> bool:
        return any(
            path == each["path"] or (each["pathType"] == "Prefix" and path.startswith(f"{each['path']}/"))
            for each in paths
        )

    async with running(Settings(data_dir=tmp_path, run=("api",))) as parts:
        known = {resource.canonical for resource in application(parts).router.resources()}
    assert known > CLOSED
    assert {path for path in known if not passed(path)} == CLOSED


@contextmanager
def nginx(folder: Path, service: ServiceProcess, lines: str) -> Iterator[str]:
    """The address of an nginx with what ingress-nginx makes of the annotations, and these lines of the controller's."""
    port = free_port()
    named = {"body-size": "client_max_body_size"}
    said = {name.rpartition("/proxy-")[2]: value for name, value in ingress()["metadata"]["annotations"].items()}
    directives = [f"{named.get(name, 'proxy_' + name.replace('-', '_'))} {value};" for name, value in said.items()]
    directives.append(f"proxy_buffers 4 {said['buffer-size']};")
    (folder / "nginx.conf").write_text(f"""
        daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}
        http {{
            access_log off; {" ".join(f"{kind}_temp_path {folder};" for kind in TEMPORARY)}
            {lines}
            server {{
                listen 127.0.0.1:{port};
                location / {{ proxy_pass {service.url}; proxy_http_version 1.1; {" ".join(directives)} }}
            }}
        }}
    """)
    child = spawn(["nginx", "-e", "stderr", "-c", folder / "nginx.conf", "-p", folder], log=folder / "nginx.log")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(10)


@needs("nginx")
async def test_a_token_of_32_kib_reaches_the_service_where_the_controller_is_told_what_the_ingress_says(
    start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    (told,) = re.findall(r'"large-client-header-buffers":"([^"]+)"', (KUBERNETES / "ingress/ingress.yaml").read_text())
    service = start_service(run="api")
    long = f"Authorization: Bearer {'x' * (Settings.model_fields['max_header_size'].default - 100)}"
    for lines, reached in ((f"large_client_header_buffers {told};", True), ("", False)):
        with nginx(tmp_path, service, lines) as url:
            async with asyncio.timeout(30):
                while not await is_ready(url):
                    await asyncio.sleep(0.05)
            status, answer = await asked(url, "/v1/incident", long)
            assert (status, "trace_id" in answer) == ((401, True) if reached else (400, False))


def test_the_ingress_lets_an_event_stream_through_as_it_comes() -> None:
    said = {name.rpartition("/")[2]: value for name, value in ingress()["metadata"]["annotations"].items()}
    assert said["proxy-buffering"] == "off"
    assert int(said["proxy-read-timeout"]) > 15, "a stream sends a word every 15 seconds"
    assert said["proxy-next-upstream"] == "error", "what a process may have begun is the client's to repeat"
