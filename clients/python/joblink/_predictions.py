"""Short names of what the lists of a job hold."""

from ._api.list_predictions import (
    ListPredictionsJobPredictionsNodesAnnualPrediction as AnnualPrediction,
)
from ._api.list_predictions import (
    ListPredictionsJobPredictionsNodesPrediction as OtherPrediction,
)
from ._api.list_predictions import (
    ListPredictionsJobPredictionsNodesQuarterlyPrediction as QuarterlyPrediction,
)
from ._api.list_row_errors import ListRowErrorsJobRowErrorsNodes as RowError

#: A prediction of either kind, told apart by `isinstance` or `typename__`.
Prediction = OtherPrediction | AnnualPrediction | QuarterlyPrediction

__all__ = ["AnnualPrediction", "Prediction", "QuarterlyPrediction", "RowError"]
