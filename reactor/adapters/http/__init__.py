"""HTTP requests of policies: web services that are told or asked."""

from reactor.adapters.http.client import HttpClient, Limits
from reactor.adapters.http.request import shown_url

__all__ = ["HttpClient", "Limits", "shown_url"]
