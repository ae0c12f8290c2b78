"""Right for every input: a digital memory as a machine with tables, a proof over its states, or a counterexample."""

from hamlib.proof.examples import Counterexample
from hamlib.proof.extraction import NotFinite, extract
from hamlib.proof.machine import TreeMachine
from hamlib.proof.speed import places
from hamlib.proof.theorem import LAWS, PROVABLE, Proof, TableRunner, Undecided, examine, flaws, prove, read_proof

__all__ = [
    "LAWS",
    "PROVABLE",
    "Counterexample",
    "NotFinite",
    "Proof",
    "TableRunner",
    "TreeMachine",
    "Undecided",
    "examine",
    "extract",
    "flaws",
    "places",
    "prove",
    "read_proof",
]
