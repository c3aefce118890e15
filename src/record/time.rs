//! The date, as ids and headers need it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in UTC, split into the numbers of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    year: u64,
    month: u64,
    day: u64,
    second: u64,
}

impl Utc {
    /// Now, as this machine's clock tells it.
    pub fn now() -> Self {
        Self::after_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO))
    }

    /// The calendar counts in years of 400, which always have 146 097 days, and lets each begin in March, so that the
    /// leap day is the last of its year.
    fn after_epoch(since: Duration) -> Self {
        let days = since.as_secs() / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let march_month = (5 * of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: era * 400 + year + u64::from(month <= 2),
            month,
            day: of_year - (153 * march_month + 2) / 5 + 1,
            second: since.as_secs() % 86_400,
        }
    }

    /// `20260131-093012`.
    pub fn compact(self) -> String {
        let Self { year, month, day, second } = self;
        format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    /// `2026-01-31T09:30:12Z`.
    pub fn extended(self) -> String {
        let Self { year, month, day, second } = self;
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_leap_days_and_the_ends_of_years() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Utc::after_epoch(Duration::from_secs(seconds)).extended(), expected);
        }
        assert_eq!(Utc::after_epoch(Duration::from_secs(951_782_461)).compact(), "20000229-000101");
    }
}
