"""The front page of a round: which splits are scored, when, what was handed in, and how to check the organisers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mibench.intake.round import Round, SplitName
from mibench.leaderboard.text import markdown, plain
from mibench.shared_task.audit import AuditLine

WORDS: Mapping[SplitName, str] = {
    "standings": "Standings: scored while the round runs",
    "final": "Final results: scored once, after closing, for what teams nominated",
}


@dataclass(frozen=True)
class Front:
    """What the front page says.

    Attributes:
        round: The rules.
        at: When it was written.
        closed: The line of the audit log that says so; None: the round is open.
        splits: Splits whose results are published.
        states: Entries in each state, on the split of the standings.
        final_states: Likewise, on the final split.
        audit: Hash of the last line of the audit log.
        revealed: Whether salt and splits are published.
    """

    round: Round
    at: datetime
    closed: AuditLine | None
    splits: tuple[SplitName, ...]
    states: Mapping[str, int]
    final_states: Mapping[str, int]
    audit: str
    revealed: bool

    @property
    def status(self) -> str:
        """Where the round stands, in one line."""
        when = self.round.deadline.isoformat()
        if self.closed is None:
            return f"Open until {when}."
        early = f" before the deadline: {plain(self.closed.reason, 500)}" if self.closed.reason else ""
        return f"Closed on {self.closed.time}{early}. The deadline was {when}."

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is fixed, and what came in."""
        rules = self.round
        counts = [("Entries", _counted(self.states))]
        counts += [("Entries of the final", _counted(self.final_states))] if self.final_states else []
        return [
            ("Written", self.at.isoformat(timespec="seconds")),
            ("Status", self.status),
            ("Organiser", f"{plain(rules.organiser, 200)}, {plain(rules.contact, 200)}"),
            *counts,
            ("Versions", f"mibench {rules.mibench}; {_versions(rules.tasks)}; {_versions(rules.metrics)}"),
            ("Rows", f"{rules.scoring.rows} of each data set, convention {rules.scoring.convention}"),
            ("Head of the audit log", self.audit),
        ]

    @property
    def commitments(self) -> list[tuple[str, str]]:
        """Digest of each private split and the salt, published at opening."""
        return [(name, self.round.commitments[name]) for name in self.round.commitments]

    @property
    def verify(self) -> tuple[str, str]:
        """How anyone checks the organisers: in words, and as a command."""
        if self.revealed:
            words = (
                "The private splits and their salt are in reveal/. They give the digests that round.json has had since "
                "the round was opened; anyone can check that:"
            )
        else:
            words = (
                "The private splits are fixed: round.json has had the digest of each, with a secret salt, since the "
                "round was opened. After it the splits and the salt are published, and anyone can check them:"
            )
        return words, "mibench shared-task verify round.json reveal"


def front_markdown(front: Front) -> bytes:
    """Return the front page as Markdown."""
    links = [f"- [{WORDS[split]}]({split}/standings.md)" for split in front.splits]
    links += ["- [Rules](round.json)", *(["- [Everything that happened](audit.jsonl)"] if front.closed else [])]
    lines, command = front.verify
    parts = [
        f"# {markdown(plain(front.round.title))}",
        "\n".join(links),
        "\n".join(f"- {name}: {markdown(words)}" for name, words in front.facts),
        "## Check the organisers",
        lines,
        f"```\n{command}\n```",
        "\n".join(f"- {name}: `{digest}`" for name, digest in front.commitments),
    ]
    return ("\n\n".join(parts) + "\n").encode()


def front_page(front: Front) -> bytes:
    """Return the front page as HTML: one file, no script."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(_PAGE).render(front=front, words=WORDS).encode()


def _counted(states: Mapping[str, int]) -> str:
    """How many are in which state."""
    inside = ", ".join(f"{count} {name}" for name, count in sorted(states.items()))
    return f"{sum(states.values())}" + (f" ({inside})" if inside else "")


def _versions(known: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(known.items()))


_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ front.round.title }}</title>
<style>
body { margin: 40px auto; padding: 0 24px; max-width: 860px; font: 16px/1.5 system-ui, sans-serif; }
dt { font-weight: 600; }
dd { margin: 0 0 8px; overflow-wrap: anywhere; }
code, pre { overflow-wrap: anywhere; white-space: pre-wrap; }
</style>
</head>
<body>
<h1>{{ front.round.title }}</h1>
<ul>
{% for split in front.splits %}
<li>{{ words[split] }}: <a href="{{ split }}/standings.md">standings.md</a>,
<a href="{{ split }}/standings.json">standings.json</a>,
<a href="{{ split }}/leaderboard/site/index.html">tables</a></li>
{% endfor %}
<li>Rules: <a href="round.json">round.json</a></li>
{% if front.closed %}
<li>Everything that happened: <a href="audit.jsonl">audit.jsonl</a></li>
{% endif %}
</ul>
<dl>
{% for name, value in front.facts %}
<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% endfor %}
</dl>
<h2>Check the organisers</h2>
<p>{{ front.verify[0] }}</p>
<pre>{{ front.verify[1] }}</pre>
<dl>
{% for name, digest in front.commitments %}
<dt>{{ name }}</dt><dd><code>{{ digest }}</code></dd>
{% endfor %}
</dl>
</body>
</html>
"""
