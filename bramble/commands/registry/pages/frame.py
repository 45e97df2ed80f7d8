"""What every page has: the head, the search, the foot, and how all of it looks. Pure."""

from __future__ import annotations

import base64
import hashlib
import time

from bramble.commands.registry.pages.markup import Html, Part, address, element, html, link, void
from bramble.record import NamedTuple

STYLE = """
:root{--ground:#fdfdfb;--text:#1d2329;--soft:#5b6670;--line:#dfe3e6;--card:#fff;--link:#1f5f8b;--code:#f1f3f4;
--good:#23713d;--bad:#a8322a;--busy:#8a5a00;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ground:#14181b;--text:#dde3e7;--soft:#93a0aa;--line:#2c343a;
--card:#1b2125;--link:#82bfe8;--code:#222a2f;--good:#7fcf98;--bad:#f0958d;--busy:#e3b65f}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:1rem/1.55 system-ui,sans-serif;
overflow-wrap:anywhere}
a{color:var(--link);text-decoration:none}
a:hover,a:focus{text-decoration:underline}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
header,main,footer{max-width:60rem;margin:0 auto;padding:0 1.25rem}
header{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:center;padding-top:1rem;padding-bottom:1rem}
header .home{font-weight:650;font-size:1.1rem;color:var(--text)}
header form{flex:1 1 14rem;display:flex;gap:.5rem}
input{flex:1;min-width:0;font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);
border-radius:.4rem;padding:.35rem .7rem}
button{font:inherit;color:var(--text);background:var(--code);border:1px solid var(--line);
border-radius:.4rem;padding:.35rem .9rem;cursor:pointer}
main{border-top:1px solid var(--line);padding-top:1.25rem;padding-bottom:2rem}
footer{color:var(--soft);font-size:.85rem;padding-top:1rem;padding-bottom:2rem;
border-top:1px solid var(--line)}
h1{font-size:1.55rem;line-height:1.25;margin:.25rem 0 .5rem;font-weight:650}
h1 small{font-weight:400;color:var(--soft);font-size:1.1rem;white-space:nowrap}
h2{font-size:1.15rem;margin:2rem 0 .6rem}
h3{font-size:1rem;margin:1.4rem 0 .4rem;font-family:ui-monospace,monospace;font-weight:600}
p{margin:.5rem 0}
.soft{color:var(--soft)}
.doc{white-space:pre-wrap;margin:.4rem 0}
code,pre,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.9em}
pre{background:var(--code);border:1px solid var(--line);border-radius:.4rem;padding:.7rem .9rem;
margin:.6rem 0;white-space:pre-wrap}
pre.log{max-height:34rem;overflow:auto}
ul.plain{list-style:none;margin:0;padding:0}
ul.plain>li{border-bottom:1px solid var(--line);padding:.7rem 0}
ul.plain>li:last-child{border-bottom:0}
li .name{font-weight:600}
li p{margin:.15rem 0 0}
.columns{display:grid;grid-template-columns:minmax(0,1fr) 16rem;gap:0 2.5rem}
.columns>*{min-width:0}
aside h2:first-child{margin-top:.5rem}
aside ul{list-style:none;margin:0;padding:0}
aside li{padding:.15rem 0}
.function{border:1px solid var(--line);border-radius:.5rem;background:var(--card);padding:.6rem .9rem;
margin:.6rem 0}
.function .doc{margin-left:0;color:var(--soft)}
.note{border-left:3px solid var(--busy);padding:.2rem 0 .2rem .8rem;margin:.8rem 0}
.state{font-weight:600}
.published{color:var(--good)}.failed{color:var(--bad)}.queued,.running{color:var(--busy)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.4rem .9rem .4rem 0;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:500;font-size:.9rem}
summary{cursor:pointer}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.2rem 1.2rem;margin:.6rem 0}
dt{color:var(--soft)}dd{margin:0}
@media(max-width:46rem){.columns{grid-template-columns:minmax(0,1fr)}.wide{display:none}
dl{grid-template-columns:minmax(0,1fr)}dd{margin-bottom:.4rem}}
""".strip()
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

# spec: registry.pages.policy
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


class Surroundings(NamedTuple):
    """What a page is shown in."""

    root: str  # leads from the page to the root of the registry: "./", "../" …
    origin: str  # what the registry calls itself
    key: str  # its public key
    url: str  # by which clients reach it


def page(around: Surroundings, title: str, *parts: Part, query: str = "") -> bytes:
    """Return a page as it is sent."""
    form = element(
        "form",
        void(
            "input", type="search", name="q", value=query, placeholder="Search packages", aria_label="Search"
        ),
        element("button", "Search", type="submit"),
        action=around.root,
        method="get",
        role="search",
    )
    head = element(
        "head",
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("link", rel="icon", href="data:,"),
        element("title", f"{title} · {around.origin}" if title else around.origin),
        element("style", Html(STYLE)),
    )
    top = element(
        "header",
        link(around.root, around.origin, klass="home"),
        form,
        element("nav", link(address(around.root, "job"), "Jobs")),
    )
    trust = f'[registries]\n"{around.url}" = "{around.key}"'
    foot = element(
        "footer",
        element(
            "details",
            element("summary", "To use packages from this registry"),
            element("p", "In ~/.config/bramble/config.toml, if you trust its operator:"),
            element("pre", trust),
        ),
        element(
            "p",
            *("All of this as files: ", link(address(around.root, "index"), "index"), ", "),
            *(link(address(around.root, "index.signed"), "its signature"), ", "),
            *(link(address(around.root, "packages"), "packages"), "."),
        ),
    )
    body = element("body", top, element("main", *parts), foot)
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n".encode()


def moment(seconds: float) -> Html:
    """Return a time of day, in UTC."""
    text = time.strftime("%Y-%m-%d %H:%M", time.gmtime(min(max(seconds, 0), 253370764800)))
    return element("time", f"{text} UTC", datetime=text.replace(" ", "T") + "Z")


def counted(count: int, one: str, several: str = "") -> str:
    """Return a number with its noun."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def trouble(around: Surroundings, title: str, *lines: Part) -> bytes:
    """Return the page for a request that could not be answered."""
    return page(around, title, element("h1", title), *(element("p", html(line)) for line in lines))
