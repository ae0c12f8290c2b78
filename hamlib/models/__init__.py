"""Models: a tree memory with something that asks it questions, learning by trial, and the hard path at full speed."""

from hamlib.models.baselines import EncoderDecoder
from hamlib.models.engine import Online, check_fits, visits
from hamlib.models.networks import HAM, RawHAM
from hamlib.models.trial import Reinforce, Trial, roll

__all__ = ["HAM", "EncoderDecoder", "Online", "RawHAM", "Reinforce", "Trial", "check_fits", "roll", "visits"]
