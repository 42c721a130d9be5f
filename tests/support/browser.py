"""A real browser, headless: what it makes of a page, at some width."""

from __future__ import annotations

import json
import re
import subprocess

from services import program

PROBE = """
<script>
addEventListener("load", () => {
  const boxes = [...document.querySelectorAll(%s)].map((e) => {
    const r = e.getBoundingClientRect();
    return {width: r.width, height: r.height, left: r.left, right: r.right,
            text: e.textContent, title: e.title,
            wide: e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "visible"};
  });
  // Without the scroll bar, which takes its part of the window.
  const root = document.documentElement;
  const found = {inner: root.clientWidth, wide: root.scrollWidth, boxes,
                 requests: performance.getEntriesByType("resource").length};
  root.setAttribute("data-found", JSON.stringify(found));
});
</script>
"""
"""What a test asks of the page; the page itself has no script, and its policy forbids any."""


def laid_out(path, folder, width, selector):
    """Return how a page is laid out at a width in pixels: its width, and the boxes of a selector.

    The page is opened with the test's own question in it, and without the policy that forbids it.
    """
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text())
    asked = folder / f"asked-{width}.html"
    asked.write_text(text.replace("</head>", PROBE % json.dumps(selector) + "</head>"))
    done = subprocess.run(
        [
            program("chromium"),
            "--headless",
            "--no-sandbox",  # tests may run as root, and the page is our own
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},1200",
            "--dump-dom",
            asked.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found, done.stderr[-2_000:]
    return json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&"))
