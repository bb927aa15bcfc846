"""Pages behind the links of a message: a page asks, and only a press of its button acts.

Programs that look at links before people do (previews, scanners of mail) therefore acknowledge nothing.
"""

from __future__ import annotations

from html import escape

from hallmark.alerts.channels.tokens import Grant

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem;color:#1d1c1d}"
    "button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.4rem;background:#007a5a;color:#fff}"
    "input{font:inherit;padding:.5rem;width:100%;box-sizing:border-box;margin:.3rem 0 1rem}"
)
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
}
_VERBS = {"ack": "Acknowledge", "silence": "Silence"}


def confirm_page(grant: Grant, token: str, silence_for: str) -> str:
    """Return the page that asks whether to act."""
    verb = _VERBS[grant.purpose] + (f" for {silence_for}" if grant.purpose == "silence" else "")
    means = (
        "Nobody else is told because of these alerts while they last."
        if grant.purpose == "ack"
        else "Nobody is told of these alerts until then."
    )
    return _page(
        verb,
        f"<p><strong>{escape(grant.title or grant.group)}</strong></p><p>{escape(means)}</p>"
        f'<form method="post"><input type="hidden" name="token" value="{escape(token)}">'
        '<label>Your name<input name="by" maxlength="80" autocomplete="name" required></label>'
        f"<button>{escape(verb)}</button></form>",
    )


def done_page(grant: Grant, by: str) -> str:
    """Return the page that says what was done."""
    done = "Acknowledged" if grant.purpose == "ack" else "Silenced"
    return _page(done, f"<p>{done} by {escape(by)}: {escape(grant.title or grant.group)}</p>")


def refusal_page(reason: str) -> str:
    """Return the page that says why nothing was done."""
    return _page("Nothing was done", f"<p>{escape(reason)}</p>")


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · Hallmark</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )
