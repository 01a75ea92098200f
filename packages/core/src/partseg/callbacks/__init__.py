"""Lightning callbacks: scores and files of what a method predicts, the same for every method."""

from partseg.callbacks.evaluation import EvaluateParts
from partseg.callbacks.predictions import SavePredictions

__all__ = ["EvaluateParts", "SavePredictions"]
