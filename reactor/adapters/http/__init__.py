"""HTTP requests of policies: a webhook, an API of the house."""

from reactor.adapters.http.client import HttpClient, Limits
from reactor.adapters.http.request import HIDDEN, shown_url

__all__ = ["HIDDEN", "HttpClient", "Limits", "shown_url"]
