from enum import Enum


class ArtifactKind(str, Enum):
    INPUT = "INPUT"
    LOG = "LOG"
    RESULTS = "RESULTS"


class DeletionTrigger(str, Enum):
    REQUEST = "REQUEST"
    RETENTION = "RETENTION"


class ErrorCode(str, Enum):
    JOB_NOT_FOUND = "JOB_NOT_FOUND"
    JOB_ALREADY_DELETED = "JOB_ALREADY_DELETED"
    JOB_IN_PROGRESS = "JOB_IN_PROGRESS"
    INVALID_STATE = "INVALID_STATE"
    JOB_ON_HOLD = "JOB_ON_HOLD"
    PREVIEW_STALE = "PREVIEW_STALE"
    VALIDATION_FAILED = "VALIDATION_FAILED"
    INVALID_FILE = "INVALID_FILE"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"


class JobEventType(str, Enum):
    CREATED = "CREATED"
    PROGRESS = "PROGRESS"
    STATUS = "STATUS"
    DELETED = "DELETED"


class JobOrderField(str, Enum):
    CREATED_AT = "CREATED_AT"
    FINISHED_AT = "FINISHED_AT"
    FILE_NAME = "FILE_NAME"
    STATUS = "STATUS"


class JobOrigin(str, Enum):
    JOBLINK = "JOBLINK"
    ADOPTED = "ADOPTED"


class JobStatus(str, Enum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class LinkSource(str, Enum):
    UPLOAD = "UPLOAD"
    MANIFEST = "MANIFEST"
    SOURCE_FILE = "SOURCE_FILE"
    TIME_WINDOW = "TIME_WINDOW"
    RELEASED = "RELEASED"


class OrderDirection(str, Enum):
    ASC = "ASC"
    DESC = "DESC"


class PredictionKind(str, Enum):
    ANNUAL = "ANNUAL"
    QUARTERLY = "QUARTERLY"


class RiskLevel(str, Enum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


class Role(str, Enum):
    MEMBER = "MEMBER"
    ORG_ADMIN = "ORG_ADMIN"
    OPERATOR = "OPERATOR"


class RowErrorCode(str, Enum):
    DUPLICATE = "DUPLICATE"
    MISSING_VALUE = "MISSING_VALUE"
    INVALID_VALUE = "INVALID_VALUE"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    MALFORMED = "MALFORMED"
