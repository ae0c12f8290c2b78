"""Recipes: all that a training run depends on but its seed, one for every model of the book."""

from hamlib.recipes.recipe import Recipe, Stage, grow
from hamlib.recipes.shipped import RATES, RECIPES, get_recipe

__all__ = ["RATES", "RECIPES", "Recipe", "Stage", "get_recipe", "grow"]
