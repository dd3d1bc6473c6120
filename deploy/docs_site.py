"""Put Mermaid into the built site, so that its diagrams are drawn without the network: ``python deploy/docs_site.py``.

It comes from Maven's repository, as Kafka does, checked by its digest and kept in the same cache. The theme asks a server
on the internet for it only where no page brings it.
"""  # noqa: INP001

import sys
import zipfile
from pathlib import Path

from embedded_stack.cache import Cache
from embedded_stack.errors import StackError
from embedded_stack.pins import Pin

SITE = Path(__file__).resolve().parent.parent / "site"
SCRIPT = "assets/javascripts/mermaid.min.js"
MERMAID = Pin(
    group="org.webjars.npm",
    artifact="mermaid",
    version="11.14.0",
    packaging="jar",
    classifier="",
    size_bytes=16_257_239,
    sha256="fcc17f377c0f657513a66735d41a3095cad37e8059d80e2d80d39f91458cfbed",
)


def put(cache: Cache, site: Path) -> Path:
    """Copy the script out of its archive to where the pages look for it."""
    (archive,) = cache.files([MERMAID])
    with zipfile.ZipFile(archive) as jar:
        script = jar.read(f"META-INF/resources/webjars/mermaid/{MERMAID.version}/dist/mermaid.min.js")
    target = site / SCRIPT
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(script)
    return target


if __name__ == "__main__":
    try:
        put(Cache(), SITE)
    except StackError as error:
        sys.exit(f"docs: {error}")
