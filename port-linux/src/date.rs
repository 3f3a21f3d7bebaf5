//! Which date is it? Days since 1970 as people write them: the standard library stops at seconds.

use std::fmt;

/// The UTC day of a moment in seconds since 1970, shown as `2026-11-22`; the year is right until 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(pub u64);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_date(self.0 / SECONDS_PER_DAY);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A moment in seconds since 1970, shown as `2026-11-22T10:00:00Z`.
#[cfg(feature = "spool")]
pub struct Moment(pub u64);

#[cfg(feature = "spool")]
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, second) = (Day(self.0), self.0 % SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{day}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

pub const SECONDS_PER_DAY: u64 = 86_400;

/// Year, month and day of a day counted from 1 January 1970.
fn civil_date(days: u64) -> (u64, u64, u64) {
    // Counted from 1 March of the year 0, a leap day is the last of its year, and 400 years are 146,097 days.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // From March on the months have 31, 30, 31, 30, 31 days, over and over: 153 days in five months.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_shown_as_its_utc_date() {
        let cases = [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (86_400, "1970-01-02"),
            (951_782_400, "2000-02-29"),
            (1_795_305_600, "2026-11-22"),
            (253_402_300_799, "9999-12-31"),
        ];
        for (seconds, date) in cases {
            assert_eq!(Day(seconds).to_string(), date, "{seconds}");
        }
    }

    #[cfg(feature = "spool")]
    #[test]
    fn a_moment_is_shown_to_the_second() {
        assert_eq!(Moment(951_826_149).to_string(), "2000-02-29T12:09:09Z");
    }
}
