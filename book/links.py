"""The repository's address stands in pyproject.toml alone; here it is carried everywhere else."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Where an address is derived, the owner and name of the repository follow the first group.
DERIVED = re.compile(
    r"(colab\.research\.google\.com/github/|git\+https://github\.com/"
    r"|repository-code:\s*[\"']?https://github\.com/|git clone https://github\.com/)"
    r"[\w.-]+/[\w.-]*[\w-]"
    r"((?:\s+(?:&&\s*)?cd )[\w.-]*[\w-])?"  # git clone …, then cd into the folder that it made
)

# The site's address in the README, which GitHub Pages derives from the owner and the name.
SITE = re.compile(r"(\[the site\]\()https://[\w-]+\.github\.io/[\w.-]*[\w-]/")


def slug(root=ROOT):
    """Return "owner/name" of the repository, from ``[project.urls] Repository``.

    Raises:
        ValueError: the address is not ``https://github.com/owner/name``, which Colab needs.
    """
    address = tomllib.loads((root / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]*[\w-])/?", address)
    if not match:
        raise ValueError(f"[project.urls] Repository must be https://github.com/owner/name, not {address!r}")
    return match[1].removesuffix(".git")


def carry(text, repository):
    """Return `text` with every derived address pointing to `repository` ("owner/name")."""

    def replace(match):
        cd = re.sub(r"[\w.-]+$", repository.split("/")[1], match[2]) if match[2] else ""
        return match[1] + repository + cd

    owner, name = repository.split("/")
    text = SITE.sub(lambda match: f"{match[1]}https://{owner.lower()}.github.io/{name}/", text)
    return DERIVED.sub(replace, text)


def update(root=ROOT, dry_run=False):
    """Rewrite the derived addresses in the notebooks' sources, README.md and CITATION.cff.

    Returns the paths of the files that differ; with `dry_run` nothing is written.
    """
    repository, changed = slug(root), []
    for path in [*sorted((root / "notebooks").glob("*.py")), root / "README.md", root / "CITATION.cff"]:
        if path.exists():
            text = path.read_text(encoding="utf-8")
            if (new := carry(text, repository)) != text:
                changed.append(path)
                if not dry_run:
                    path.write_text(new, encoding="utf-8")
    return changed
