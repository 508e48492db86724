//! The decision: from what the registry lists, what the file says and what we last wrote, to what is to be written.
//!
//! Git alone decides. The tag in the file is the floor; where a person changed it after our last commit, what we
//! wrote then is a floor too, so that a revert is obeyed until something strictly newer appears.

use std::{cmp::Ordering, time::Duration};

use jiff::Timestamp;

use crate::{
    harm::{Harm, Revert},
    image::{Digest, ImageError, ImageRef, Repository, Tag},
    message::LastWritten,
    resource::Resource,
    wait::{self, Wait},
    yaml::{Change, Part, Site},
};

/// What is to be done, and what it was decided from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is to be done.
    pub outcome: Outcome,
    /// The tags that the file names now, each once; `None` for an image without a tag.
    pub current: Vec<Option<Tag>>,
    /// How many tags the registry listed.
    pub total: usize,
    /// How many of them the policy allows.
    pub matched: usize,
    /// What else a person should know.
    pub notes: Vec<Note>,
    /// When to decide again, because something waits for that moment.
    pub wake: Option<Timestamp>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: no allowed tag is newer than the file's.
    UpToDate,
    /// Write this tag.
    Update(Tag),
    /// Go back: what we wrote did harm.
    Revert(Revert),
    /// Nothing, though something newer may exist: a person decided so.
    Hold(Hold),
    /// Nothing yet, though something newer is there: its time has not come. See [`crate::wait`].
    Wait(Wait),
}

/// Why nothing is written though it could be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hold {
    /// Every place carries the comment that pins it.
    #[error("pinned by the comment `image-gitops: pinned`; take it out to resume updates")]
    Pinned,
    /// A person went back from what we wrote, and nothing is newer than that.
    #[error("a person went back from {wrote}; the next tag newer than it is taken")]
    Reverted {
        /// What we wrote.
        wrote: Tag,
    },
    /// We went back ourselves, as what we wrote made the component unhealthy, and nothing is newer than that.
    #[error("{wrote} made the component unhealthy and was taken back; the next tag newer than it is taken")]
    TakenBack {
        /// What we wrote.
        wrote: Tag,
    },
    /// What we wrote made the component unhealthy.
    #[error(transparent)]
    Unhealthy(Harm),
    /// A person wrote a tag that the policy does not match, after us.
    #[error("a person replaced {wrote} by {current}, which the policy does not match; it is left alone")]
    PersonChose {
        /// What we wrote.
        wrote: ImageRef,
        /// What stands there now.
        current: String,
    },
}

/// What else a person should know about a decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// The registry does not list the file's tag: deleted there, or never pushed.
    #[error("the registry does not list the current tag {0}")]
    CurrentGone(Tag),
    /// Some tags pass the filter but are no numbers or versions.
    #[error("{0} tags pass the filter but cannot be compared; `image-gitops explain` lists them")]
    Unparsable(usize),
    /// Some places are pinned.
    #[error("{0} pinned places are left alone")]
    PartlyPinned(usize),
    /// Why we go back.
    #[error("{from} made the component unhealthy ({why})")]
    WentBack {
        /// What we wrote before.
        from: Tag,
        /// The component's own words.
        why: String,
    },
    /// Something newer is not old enough yet.
    #[error("{}", wait::young(.tag, *.until, *.least))]
    Young {
        /// The newest tag.
        tag: Tag,
        /// When it is old enough, where that is known.
        until: Option<Timestamp>,
        /// How old it must be.
        least: Duration,
    },
}

/// Why nothing can be decided. Nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file names another image than the resource.
    #[error("line {line} names the image {found}, but spec.image is {expected}")]
    OtherImage {
        /// The line in the file.
        line: usize,
        /// What stands there.
        found: String,
        /// What the resource names.
        expected: Repository,
    },
    /// The file's value is no image, or no tag.
    #[error("line {line} does not hold an image")]
    NotAnImage {
        /// The line in the file.
        line: usize,
        /// Why.
        #[source]
        source: ImageError,
    },
    /// The registry lists no tag at all, which is never taken as news.
    #[error("the registry lists no tags for {0}: an empty list changes nothing")]
    EmptyList(Repository),
    /// No listed tag is allowed.
    #[error("none of the {total} tags of {image} is allowed by the policy ({policy})")]
    NoMatch {
        /// The image.
        image: Repository,
        /// How many tags were looked at.
        total: usize,
        /// The policy in words.
        policy: String,
    },
    /// No place holds a whole image or a tag, so that it is unknown what runs now.
    #[error("no place holds a tag: a marker ends in :name or :digest, but none in the image or :tag")]
    NoTag,
}

