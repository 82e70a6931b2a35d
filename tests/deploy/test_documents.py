"""What operators read names tests that exist, files that exist and settings that exist."""

import re
from pathlib import Path

import pytest

from service.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "SECURITY.md", *sorted((ROOT / "deploy").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.name))
def test_what_it_names_exists(document: Path) -> None:
    text = document.read_text()
    named = set(re.findall(r"`(tests/[\w/]+(?:\.py)?)", text))
    assert {name for name in named if not (ROOT / name).exists()} == set()
    known = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"`(test_\w+\.py)`", text)) <= known
    variables = set(re.findall(r"\bIMS_[A-Z][A-Z_]+\b", text))
    assert variables <= {f"IMS_{name.upper()}" for name in Settings.model_fields}
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_each_claim_for_operators_has_its_test_beside_it() -> None:
    """Each paragraph and each point of a list; code and tables follow from those."""
    page = re.sub(r"^```.*?^```$", "", (ROOT / "deploy" / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    claims = [part.strip() for part in re.split(r"\n\n|\n(?=- )", page) if part.strip()]
    claims = [claim for claim in claims if not claim.startswith(("#", "|"))]
    assert len(claims) > 10
    assert [claim for claim in claims if not re.search(r"`tests/\w+/test_\w+\.py`", claim)] == []
