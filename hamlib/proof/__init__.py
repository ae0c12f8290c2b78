"""Right for every input: a digital memory as a machine with tables, a proof over its states, or a counterexample."""

from hamlib.proof.examples import Counterexample
from hamlib.proof.extraction import NotFinite, extract
from hamlib.proof.laws import LAWS
from hamlib.proof.machine import TreeMachine
from hamlib.proof.speed import places
from hamlib.proof.starts import begun, random_starts
from hamlib.proof.theorem import PROVABLE, Proof, TableRunner, Undecided, examine, is_proved, prove, read_proof

__all__ = [
    "LAWS",
    "PROVABLE",
    "Counterexample",
    "NotFinite",
    "Proof",
    "TableRunner",
    "TreeMachine",
    "Undecided",
    "begun",
    "examine",
    "extract",
    "is_proved",
    "places",
    "prove",
    "random_starts",
    "read_proof",
]
