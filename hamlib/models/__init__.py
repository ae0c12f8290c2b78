"""Models: a tree memory with something that asks it questions, what trains its hard paths, and those at full speed."""

from hamlib.models.answering import Answering, Visit, check_fits
from hamlib.models.baselines import EncoderDecoder
from hamlib.models.engine import Online
from hamlib.models.every_leaf import BestLeaf, EveryLeaf, chance_of_best
from hamlib.models.networks import HAM, RawHAM
from hamlib.models.policy_gradient import PolicyGradient, Reinforce, rollout
from hamlib.models.weights import load_weights, locked, save_weights, weights_hash, write_whole

__all__ = [
    "HAM",
    "BestLeaf",
    "EncoderDecoder",
    "EveryLeaf",
    "Online",
    "RawHAM",
    "Reinforce",
    "PolicyGradient",
    "chance_of_best",
    "check_fits",
    "rollout",
    "Answering",
    "Visit",
    "load_weights",
    "locked",
    "save_weights",
    "weights_hash",
    "write_whole",
]
