"""R-SLA: a vendor's monthly score, the month it is for, and the year before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from types import MappingProxyType

from .permits import Section

KPI_SECTION = "kpi as per agreement"
WEIGHTS: Mapping[str, Fraction] = MappingProxyType(
    {
        "work safety": Fraction(2, 10),
        "service delivery": Fraction(2, 10),
        "legal compliance": Fraction(2, 10),
        "documentation/record": Fraction(2, 10),
        "technology design": Fraction(1, 10),
        "cpi": Fraction(1, 10),
        KPI_SECTION: Fraction(0),
        "remarks": Fraction(0),
    }
)
"""What a section counts, by its name in small letters; together 1."""
BEST = 10
"""The best answer; larger numbers are no answers on this scale and are ignored."""
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
"""English, whatever the process's locale says."""
HISTORY_MONTHS = 12


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of a year."""

    year: int
    number: int

    @property
    def name(self) -> str:
        return MONTHS[self.number - 1]

    def before(self, months: int = 1) -> Month:
        """So many months earlier."""
        count = self.year * 12 + self.number - 1 - months
        return Month(count // 12, count % 12 + 1)

    def __str__(self) -> str:
        return f"{self.name} {self.year}"


@dataclass(frozen=True, slots=True)
class SectionScore:
    """What one section came to, out of 10, and what it counts."""

    name: str
    average: Decimal
    weight_percent: int

    @property
    def percent(self) -> int:
        """How full a bar of it is."""
        return int(self.average * 10)


@dataclass(frozen=True, slots=True)
class Score:
    """A form's result."""

    overall: Decimal
    """0 to 100, two decimals."""
    remarks: str
    uptime: str
    sections: tuple[SectionScore, ...]
    warnings: tuple[str, ...] = ()


def score_of(sections: Sequence[Section]) -> Score:
    """10 x the sum of (average x weight) over the sections, exact until it is rounded (half up) to two decimals."""
    total = Fraction(0)
    remarks = uptime = ""
    shown: list[SectionScore] = []
    warnings: list[str] = []
    for section in sections:
        name = " ".join(section.name.lower().split())
        if name == KPI_SECTION:
            uptime = section.answers[2].answer.strip() if len(section.answers) > 2 else ""
            continue
        answers = [answer.answer for answer in section.answers]
        remarks = next((each.strip() for each in reversed(answers) if _is_remark(each)), remarks)
        weight = WEIGHTS.get(name)
        if weight is None:
            warnings.append(f"section {section.name[:100]!r} has no weight and does not count")
        if weight:
            average = average_of(answers)
            total += average * weight
            shown.append(SectionScore(section.name, _rounded(average), int(weight * 100)))
    return Score(_rounded(total * 10), remarks, uptime, tuple(shown), tuple(warnings))


def average_of(answers: Iterable[str]) -> Fraction:
    """The mean of the answers that are whole numbers from 0 to 10; 0 when there is none."""
    counted = [number for answer in answers if (number := _as_mark(answer)) is not None]
    return Fraction(sum(counted), len(counted)) if counted else Fraction(0)


def service_month(stored: object, created: datetime) -> Month:
    """The month that is scored: the stored one, else the one before creation (D25: never today's).

    `created` is local time. A month later in the calendar than that of creation belongs to the year before.
    """
    made = Month(created.year, created.month)
    number = month_number(stored)
    if number is None:
        return made.before()
    return Month(made.year - (number > made.number), number)


def month_number(name: object) -> int | None:
    """1 to 12 for the name of a month, or for its first three letters or more; None for anything else."""
    word = str(name).strip().lower() if isinstance(name, str) else ""
    if len(word) < 3:
        return None
    return next((number for number, month in enumerate(MONTHS, 1) if month.lower().startswith(word)), None)


def year_before(month: Month, scores: Iterable[tuple[Month, Decimal]]) -> list[tuple[Month, Decimal | None]]:
    """The twelve months before `month`, oldest first, each with its score; of two for one month the later one counts."""
    by_month = dict(scores)
    return [(each, by_month.get(each)) for each in (month.before(back) for back in range(HISTORY_MONTHS, 0, -1))]


def as_score(stored: object) -> Decimal | None:
    """A score as it was stored, two decimals; None for anything that is no number from 0 to 100."""
    if isinstance(stored, bool) or not isinstance(stored, int | float | str):
        return None
    try:
        value = Decimal(str(stored).strip())
    except ArithmeticError:
        return None
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP) if value.is_finite() and 0 <= value <= 100 else None


def _rounded(exact: Fraction) -> Decimal:
    hundredths = Decimal(exact.numerator * 100) / Decimal(exact.denominator)
    return (hundredths.quantize(Decimal(1), ROUND_HALF_UP) / 100).quantize(Decimal("0.01"))


def _as_mark(answer: str) -> int | None:
    word = answer.strip()
    if not (word.isascii() and word.isdigit()) or len(word) > 9:
        return None
    return number if (number := int(word)) <= BEST else None


def _is_remark(answer: str) -> bool:
    """Words; a number that is no mark (8.5, 11, -1) is neither a mark nor a remark."""
    try:
        float(answer)
    except ValueError:
        return bool(answer.strip())
    return False
