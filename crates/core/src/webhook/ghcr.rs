//! GitHub's events about packages: `package` of a webhook, `registry_package` of a GitHub App; both of one shape.

use serde_json::Value;

use super::{Hint, repository};
use crate::{
    body::{self, BodyError},
    image::{Repository, Tag},
};

/// GitHub sends `ping` when a webhook is made, and whatever else was ticked: these are no hints, and no errors.
pub(super) fn parse(event: Option<&str>, bytes: &[u8]) -> Result<Option<Hint>, BodyError> {
    let event = match event.map(str::trim) {
        Some("package") => "package",
        Some("registry_package") => "registry_package",
        Some(_) => return Ok(None),
        None => return Err(BodyError::Header("X-GitHub-Event")),
    };
    let body = body::object(bytes)?;
    if !matches!(body::text(&body, "action")?, "published" | "updated") {
        return Ok(None);
    }
    let package = body::at(&body, event).filter(|package| package.is_object());
    let package = package.ok_or(BodyError::Missing(event))?;
    if is_container(package)? { hint(package).map(Some) } else { Ok(None) }
}

/// Whether a package is an image. GitHub writes its type as `CONTAINER`, formerly `docker`; in the examples of its
/// documentation it says `npm` of an image, whose registry and metadata then tell.
fn is_container(package: &Value) -> Result<bool, BodyError> {
    let is = |text: &str| text.eq_ignore_ascii_case("container") || text.eq_ignore_ascii_case("docker");
    if optional(package, "registry.type").is_some_and(is)
        || body::at(package, "package_version.container_metadata").is_some_and(Value::is_object)
    {
        return Ok(true);
    }
    body::text(package, "package_type").map(is)
}

fn hint(package: &Value) -> Result<Hint, BodyError> {
    let (repository, written) = match optional(package, "package_version.package_url").and_then(address) {
        Some((repository, tag)) => (repository, tag),
        None => (by_owner(package)?, None),
    };
    // Empty for what is pushed without a tag: one platform of an image for several, a signature, an attestation.
    let tag = optional(package, "package_version.container_metadata.tag.name");
    Ok(Hint { repository, tag: tag.and_then(|tag| Tag::new(tag).ok()).or(written) })
}

/// Reads `ghcr.io/Owner/name:tag`; the tag may be absent, with its colon or without. Owners are written as on their
/// page, and images never have an upper-case letter.
fn address(url: &str) -> Option<(Repository, Option<Tag>)> {
    let (host, rest) = url.split_once('/')?;
    let (path, tag) = rest.split_once([':', '@']).unwrap_or((rest, ""));
    let repository = repository(&host.to_ascii_lowercase(), &path.to_ascii_lowercase()).ok()?;
    Some((repository, Tag::new(tag).ok()))
}

/// The repository where no address is sent: the owner's, on ghcr.io. A namespace is the owner, or owner and repository.
fn by_owner(package: &Value) -> Result<Repository, BodyError> {
    let namespace = || optional(package, "namespace").and_then(|namespace| namespace.split('/').next());
    let owner = optional(package, "owner.login").or_else(namespace);
    let owner = owner.filter(|owner| !owner.is_empty()).ok_or(BodyError::Missing("owner.login"))?;
    let path = format!("{owner}/{}", body::text(package, "name")?).to_ascii_lowercase();
    repository("ghcr.io", &path).map_err(|reason| BodyError::unusable("name", &path, reason))
}

/// A text that another field stands in for.
fn optional<'v>(package: &'v Value, path: &'static str) -> Option<&'v str> {
    body::find(package, path).ok().flatten().filter(|text| !text.is_empty())
}
