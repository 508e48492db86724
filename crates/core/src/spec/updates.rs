//! `spec.updates`: when updates are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When updates are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdatesSpec {
    /// How old a tag must be before it is written: `30m`, `1h`; it need not wait where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<String>,
    /// The parts of the week in which updates are written; none: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowSpec>,
    /// When no update is written, whatever the windows say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<FreezeSpec>,
    /// What follows where a component becomes unhealthy by an update.
    #[serde(default)]
    pub on_unhealthy: OnUnhealthy,
    /// How long a component may take to become healthy after an update, as `5m`, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_timeout: Option<String>,
}

/// What follows where a component becomes unhealthy by an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnhealthy {
    /// No further update until it is healthy, or a person changes the image.
    #[default]
    Hold,
    /// A commit that goes back to the image before; then as after a person's revert.
    Revert,
    /// Nothing: further updates are written.
    Continue,
}

impl UpdatesSpec {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A part of the week.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowSpec {
    /// The days on which it opens; none: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// When it opens, as `08:00`; `00:00` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When it closes, as `18:00`: on the next day where that is not after `from`. `24:00` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whose clock counts, as `Europe/Paris`; `UTC` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// A part of the calendar.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeSpec {
    /// From when, as `2026-12-20T18:00` or `2026-12-20`.
    pub from: String,
    /// Until when, as `2027-01-02T08:00` or `2027-01-02`: from then on updates are written again.
    pub to: String,
    /// Whose clock counts, as `Europe/Paris`; `UTC` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}
