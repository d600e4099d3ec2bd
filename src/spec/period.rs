//! Spans of time as the spec writes them: `15m`, `24h`, `14d`.

use std::fmt;

use serde::{Serialize, Serializer};

/// The units, the largest first, and how many seconds each has.
const UNITS: [(char, u32); 4] = [('d', 24 * 60 * 60), ('h', 60 * 60), ('m', 60), ('s', 1)];

/// A whole number of seconds, up to a hundred years or so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(u32);

impl Period {
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// Reads a number and a unit.
    ///
    /// # Errors
    /// What is allowed, as a sentence fragment that completes "must be …".
    pub fn parse(text: &str) -> Result<Self, String> {
        let read = || {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let (_, seconds) = UNITS.into_iter().find(|(letter, _)| unit == letter.to_string())?;
            // A sign is no part of it, and `parse` would take one.
            let number = number.bytes().all(|b| b.is_ascii_digit()).then_some(number)?;
            number.parse::<u32>().ok()?.checked_mul(seconds).map(Self)
        };
        read().ok_or_else(|| "a whole number and a unit (s, m, h or d), such as 15m".to_owned())
    }
}

/// In the largest unit that has no rest, so that every period has one form.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (letter, seconds) =
            UNITS.into_iter().find(|(_, seconds)| self.0.is_multiple_of(*seconds) && self.0 > 0).unwrap_or(('s', 1));
        write!(f, "{}{letter}", self.0 / seconds)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_have_one_form_and_are_read_back() {
        for (text, seconds, shown) in [
            ("15m", 900, "15m"),
            ("900s", 900, "15m"),
            ("24h", 86_400, "1d"),
            ("14d", 1_209_600, "14d"),
            ("90s", 90, "90s"),
            ("0d", 0, "0s"),
        ] {
            let period = Period::parse(text).unwrap();
            assert_eq!((period.seconds(), period.to_string().as_str()), (seconds, shown));
            assert_eq!(Period::parse(shown), Ok(period));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "m", "15", "+5m", "-5m", "1.5h", "15 m", "15min", "1w", "5é", "4294967295d", "1h30m"] {
            assert!(Period::parse(text).is_err(), "{text}");
        }
    }
}
