from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Optional, Union

from pydantic import Field

from .base_model import BaseModel
from .enums import LinkSource, RiskLevel
from .fragments import PageFields


class ListPredictions(BaseModel):
    job: Optional["ListPredictionsJob"]


class ListPredictionsJob(BaseModel):
    predictions: "ListPredictionsJobPredictions"


class ListPredictionsJobPredictions(BaseModel):
    nodes: list[
        Annotated[
            Union[
                "ListPredictionsJobPredictionsNodesPrediction",
                "ListPredictionsJobPredictionsNodesAnnualPrediction",
                "ListPredictionsJobPredictionsNodesQuarterlyPrediction",
            ],
            Field(discriminator="typename__"),
        ]
    ]
    page_info: "ListPredictionsJobPredictionsPageInfo" = Field(validation_alias="pageInfo", serialization_alias="pageInfo")


class ListPredictionsJobPredictionsNodesPrediction(BaseModel):
    typename__: Literal["Prediction"] = Field(validation_alias="__typename", serialization_alias="__typename")
    id: str
    company: "ListPredictionsJobPredictionsNodesPredictionCompany"
    reporting_year: str = Field(validation_alias="reportingYear", serialization_alias="reportingYear")
    reporting_quarter: Optional[str] = Field(validation_alias="reportingQuarter", serialization_alias="reportingQuarter")
    probability: Optional[Decimal]
    risk_level: Optional[RiskLevel] = Field(validation_alias="riskLevel", serialization_alias="riskLevel")
    confidence: Optional[Decimal]
    link_source: Optional[LinkSource] = Field(validation_alias="linkSource", serialization_alias="linkSource")
    predicted_at: Optional[datetime] = Field(validation_alias="predictedAt", serialization_alias="predictedAt")
    created_at: Optional[datetime] = Field(validation_alias="createdAt", serialization_alias="createdAt")


class ListPredictionsJobPredictionsNodesPredictionCompany(BaseModel):
    id: str
    symbol: str
    name: str
    sector: str
    market_cap: Decimal = Field(validation_alias="marketCap", serialization_alias="marketCap")


class ListPredictionsJobPredictionsNodesAnnualPrediction(BaseModel):
    typename__: Literal["AnnualPrediction"] = Field(validation_alias="__typename", serialization_alias="__typename")
    id: str
    company: "ListPredictionsJobPredictionsNodesAnnualPredictionCompany"
    reporting_year: str = Field(validation_alias="reportingYear", serialization_alias="reportingYear")
    reporting_quarter: Optional[str] = Field(validation_alias="reportingQuarter", serialization_alias="reportingQuarter")
    probability: Optional[Decimal]
    risk_level: Optional[RiskLevel] = Field(validation_alias="riskLevel", serialization_alias="riskLevel")
    confidence: Optional[Decimal]
    link_source: Optional[LinkSource] = Field(validation_alias="linkSource", serialization_alias="linkSource")
    predicted_at: Optional[datetime] = Field(validation_alias="predictedAt", serialization_alias="predictedAt")
    created_at: Optional[datetime] = Field(validation_alias="createdAt", serialization_alias="createdAt")
    long_term_debt_to_total_capital: Optional[Decimal] = Field(
        validation_alias="longTermDebtToTotalCapital", serialization_alias="longTermDebtToTotalCapital"
    )
    total_debt_to_ebitda: Optional[Decimal] = Field(validation_alias="totalDebtToEbitda", serialization_alias="totalDebtToEbitda")
    net_income_margin: Optional[Decimal] = Field(validation_alias="netIncomeMargin", serialization_alias="netIncomeMargin")
    ebit_to_interest_expense: Optional[Decimal] = Field(
        validation_alias="ebitToInterestExpense", serialization_alias="ebitToInterestExpense"
    )
    return_on_assets: Optional[Decimal] = Field(validation_alias="returnOnAssets", serialization_alias="returnOnAssets")


class ListPredictionsJobPredictionsNodesAnnualPredictionCompany(BaseModel):
    id: str
    symbol: str
    name: str
    sector: str
    market_cap: Decimal = Field(validation_alias="marketCap", serialization_alias="marketCap")


class ListPredictionsJobPredictionsNodesQuarterlyPrediction(BaseModel):
    typename__: Literal["QuarterlyPrediction"] = Field(validation_alias="__typename", serialization_alias="__typename")
    id: str
    company: "ListPredictionsJobPredictionsNodesQuarterlyPredictionCompany"
    reporting_year: str = Field(validation_alias="reportingYear", serialization_alias="reportingYear")
    reporting_quarter: Optional[str] = Field(validation_alias="reportingQuarter", serialization_alias="reportingQuarter")
    probability: Optional[Decimal]
    risk_level: Optional[RiskLevel] = Field(validation_alias="riskLevel", serialization_alias="riskLevel")
    confidence: Optional[Decimal]
    link_source: Optional[LinkSource] = Field(validation_alias="linkSource", serialization_alias="linkSource")
    predicted_at: Optional[datetime] = Field(validation_alias="predictedAt", serialization_alias="predictedAt")
    created_at: Optional[datetime] = Field(validation_alias="createdAt", serialization_alias="createdAt")
    total_debt_to_ebitda: Optional[Decimal] = Field(validation_alias="totalDebtToEbitda", serialization_alias="totalDebtToEbitda")
    sga_margin: Optional[Decimal] = Field(validation_alias="sgaMargin", serialization_alias="sgaMargin")
    long_term_debt_to_total_capital: Optional[Decimal] = Field(
        validation_alias="longTermDebtToTotalCapital", serialization_alias="longTermDebtToTotalCapital"
    )
    return_on_capital: Optional[Decimal] = Field(validation_alias="returnOnCapital", serialization_alias="returnOnCapital")
    logistic_probability: Optional[Decimal] = Field(
        validation_alias="logisticProbability", serialization_alias="logisticProbability"
    )
    gbm_probability: Optional[Decimal] = Field(validation_alias="gbmProbability", serialization_alias="gbmProbability")


class ListPredictionsJobPredictionsNodesQuarterlyPredictionCompany(BaseModel):
    id: str
    symbol: str
    name: str
    sector: str
    market_cap: Decimal = Field(validation_alias="marketCap", serialization_alias="marketCap")


ListPredictionsJobPredictionsPageInfo = PageFields
ListPredictions.model_rebuild()
ListPredictionsJob.model_rebuild()
ListPredictionsJobPredictions.model_rebuild()
ListPredictionsJobPredictionsNodesPrediction.model_rebuild()
ListPredictionsJobPredictionsNodesAnnualPrediction.model_rebuild()
ListPredictionsJobPredictionsNodesQuarterlyPrediction.model_rebuild()
