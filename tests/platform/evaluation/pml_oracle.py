"""Scores the cases of an .npz file with pytorch-metric-learning and prints them as JSON.

A program and not a fixture: importing that library replaces `faiss.Index.search` in the whole process, which
would break every gallery test that runs after it.
"""

import json
import sys

import numpy as np
import torch
from pytorch_metric_learning.distances import DotProductSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN

cases = np.load(sys.argv[1])
answers = {}
for name in sorted({key.split(".")[0] for key in cases.files}):
    queries, query_labels, gallery, gallery_labels = (
        torch.from_numpy(cases[f"{name}.{part}"])
        for part in ("queries", "query_labels", "gallery", "gallery_labels")
    )
    calculator = AccuracyCalculator(
        include=("precision_at_1", "mean_average_precision_at_r"),
        k="max_bin_count",
        device=torch.device("cpu"),
        knn_func=CustomKNN(DotProductSimilarity(normalize_embeddings=False)),
    )
    same = name.startswith("leave_one_out")
    answers[name] = (
        calculator.get_accuracy(queries, query_labels)
        if same
        else calculator.get_accuracy(queries, query_labels, gallery, gallery_labels)
    )
print(json.dumps(answers))
