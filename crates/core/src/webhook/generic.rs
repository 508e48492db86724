//! The webhook that anybody can send, from a CI job for instance: `{"image": "ghcr.io/owner/name", "tag": "v1"}`.

use super::{Hint, reason};
use crate::{
    body::{self, BodyError},
    image::{ImageError, ImageRef, Tag},
};

/// The tag may stand in the image too, or be left out, or be empty as a variable that is not set.
pub(super) fn parse(bytes: &[u8]) -> Result<Hint, BodyError> {
    let body = body::object(bytes)?;
    let unusable = |field, text| move |error: ImageError| BodyError::unusable(field, text, reason(error));
    let text = body::text(&body, "image")?;
    let image = ImageRef::parse(text).map_err(unusable("image", text))?;
    let tag = body::find(&body, "tag")?.filter(|tag| !tag.is_empty());
    let tag = tag.map(|tag| Tag::new(tag).map_err(unusable("tag", tag))).transpose()?;
    Ok(Hint { repository: image.repository, tag: tag.or(image.tag) })
}
