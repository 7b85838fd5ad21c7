"""Prefect's pages: they open no connection but to their own server.

The V2 pages start an analytics library that asks its maker's host for its settings, even where
analytics are off; no setting of Prefect's prevents that. So the pages that the server serves tell
the browser to refuse it.
"""

from pathlib import Path

PAGES = "PREFECT_SERVER_UI_STATIC_DIRECTORY"
"""Prefect's variable of the folder into which its server copies the pages."""
UI_VERSION = "v2"
"""Prefect's newer pages: only they show the lineage as a drawing."""
HEAD = "<head>"


def keep_to_this_server(folder: Path, api: str) -> None:
    """Add the policy to the pages that the server has copied into `folder`; twice is once.

    Args:
        folder: What `PAGES` names.
        api: Where the pages look for the API: below their own address, or at another one.
    """
    elsewhere = "" if api.startswith("/") else f" {api}/"
    policy = (
        '<meta http-equiv="Content-Security-Policy" '
        f"content=\"connect-src 'self' ws: wss:{elsewhere}\">"
    )
    for page in folder.glob("*/index.html"):
        text = page.read_text(encoding="utf-8")
        if policy not in text:
            page.write_text(text.replace(HEAD, HEAD + policy, 1), encoding="utf-8")
