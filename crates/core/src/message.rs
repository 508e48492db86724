//! The commit's message: for people in its subject and body, for ourselves in its trailers.
//!
//! The trailer `Image-GitOps: namespace/name image file` is all the state there is: it tells the next pass what was last
//! written for a resource, so that a person's change after it is seen and obeyed (see [`last_written`]). The file tells
//! resources of the same name apart: several clusters often share a repository, each with a folder of its own.

use crate::{
    image::{Digest, ImageRef, Tag},
    resource::ResourceId,
};

/// The subject where the resource gives none. The mark at its start is what CI workflows look for to not run again.
pub const DEFAULT_SUBJECT: &str = "🤖 Auto-update image: {image}";
/// The trailer that names the resource, the image that was written, and in which file.
pub const TRAILER: &str = "Image-GitOps";

/// The trailer that names the resource, the image from which we went back, and in which file.
pub const REVERTED_TRAILER: &str = "Image-GitOps-Reverted";

/// A subject that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// More than one line, or none.
    #[error("a subject is one line of text")]
    Line,
    /// A brace without its partner, or an unknown word between braces.
    #[error(
        "unknown placeholder {{{0}}}: use {{image}}, {{repository}}, {{tag}}, {{application}}, {{component}} or {{resource}}"
    )]
    Placeholder(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Image,
    Repository,
    Tag,
    Application,
    Component,
    Resource,
}

/// A validated subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTemplate(Vec<Part>);

impl SubjectTemplate {
    /// Parses a subject; [`DEFAULT_SUBJECT`] where there is none.
    pub fn new(text: Option<&str>) -> Result<Self, SubjectError> {
        let text = text.unwrap_or(DEFAULT_SUBJECT);
        if text.trim().is_empty() || text.contains(['\n', '\r', '\0']) {
            return Err(SubjectError::Line);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, after) =
                after.split_once('}').ok_or_else(|| SubjectError::Placeholder(after.to_owned()))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match word {
                "image" => Part::Image,
                "repository" => Part::Repository,
                "tag" => Part::Tag,
                "application" => Part::Application,
                "component" => Part::Component,
                "resource" => Part::Resource,
                _ => return Err(SubjectError::Placeholder(word.to_owned())),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    fn render(&self, change: &Written<'_>) -> String {
        let tag = change.image.tag.as_ref().map(ToString::to_string).unwrap_or_default();
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Image => without_digest(change.image),
                Part::Repository => change.image.repository.to_string(),
                Part::Tag => tag.clone(),
                Part::Application => change.application.unwrap_or_default().to_owned(),
                Part::Component => change.component.unwrap_or_default().to_owned(),
                Part::Resource => change.resource.to_string(),
            })
            .collect()
    }
}

/// One image that a commit writes.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    /// For which resource.
    pub resource: &'a ResourceId,
    /// What is written.
    pub image: &'a ImageRef,
    /// From which tag we go back with it, and why; `None` for an update.
    pub undoes: Option<(&'a Tag, &'a str)>,
    /// What stood there: each distinct value.
    pub old: Vec<&'a str>,
    /// The digest of the written tag, where the registry told it.
    pub digest: Option<&'a Digest>,
    /// Who signed it, where that was asked for: one line.
    pub signer: Option<String>,
    /// The file that changed; the first where there are several.
    pub file: &'a str,
    /// Each `file:line` that changed.
    pub places: Vec<String>,
    /// The policy in words.
    pub policy: String,
    /// The Application, where the target names one.
    pub application: Option<&'a str>,
    /// The component, where the target names one.
    pub component: Option<&'a str>,
}

