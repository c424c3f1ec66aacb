"""Where a judge's server is, checked so that no key goes astray."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from mibench.core.errors import UsageError

KEY_VARIABLE = "MIBENCH_JUDGE_KEY"
"""Environment variable with the key; it is in no setting, record, table or message."""
_MODEL = re.compile(r"[\x21-\x7e]{1,200}")
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_LONGEST = 1000


@dataclass(frozen=True)
class Address:
    """A server and one of its models.

    Attributes:
        base: ``https://HOST/v1``, without a slash at the end.
        model: Name of the model.
        host: Name or number of the server.
    """

    base: str
    model: str
    host: str

    @property
    def name(self) -> str:
        """Both, as references have them."""
        return f"{self.base}#{self.model}"

    @property
    def local(self) -> bool:
        """Whether it is this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def address(ref: str) -> Address:
    """Read ``https://HOST/v1#MODEL``. Messages do not repeat it: a key may have got into it.

    Raises:
        UsageError: It is none, or holds a user name, a password or a query.
    """
    try:
        found = urlsplit(ref)
        host = found.hostname
        _ = found.port
    except ValueError as error:
        raise _wrong("It is no web address.") from error
    if found.scheme not in {"http", "https"} or not host or len(ref) > _LONGEST or not _plain(ref):
        raise _wrong("It is no web address.")
    if found.username is not None or found.password is not None or found.query:
        raise _wrong("It holds a user name, a password or a query, and would be in every record.")
    if not _MODEL.fullmatch(found.fragment):
        raise _wrong("It names no model.")
    return Address(_base(found), found.fragment, host)


def key_for(where: Address) -> str:
    """Return the key in the environment; empty where there is none.

    Raises:
        UsageError: It has characters that no key has, or would go over the network in the clear.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if key and not _KEY.fullmatch(key):
        why = "It has spaces, line breaks or other characters that no header can hold."
        raise UsageError(f"The key in {KEY_VARIABLE} cannot be used.", why=why, do="Set it again.")
    if key and where.base.startswith("http://") and not where.local:
        why = "Anyone on the way could read it: the address begins with http, not https."
        raise UsageError("The judge's key is not sent.", why=why, do=f"Use https, or unset {KEY_VARIABLE}.")
    return key


def _base(found: SplitResult) -> str:
    return f"{found.scheme}://{found.netloc}{found.path}".rstrip("/")


def _plain(ref: str) -> bool:
    return all("\x21" <= letter <= "\x7e" for letter in ref)


def _wrong(why: str) -> UsageError:
    return UsageError("The judge's address cannot be used.", why=why, do="Write it as https://HOST/v1#MODEL.")
