//! Notifications of the CNCF distribution registry: an envelope of events.
//!
//! A registry repeats what was not taken, before anything else, without end. So whatever a registry may send is taken:
//! an event that names no image is passed over. An error is only what no registry sends.

use std::collections::HashSet;

use serde_json::Value;

use super::{Hint, repository};
use crate::{
    body::{self, BodyError},
    image::Tag,
};

/// One hint for each tag that was pushed. Layers and the platforms of an image are pushed too, without a tag: the tag that
/// makes them visible follows.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Hint>, BodyError> {
    let body = body::object(bytes)?;
    let events = body::at(&body, "events").and_then(Value::as_array).ok_or(BodyError::Missing("events"))?;
    let (mut hints, mut seen) = (Vec::new(), HashSet::new());
    for event in events {
        if let Some(pushed) = pushed(event)?
            && seen.insert(pushed)
        {
            hints.extend(hint(pushed));
        }
    }
    Ok(hints)
}

/// Host, repository and tag.
type Pushed<'v> = (&'v str, &'v str, &'v str);

fn pushed(event: &Value) -> Result<Option<Pushed<'_>>, BodyError> {
    if body::text(event, "action")? != "push" {
        return Ok(None);
    }
    let path = body::text(event, "target.repository")?;
    let host = body::find(event, "request.host")?.ok_or(BodyError::Missing("request.host"))?;
    Ok(body::find(event, "target.tag")?.map(|tag| (host, path, tag)))
}

/// The host is the one that the pushing client wrote: the image is known by that name.
fn hint((host, path, tag): Pushed<'_>) -> Option<Hint> {
    Some(Hint { repository: repository(host, path).ok()?, tag: Some(Tag::new(tag).ok()?) })
}