impl Refusal {
    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OtherImage { .. } => "make spec.image and the file name the same repository",
            Self::NotAnImage { .. } => {
                "point spec.target at the field that holds the image, or write one image there by hand"
            }
            Self::EmptyList(_) => "check that spec.image is spelled right and that an image was pushed",
            Self::NoMatch { .. } => "run `image-gitops explain -f FILE` to see why each tag was left out",
            Self::NoTag => "mark the image's own line as well",
        }
    }
}

/// Decides for one resource.
///
/// `tags` is the complete list, in any order. `sites` are the places in the file that hold the image, at least one.
/// `written` is what our last commit wrote for this resource, as [`crate::message::last_written`] finds it. Only an
/// [`Outcome::Update`] can be changed by it, so a caller need not read the branch's history for any other.
pub fn decide(
    resource: &Resource,
    tags: &[Tag],
    sites: &[Site],
    written: Option<&LastWritten>,
) -> Result<Decision, Refusal> {
    let open = sites.iter().filter(|site| !site.pinned).count();
    let standing = standing(resource, sites)?;
    if tags.is_empty() {
        return Err(Refusal::EmptyList(resource.image.clone()));
    }

    let rules = &resource.rules;
    let last = written;
    let we_went_back = last.is_some_and(|last| last.reverted);
    let written = of_this_image(resource, last);
    let wrote = written.and_then(|image| image.tag.as_ref());
    let person_after_us = is_changed(&standing, written);
    let floors = floors(resource, &standing, last);
    let selection = rules.select(tags, &floors);
    let decided = |outcome| {
        let mut notes = Vec::new();
        notes.extend(
            standing.iter().flatten().filter(|tag| !tags.contains(tag)).cloned().map(Note::CurrentGone),
        );
        if selection.unparsable > 0 {
            notes.push(Note::Unparsable(selection.unparsable));
        }
        if 0 < open && open < sites.len() {
            notes.push(Note::PartlyPinned(sites.len() - open));
        }
        Ok(Decision {
            outcome,
            current: standing.clone(),
            total: selection.total,
            matched: selection.candidates(),
            notes,
            wake: None,
        })
    };

    if open == 0 {
        return decided(Outcome::Hold(Hold::Pinned));
    }
    // A tag that the rules cannot place bounds nothing. On adoption it is replaced; put there after us, it is a wish.
    let unplaced =
        standing.iter().find(|tag| tag.as_ref().is_none_or(|tag| rules.compare(tag, tag).is_none()));
    if let (Some(wrote), true, Some(tag)) = (written, person_after_us && !we_went_back, unplaced) {
        let current = tag.as_ref().map_or_else(|| "an image without a tag".to_owned(), ToString::to_string);
        return decided(Outcome::Hold(Hold::PersonChose { wrote: wrote.clone(), current }));
    }
    let Some(best) = &selection.best else {
        return Err(Refusal::NoMatch {
            image: resource.image.clone(),
            total: selection.total,
            policy: rules.policy.to_string(),
        });
    };
    // Several places may hold several tags. One that the rules cannot place is behind whatever they like best.
    let against = |now: &Option<Tag>| {
        now.as_ref().and_then(|now| rules.compare(best, now)).unwrap_or(Ordering::Greater)
    };
    let behind = standing.iter().any(|now| against(now).is_gt());
    let floor_above = floors.iter().any(|floor| rules.compare(best, floor).is_some_and(|o| o.is_lt()));
    match wrote {
        // Only without floors (downgrades allowed) does it stand there already.
        _ if selection.newest.is_some() => decided(match standing.iter().all(|now| against(now).is_eq()) {
            true => Outcome::UpToDate,
            false => Outcome::Update(best.clone()),
        }),
        Some(wrote) if person_after_us && behind => decided(Outcome::Hold(match we_went_back {
            true => Hold::TakenBack { wrote: wrote.clone() },
            false => Hold::Reverted { wrote: wrote.clone() },
        })),
        // Some places are there already: the others follow.
        _ if behind && !person_after_us && !floor_above => decided(Outcome::Update(best.clone())),
        _ => decided(Outcome::UpToDate),
    }
}

