"""Public holidays by country, from the `holidays` package, which is imported when first needed.

A book names countries; which dates they mean is looked up year by year and kept, since a provider
with a thousand calendars has them in a handful of countries.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from slastream.core.calendar import HolidayRule
from slastream.core.errors import Misconfigured


def check_holidays(rule: HolidayRule) -> None:
    """Raise `Misconfigured` for a country or a subdivision that nobody knows the holidays of."""
    known = _package().list_supported_countries(include_aliases=True)
    country = rule.country.upper()
    if country not in known:
        raise Misconfigured(
            f"no public holidays are known for the country {rule.country!r}",
            hint="countries are ISO 3166 codes such as FR, DE, US",
        )
    if rule.subdivision is not None and rule.subdivision not in known[country]:
        some = ", ".join(sorted(known[country])[:12]) or "none at all"
        raise Misconfigured(
            f"no public holidays are known for {rule.subdivision!r} in {country}",
            hint=f"known there: {some}",
        )


@cache
def public_holidays(rule: HolidayRule, year: int) -> dict[int, str]:
    """Return the holidays of one year: date ordinal -> name. Raises like `check_holidays`."""
    check_holidays(rule)
    country = rule.country.upper()
    # Names are the country's own. Left to itself the package would look at this machine's locale.
    language = getattr(_package(), country).default_language
    dates = _package().country_holidays(
        country, subdiv=rule.subdivision, years=year, expand=False, language=language
    )
    return {day.toordinal(): str(name) for day, name in dates.items() if day.year == year}


@cache
def _package() -> ModuleType:
    import holidays

    module: ModuleType = holidays
    return module
