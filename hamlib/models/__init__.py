"""Models: a tree memory with something that asks it questions, learning by trial, and the hard path at full speed."""

from hamlib.models.baselines import EncoderDecoder
from hamlib.models.engine import Online, check_fits, visits
from hamlib.models.networks import HAM, RawHAM
from hamlib.models.policy_gradient import PolicyGradient, Reinforce, rollout

__all__ = [
    "HAM",
    "EncoderDecoder",
    "Online",
    "RawHAM",
    "Reinforce",
    "PolicyGradient",
    "check_fits",
    "rollout",
    "visits",
]
