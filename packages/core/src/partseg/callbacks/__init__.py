"""Lightning callbacks: scores, pictures and files of what a method predicts, the same for every method."""

from partseg.callbacks.evaluation import EvaluateParts
from partseg.callbacks.predictions import SavePredictions
from partseg.callbacks.renders import LogRenders

__all__ = ["EvaluateParts", "LogRenders", "SavePredictions"]
