"""The pages on the service say what the tests on a machine hold them to."""

import pytest

from tests.docs.pages import page
from tests.service import howto


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (howto.PAGE, f"The second says `{howto.EXPOSURE} OK`"),
        ("docs/explanation/threat-model.md", f"calls its exposure {howto.EXPOSURE} of 10"),
    ],
)
def test_the_exposure_on_the_pages_is_the_one_that_is_held(name: str, words: str) -> None:
    """Whoever changes the unit changes the sentence."""
    assert words in page(name)