/// Composes the message of a commit that writes `changes`, the first of which gives the subject.
///
/// The same changes give the same message, byte for byte. `skip-checks: true` must be the last trailer and stand
/// after two blank lines ([GitHub, "Skipping workflow runs"]).
///
/// [GitHub, "Skipping workflow runs"]: https://docs.github.com/actions/managing-workflow-runs/skipping-workflow-runs
pub fn compose(subject: &SubjectTemplate, changes: &[Written<'_>], skip_checks: bool) -> String {
    let mut message = changes.first().map(|first| subject.render(first)).unwrap_or_default();
    if let Some((from, _)) = changes.first().and_then(|first| first.undoes) {
        message.push_str(&format!(" (back from {from}, which is unhealthy)"));
    }
    if changes.len() > 1 {
        message.push_str(&format!(" (+{})", changes.len() - 1));
    }
    message.push_str("\n\n");
    for (index, change) in changes.iter().enumerate() {
        if index > 0 {
            message.push('\n');
        }
        let old = change.old.join(", ");
        message.push_str(&format!("{old} -> {}\n", without_digest(change.image)));
        if let Some(digest) = change.digest {
            message.push_str(&format!("  digest: {digest}\n"));
        }
        if let Some(signer) = &change.signer {
            message.push_str(&format!("  signed by: {signer}\n"));
        }
        message.push_str(&format!("  file: {}\n", change.places.join(", ")));
        match change.undoes {
            Some((_, why)) => message.push_str(&format!("  why: {why}\n")),
            None => message.push_str(&format!("  policy: {}\n", change.policy)),
        }
    }
    message.push_str("\n\n");
    for change in changes {
        let (resource, file) = (change.resource, change.file);
        let written = ImageRef { digest: None, ..change.image.clone() };
        // What is not to be written again is what a person's revert leaves as our last trailer too.
        let (trailer, image) = match change.undoes {
            Some((from, _)) => (REVERTED_TRAILER, ImageRef { tag: Some(from.clone()), ..written }),
            None => (TRAILER, written),
        };
        message.push_str(&format!("{trailer}: {resource} {image} {file}\n"));
    }
    if skip_checks {
        message.push_str("skip-checks: true\n");
    }
    message
}

/// The image as the subject and the trailer show it. A digest would make the line unreadable; the body has it.
fn without_digest(image: &ImageRef) -> String {
    ImageRef { digest: None, ..image.clone() }.to_string()
}

/// What our last commit for a resource says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastWritten {
    /// The image that it wrote, or went back from.
    pub image: ImageRef,
    /// Whether it went back.
    pub reverted: bool,
}

