//! `spec.updates`, checked.

use std::time::Duration;

use jiff::{
    civil::{DateTime, Time, Weekday},
    tz::{TimeZone, TimeZoneDatabase},
};

use super::{
    DEFAULT_HEALTH_TIMEOUT, LONGEST_INTERVAL, SpecError, SpecReason, Updates,
    fields::{at, parse_duration},
};
use crate::{
    schedule::{self, Freeze, Schedule, Window},
    spec::{Day, FreezeSpec, UpdatesSpec, WindowSpec},
};

/// How many windows, and how many freezes, there may be.
pub const MOST_WINDOWS: usize = 32;

pub(super) fn updates(spec: UpdatesSpec) -> Result<Updates, SpecError> {
    let few = |field, count: usize| {
        if count > MOST_WINDOWS { Err(at(field)(SpecReason::TooMany(MOST_WINDOWS))) } else { Ok(()) }
    };
    few("spec.updates.windows", spec.windows.len())?;
    few("spec.updates.freeze", spec.freeze.len())?;
    let windows = spec.windows.into_iter().map(|spec| window(spec).map_err(at("spec.updates.windows")));
    let freezes = spec.freeze.into_iter().map(|spec| freeze(spec).map_err(at("spec.updates.freeze")));
    let schedule =
        Schedule { windows: windows.collect::<Result<_, _>>()?, freezes: freezes.collect::<Result<_, _>>()? };
    let time = |field, text: Option<String>| text.map(|text| time(&text).map_err(at(field))).transpose();
    Ok(Updates {
        min_age: time("spec.updates.minAge", spec.min_age)?,
        schedule,
        on_unhealthy: spec.on_unhealthy,
        health_timeout: time("spec.updates.healthTimeout", spec.health_timeout)?
            .unwrap_or(DEFAULT_HEALTH_TIMEOUT),
    })
}

/// A length of time, from a second to a year.
fn time(text: &str) -> Result<Duration, SpecReason> {
    match parse_duration(text)? {
        Duration::ZERO => Err(SpecReason::NoTime(text.to_owned())),
        time if time > LONGEST_INTERVAL => Err(SpecReason::IntervalTooLong(text.to_owned())),
        time => Ok(time),
    }
}

fn window(spec: WindowSpec) -> Result<Window, SpecReason> {
    Ok(Window {
        days: spec.days.into_iter().map(weekday).collect(),
        from: spec.from.map_or(Ok(Time::midnight()), |text| clock(text, false))?,
        to: spec.to.map_or(Ok(Time::midnight()), |text| clock(text, true))?,
        zone: zone(spec.time_zone)?,
    })
}

fn freeze(spec: FreezeSpec) -> Result<Freeze, SpecReason> {
    let zone = zone(spec.time_zone)?;
    let moment = |text: &str| {
        let clock = text.parse::<DateTime>().ok().filter(|_| is_plain(text));
        let moment = clock.and_then(|clock| schedule::moment(&zone, clock));
        moment.map(|at| at.timestamp()).ok_or_else(|| SpecReason::Moment(text.to_owned()))
    };
    let (from, to) = (moment(&spec.from)?, moment(&spec.to)?);
    if from >= to {
        return Err(SpecReason::Order { from: spec.from, to: spec.to });
    }
    // It ends up in sentences of one line.
    let reason = spec.reason.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    Ok(Freeze { from, to, zone, reason: reason.filter(|reason| !reason.is_empty()) })
}

/// Whether a text holds a date and a time alone: an offset beside `timeZone` would not count, and mislead.
fn is_plain(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'T');
    text.bytes().all(is_part) && text.matches('-').count() == 2
}

/// `HH:MM`; the end of a day may be written `24:00`.
fn clock(text: String, ends: bool) -> Result<Time, SpecReason> {
    let two = |digits: &str| {
        let digits = Some(digits).filter(|d| d.len() == 2 && d.bytes().all(|b| b.is_ascii_digit()));
        digits.and_then(|digits| digits.parse::<i8>().ok())
    };
    let parts = text.split_once(':').and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
    let time = match parts {
        Some((24, 0)) if ends => Some(Time::midnight()),
        Some((hour, minute)) => Time::new(hour, minute, 0, 0).ok(),
        None => None,
    };
    time.ok_or(SpecReason::Clock(text))
}

/// A time zone of the IANA database; `UTC` where none is named.
fn zone(name: Option<String>) -> Result<TimeZone, SpecReason> {
    let Some(name) = name else { return Ok(TimeZone::UTC) };
    let zones = TimeZoneDatabase::bundled();
    zones.get(&name).map_err(|_| {
        // Who writes a city alone is told the whole name.
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().replace(' ', "_");
        let is_like = |zone: &str| last(zone).eq_ignore_ascii_case(&last(&name));
        let likely = zones.available().map(|zone| zone.as_str().to_owned()).find(|zone| is_like(zone));
        SpecReason::Zone { likely: likely.unwrap_or_else(|| "Europe/Paris".into()), name }
    })
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Mon => Weekday::Monday,
        Day::Tue => Weekday::Tuesday,
        Day::Wed => Weekday::Wednesday,
        Day::Thu => Weekday::Thursday,
        Day::Fri => Weekday::Friday,
        Day::Sat => Weekday::Saturday,
        Day::Sun => Weekday::Sunday,
    }
}
