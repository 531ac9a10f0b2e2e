"""The numbers of records, checked where they are read: a results directory may come from anywhere."""

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Number = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
Length = Annotated[float, msgspec.Meta(ge=0.001, le=1e15)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