/// What was last written for `resource` at or below `path`, read from the messages of commits, the newest first.
///
/// Only the last paragraph of a message holds trailers, as for `git interpret-trailers`: a message that quotes one
/// in its text (a revert's, say) is not taken for ours.
pub fn last_written<'m>(
    messages: impl IntoIterator<Item = &'m str>,
    resource: &ResourceId,
    path: &str,
) -> Option<LastWritten> {
    let resource = resource.to_string();
    let is_below =
        |file: &str| file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    messages.into_iter().find_map(|message| {
        let paragraph = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
        paragraph.lines().find_map(|line| {
            let (trailer, value) = line.split_once(": ")?;
            let reverted = match trailer {
                TRAILER => false,
                REVERTED_TRAILER => true,
                _ => return None,
            };
            let (named, rest) = value.split_once(' ')?;
            let (image, file) = rest.split_once(' ')?;
            let image = ImageRef::parse(image).ok().filter(|_| named == resource && is_below(file))?;
            Some(LastWritten { image, reverted })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ResourceId {
        ResourceId { namespace: "dev".into(), name: name.into() }
    }

    fn message(images: &[(&str, &str)], skip_checks: bool) -> String {
        let parsed: Vec<_> = images.iter().map(|(r, i)| (id(r), ImageRef::parse(i).unwrap())).collect();
        let changes: Vec<_> = parsed
            .iter()
            .map(|(resource, image)| Written {
                resource,
                image,
                undoes: None,
                old: vec!["ghcr.io/o/n:1"],
                digest: None,
                signer: None,
                file: "kubevela/app.yaml",
                places: vec!["kubevela/app.yaml:12".into()],
                policy: "numerical, highest first".into(),
                application: Some("app"),
                component: Some("back"),
            })
            .collect();
        compose(&SubjectTemplate::new(None).unwrap(), &changes, skip_checks)
    }

    #[test]
    fn the_message_says_what_changed_and_ends_with_its_trailers() {
        assert_eq!(
            message(&[("a", "ghcr.io/o/n:2"), ("b", "ghcr.io/o/m:7")], true),
            "🤖 Auto-update image: ghcr.io/o/n:2 (+1)\n\
             \n\
             ghcr.io/o/n:1 -> ghcr.io/o/n:2\n  file: kubevela/app.yaml:12\n  policy: numerical, highest first\n\
             \n\
             ghcr.io/o/n:1 -> ghcr.io/o/m:7\n  file: kubevela/app.yaml:12\n  policy: numerical, highest first\n\
             \n\n\
             Image-GitOps: dev/a ghcr.io/o/n:2 kubevela/app.yaml\n\
             Image-GitOps: dev/b ghcr.io/o/m:7 kubevela/app.yaml\n\
             skip-checks: true\n"
        );
    }

    #[test]
    fn what_was_last_written_is_read_back_from_the_newest_message() {
        let newest = message(&[("a", "ghcr.io/o/n:3")], true);
        let oldest = message(&[("a", "ghcr.io/o/n:2"), ("b", "ghcr.io/o/m:7")], false);
        let log = ["Fix a typo\n", newest.as_str(), oldest.as_str(), ""];
        let read = |name| last_written(log, &id(name), "kubevela").map(|last| last.image.to_string());
        assert_eq!(read("a").as_deref(), Some("ghcr.io/o/n:3"));
        assert_eq!(read("b").as_deref(), Some("ghcr.io/o/m:7"));
        assert_eq!(read("c"), None);
    }

    #[test]
    fn going_back_is_told_with_why_and_leaves_what_it_went_back_from() {
        let (resource, image) = (id("a"), ImageRef::parse("ghcr.io/o/n:1").unwrap());
        let from = Tag::new("2").unwrap();
        let change = Written {
            resource: &resource,
            image: &image,
            undoes: Some((&from, "Ready:0/1")),
            old: vec!["ghcr.io/o/n:2"],
            digest: None,
            file: "app.yaml",
            places: vec!["app.yaml:12".into()],
            policy: "numerical, highest first".into(),
            application: None,
            component: None,
            signer: None,
        };
        let message = compose(&SubjectTemplate::new(None).unwrap(), &[change], true);
        assert_eq!(
            message,
            "🤖 Auto-update image: ghcr.io/o/n:1 (back from 2, which is unhealthy)\n\n\
             ghcr.io/o/n:2 -> ghcr.io/o/n:1\n  file: app.yaml:12\n  why: Ready:0/1\n\n\n\
             Image-GitOps-Reverted: dev/a ghcr.io/o/n:2 app.yaml\nskip-checks: true\n"
        );
        let last = last_written([message.as_str()], &resource, "app.yaml").unwrap();
        assert_eq!((last.image.to_string().as_str(), last.reverted), ("ghcr.io/o/n:2", true));
    }

    #[test]
    fn a_quoted_trailer_is_not_ours() {
        let trailer = "Image-GitOps: dev/a ghcr.io/o/n:3 app.yaml";
        let read =
            |message: &str| last_written([message], &id("a"), "app.yaml").map(|last| last.image.to_string());
        assert_eq!(read(&format!("x\n\n{trailer}\n")).as_deref(), Some("ghcr.io/o/n:3"));
        assert_eq!(read(&format!("Revert the update\n\n{trailer}\n\nIt broke the login page.\n")), None);
        for other in ["dev/ab ghcr.io/o/n:3 app.yaml", "dev/a a:b:c app.yaml", "dev/a ghcr.io/o/n:3", "dev/a"]
        {
            assert_eq!(read(&format!("x\n\nImage-GitOps: {other}\n")), None, "{other}");
        }
    }

    #[test]
    fn what_a_resource_of_the_same_name_wrote_elsewhere_is_not_ours() {
        let newest = "x\n\nImage-GitOps: dev/a ghcr.io/o/n:3 clusters/eu/my app.yaml\n";
        let read = |path| last_written([newest], &id("a"), path).map(|last| last.image.to_string());
        for path in ["clusters/eu/my app.yaml", "clusters/eu", "clusters"] {
            assert_eq!(read(path).as_deref(), Some("ghcr.io/o/n:3"), "{path}");
        }
        for path in ["clusters/us", "clusters/eu/my", "clusters/e", "clusters/eu/my app.yaml/x"] {
            assert_eq!(read(path), None, "{path}");
        }
    }

    #[test]
    fn a_subject_takes_known_placeholders_only() {
        for bad in ["", " ", "a\nb", "{", "{x}", "{image", "a {Tag}"] {
            assert!(SubjectTemplate::new(Some(bad)).is_err(), "{bad:?} was taken");
        }
        let template = SubjectTemplate::new(Some("chore({component}): {repository} to {tag} }")).unwrap();
        let image = ImageRef::parse("ghcr.io/o/n:2").unwrap();
        let resource = id("a");
        let change = Written {
            resource: &resource,
            image: &image,
            undoes: None,
            old: vec![],
            digest: None,
            signer: None,
            file: "",
            places: vec![],
            policy: String::new(),
            application: None,
            component: Some("back"),
        };
        assert_eq!(template.render(&change), "chore(back): ghcr.io/o/n to 2 }");
    }
}
