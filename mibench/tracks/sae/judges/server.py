"""A judge behind an OpenAI-compatible server."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mibench.core.errors import ModelError
from mibench.tasks.sae.autointerp import JudgeLimits
from mibench.tracks.sae.judges.address import KEY_VARIABLE, Address
from mibench.tracks.sae.judges.judge import NoAnswerError, Question, storable

_PAUSE = 1.0
"""Seconds before a request is repeated; twice as long before it is repeated again."""
_PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may be gone the next time."""
_CHUNK = 65536
_HIDDEN = "[key]"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the key would go along."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse; the status is then an error."""


@dataclass(frozen=True, eq=False)
class ServerJudge:
    """Asks ``POST …/chat/completions`` at temperature 0.

    Attributes:
        address: Which server, and which of its models.
        limits: Of one answer.
        key: Sent as a bearer token, and in no message; empty: none is sent.
        pause: Waits some seconds.
    """

    address: Address
    limits: JudgeLimits
    key: str = ""
    pause: Callable[[float], None] = time.sleep

    @property
    def name(self) -> str:
        """Server and model."""
        return self.address.name

    def __repr__(self) -> str:
        """Name it without its key."""
        return f"ServerJudge({self.name!r})"

    def answer(self, question: Question) -> str:
        """Return the answer; a request that failed on the way is repeated.

        Raises:
            NoAnswerError: It failed each time, or its reply is too long or of another form.
            ModelError: The server refuses such requests.
        """
        reason = ""
        for attempt in range(self.limits.retries + 1):
            if attempt:
                self.pause(_PAUSE * 2 ** (attempt - 1))
            try:
                return self._clean(_content(self._reply(question)))
            except urllib.error.HTTPError as error:
                reason = self._refused(error)
            except NoAnswerError as error:
                reason = str(error)
            except TimeoutError:
                reason = f"no reply within {self.limits.seconds:g} s"
            except (OSError, http.client.HTTPException) as error:
                reason = _network_reason(error, self.limits.seconds)
        raise NoAnswerError(self._clean(reason))

    def _reply(self, question: Question) -> bytes:
        opener, seconds = self._opener(), self.limits.seconds
        deadline = time.monotonic() + seconds
        parts, length = [], 0
        with opener.open(self._request(question), timeout=seconds) as response:
            # A reply that trickles in never runs into the time-out of a single read.
            while part := response.read1(_CHUNK):
                parts.append(part)
                length += len(part)
                if length > self.limits.max_bytes:
                    raise NoAnswerError(f"the reply is longer than {self.limits.max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError
        return b"".join(parts)

    def _request(self, question: Question) -> urllib.request.Request:
        body = {
            "model": self.address.model,
            "messages": [
                {"role": "system", "content": question.task},
                {"role": "user", "content": question.material},
            ],
            "temperature": 0,
            "max_tokens": question.max_tokens,
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "mibench"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        data = json.dumps(body, ensure_ascii=True).encode()
        return urllib.request.Request(f"{self.address.base}/chat/completions", data, headers, method="POST")  # noqa: S310 - http(s) only, see Address

    def _opener(self) -> urllib.request.OpenerDirector:
        proxies = urllib.request.ProxyHandler({} if self.address.local else None)
        return urllib.request.build_opener(proxies, _NoRedirects)

    def _refused(self, error: urllib.error.HTTPError) -> str:
        """Return why a request failed that may be repeated.

        Raises:
            ModelError: Repeating it is of no use.
        """
        status = int(error.code)
        error.close()
        told = f"HTTP {status} {http.client.responses.get(status, '')}".strip()
        if status >= 500 or status in _PASSING:
            return told
        raise ModelError(f"The judge {self.name} refuses to answer.", why=told, do=_advice(status))

    def _clean(self, text: str) -> str:
        return storable(text.replace(self.key, _HIDDEN) if self.key else text)


def _network_reason(error: OSError | http.client.HTTPException, seconds: float) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return f"no reply within {seconds:g} s"
    return f"{type(reason).__name__}: {reason}"[:200]


def _advice(status: int) -> str:
    if status in {401, 403}:
        return f"Put a key for this server into the environment variable {KEY_VARIABLE}."
    if 300 <= status < 400:
        return "Redirects are not followed: give the address that it leads to."
    return "Check the address (https://HOST/v1), the model's name behind #, and how long a prompt it takes."


def _content(reply: bytes) -> str:
    """Return the first choice's text.

    Raises:
        NoAnswerError: The reply is of another form.
    """
    try:
        content = json.loads(reply)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise NoAnswerError("the reply is not a chat completion") from error
    if not isinstance(content, str):
        raise NoAnswerError("the reply is not a chat completion")
    return content