/// The tags that no choice may go below: those that stand in the file, and what we wrote where a person changed it.
///
/// `standing` is what [`standing`] found, `written` as for [`decide`]. Where downgrades are allowed there are none,
/// but a person's change is obeyed there too.
pub fn floors<'t>(
    resource: &Resource,
    standing: &'t [Option<Tag>],
    written: Option<&'t LastWritten>,
) -> Vec<&'t Tag> {
    let written = of_this_image(resource, written);
    let current = standing.iter().flatten();
    let wrote = written.and_then(|image| image.tag.as_ref());
    let wrote = wrote.filter(|wrote| !current.clone().any(|tag| tag == *wrote));
    match (resource.allow_downgrade, is_changed(standing, written)) {
        (true, false) => Vec::new(),
        (_, true) => current.chain(wrote).collect(),
        (false, false) => current.collect(),
    }
}

/// A record of another image says nothing: spec.image was changed since.
fn of_this_image<'t>(resource: &Resource, written: Option<&'t LastWritten>) -> Option<&'t ImageRef> {
    written.map(|last| &last.image).filter(|image| image.repository == resource.image)
}

/// Whether something else stands in the file than what we wrote.
fn is_changed(standing: &[Option<Tag>], written: Option<&ImageRef>) -> bool {
    written.is_some_and(|wrote| standing.iter().any(|tag| *tag != wrote.tag))
}

/// The distinct tags that stand at `sites`; `None` for an image without one. Pinned places count only where all are.
pub fn standing(resource: &Resource, sites: &[Site]) -> Result<Vec<Option<Tag>>, Refusal> {
    let all_pinned = sites.iter().all(|site| site.pinned);
    let mut tags = Vec::new();
    for site in sites.iter().filter(|site| all_pinned || !site.pinned) {
        let not_an_image = |source| Refusal::NotAnImage { line: site.line, source };
        let tag = match site.part {
            Part::Reference => {
                let image = ImageRef::parse(&site.value).map_err(not_an_image)?;
                if image.repository != resource.image {
                    return Err(Refusal::OtherImage {
                        line: site.line,
                        found: site.value.clone(),
                        expected: resource.image.clone(),
                    });
                }
                image.tag
            }
            Part::Tag => Some(Tag::new(site.value.as_str()).map_err(not_an_image)?),
            Part::Name | Part::Digest => continue,
        };
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if tags.is_empty() { Err(Refusal::NoTag) } else { Ok(tags) }
}

/// The changes that write `tag` at every place of `sites` that is not pinned and does not hold it yet.
///
/// A digest is written only where one stands: `name:tag@digest` stays of that form, with the digest of the new tag.
pub fn changes(resource: &Resource, sites: &[Site], tag: &Tag, digest: &Digest) -> Vec<Change> {
    sites
        .iter()
        .filter(|site| !site.pinned)
        .filter_map(|site| {
            let value = match site.part {
                Part::Reference => {
                    let old = ImageRef::parse(&site.value).ok()?;
                    let digest = old.digest.is_some().then(|| digest.clone());
                    ImageRef { repository: old.repository, tag: Some(tag.clone()), digest }.to_string()
                }
                Part::Tag => tag.to_string(),
                Part::Name if Repository::new(&site.value).is_ok_and(|name| name == resource.image) => {
                    return None;
                }
                Part::Name => resource.image.to_string(),
                Part::Digest => digest.to_string(),
            };
            (value != site.value).then(|| Change { site: site.clone(), value })
        })
        .collect()
}

/// A value for `app.oam.dev/publishVersion`, derived from the images that a commit writes into one Application.
///
/// It is of the form that Kubernetes takes as a label (at most 63 characters), starts with the tag so that people
/// recognise it, and ends in a fingerprint of the whole images, so that another image gives another version.
pub fn publish_version(images: &[ImageRef]) -> String {
    // FNV-1a, 64 bits: a fingerprint to tell versions apart, not a defence.
    let fingerprint = images
        .iter()
        .flat_map(|image| image.to_string().into_bytes().into_iter().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let tag = images.first().and_then(|image| image.tag.as_ref()).map(Tag::as_str).unwrap_or_default();
    let readable: String = tag
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(63 - 1 - 8)
        .collect();
    let readable = readable.trim_matches('-');
    let joint = if readable.is_empty() { "" } else { "-" };
    format!("{readable}{joint}{:08x}", (fingerprint >> 32) ^ (fingerprint & 0xffff_ffff))
}
