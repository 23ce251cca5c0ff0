from .advice import Advice, Prices, advise
from .cascading import score_cascades
from .page import rows_of
from .sides import Sides, best_of
from .thresholds import Threshold, match_thresholds
from .truths import Agreement, Judged, Labels, Truth, Views, pairs_from
from .verdict import Cost, Line, Named, Verdict
from .ways import (
    ADAPTER,
    CASCADES,
    NAIVE,
    PROJECTION,
    RE_EMBED,
    STATUS_QUO,
    Answers,
    Figure,
    Way,
    compare_ways,
    search_ways,
    with_ceiling,
    with_projection,
)
from .write import VERDICT, VERDICT_PAGE, VERDICT_PICTURE, draw_verdict

__all__ = [
    "ADAPTER",
    "Advice",
    "Agreement",
    "Answers",
    "CASCADES",
    "Cost",
    "Figure",
    "Labels",
    "Line",
    "NAIVE",
    "Named",
    "Judged",
    "PROJECTION",
    "Prices",
    "RE_EMBED",
    "STATUS_QUO",
    "Sides",
    "Threshold",
    "Truth",
    "VERDICT",
    "VERDICT_PAGE",
    "VERDICT_PICTURE",
    "Verdict",
    "Views",
    "Way",
    "advise",
    "best_of",
    "compare_ways",
    "draw_verdict",
    "match_thresholds",
    "pairs_from",
    "rows_of",
    "score_cascades",
    "search_ways",
    "with_ceiling",
    "with_projection",
]
