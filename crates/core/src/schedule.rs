//! When updates may be written: the windows of the week, less the freezes of the calendar.
//!
//! The time is a value that is passed in. Time zones are those that jiff bundles, never the machine's: the container has
//! none, and a file and the cluster must mean the same.

use std::fmt;

use jiff::{
    Timestamp, Zoned,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

/// How many days ahead an opening is looked for: a week, and one more for a clock that skips the only opening of the first.
const AHEAD: i64 = 15;

/// When updates may be written. Without windows always, but for the freezes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    /// The parts of the week.
    pub windows: Vec<Window>,
    /// The parts of the calendar that are left out of them.
    pub freezes: Vec<Freeze>,
}

/// A part of the week.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The days on which it opens; none: every day.
    pub days: Vec<Weekday>,
    /// When it opens.
    pub from: Time,
    /// When it closes: on the next day where that is not after `from`.
    pub to: Time,
    /// Whose clock counts.
    pub zone: TimeZone,
}

/// A part of the calendar.
#[derive(Clone, Debug, PartialEq)]
pub struct Freeze {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// Whose clock counts.
    pub zone: TimeZone,
    /// Why, for people.
    pub reason: Option<String>,
}

/// That nothing may be written now. `Display` says what is waited for: `for the window that opens …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When that is over; `None` where it is too far away to tell.
    pub opens: Option<Zoned>,
    /// Where a freeze is on: its reason.
    pub freeze: Option<Option<String>>,
}

impl Schedule {
    /// Why nothing may be written at `now`; `None` where it may.
    pub fn closed(&self, now: Timestamp) -> Option<Closed> {
        let frozen = self.frozen(now);
        if frozen.is_none() && self.is_within_window(now) {
            return None;
        }
        Some(Closed { opens: self.opens(now), freeze: frozen.map(|freeze| freeze.reason.clone()) })
    }

    /// The first moment at or after `now` at which something may be written.
    fn opens(&self, now: Timestamp) -> Option<Zoned> {
        let mut at = now.to_zoned(TimeZone::UTC);
        // Each turn passes the end of a freeze, or finds the opening that is tried next.
        for _ in 0..2 * self.freezes.len() + 2 {
            if let Some(freeze) = self.frozen(at.timestamp()) {
                at = freeze.to.to_zoned(freeze.zone.clone());
            } else if self.is_within_window(at.timestamp()) {
                return Some(at);
            } else {
                let around = self.windows.iter().flat_map(|window| window.around(at.timestamp()));
                let next = around.map(|(opens, _)| opens).filter(|opens| *opens > at).min();
                at = next?;
            }
        }
        None
    }

    /// The freeze that is on; of several the one that ends last.
    fn frozen(&self, at: Timestamp) -> Option<&Freeze> {
        self.freezes
            .iter()
            .filter(|freeze| freeze.from <= at && at < freeze.to)
            .max_by_key(|freeze| freeze.to)
    }

    fn is_within_window(&self, at: Timestamp) -> bool {
        let is_open = |window: &Window| {
            window.around(at).any(|(opens, closes)| opens.timestamp() <= at && at < closes.timestamp())
        };
        self.windows.is_empty() || self.windows.iter().any(is_open)
    }
}

impl Window {
    /// When it opens and closes, from the day before `at` on.
    ///
    /// A time that the clock skips counts as much later as it skips; of one that comes twice, the first counts.
    fn around(&self, at: Timestamp) -> impl Iterator<Item = (Zoned, Zoned)> {
        let today = at.to_zoned(self.zone.clone()).date();
        (-1..=AHEAD).filter_map(move |days| {
            let day = plus(today, days)?;
            if !self.days.is_empty() && !self.days.contains(&day.weekday()) {
                return None;
            }
            let last = if self.to > self.from { day } else { plus(day, 1)? };
            let (opens, closes) = (day.to_datetime(self.from), last.to_datetime(self.to));
            let both = (moment(&self.zone, opens)?, moment(&self.zone, closes)?);
            Some(both).filter(|(opens, closes)| opens < closes)
        })
    }
}

/// `days` later; `None` beyond the year 9999.
fn plus(day: Date, days: i64) -> Option<Date> {
    day.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// What a clock of `zone` shows, as a moment; see [`Window::around`].
pub(crate) fn moment(zone: &TimeZone, clock: DateTime) -> Option<Zoned> {
    zone.to_ambiguous_zoned(clock).compatible().ok()
}

/// A moment as people write it: `Mon 2026-11-30 08:00 Europe/Paris`.
pub fn in_words(at: &Zoned) -> String {
    let format = if at.second() == 0 { "%a %Y-%m-%d %H:%M" } else { "%a %Y-%m-%d %H:%M:%S" };
    format!("{} {}", at.strftime(format), at.time_zone().iana_name().unwrap_or("UTC"))
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.freeze, &self.opens) {
            (None, Some(opens)) => write!(f, "for the window that opens {}", in_words(opens)),
            (None, None) => f.write_str("for a window, and none opens"),
            (Some(_), Some(opens)) => write!(f, "until {}: updates are frozen", in_words(opens)),
            (Some(_), None) => f.write_str("until updates are no longer frozen"),
        }?;
        match &self.freeze {
            Some(Some(reason)) => write!(f, " ({reason})"),
            _ => Ok(()),
        }
    }
}
