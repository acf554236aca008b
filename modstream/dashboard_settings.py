"""The settings of the dashboard; this module imports no other of modstream."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """Where the dashboard listens, who may see it, and how many pages it keeps current."""

    host: str = "127.0.0.1"
    """Address to listen on. Any other than a loopback address needs API keys."""
    port: int = 8501
    """Port of HTTP; 0 chooses a free one."""
    origin: str = ""
    """Where browsers reach the dashboard if a reverse proxy is before it, such as
    https://models.example.org; by default its own address."""
    require_key: bool = False
    """Whether pages need a key with the scope read:STREAM. They do anyway on any other than a
    loopback address. Promotions and rollbacks always need one with manage:STREAM."""
    max_live_pages: int = 64
    """Maximum number of open pages that are kept current; further ones must be reloaded by hand."""
