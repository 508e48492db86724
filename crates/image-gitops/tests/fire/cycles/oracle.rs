//! What must be true of the branch, from plain git and from nothing of the program's own code.

use std::{
    collections::{BTreeSet, HashSet},
    path::PathBuf,
};

use image_gitops_tests::git::{self, Git};

use crate::base::FILE;

/// What the program signs its commits with.
const OURS: &str = "image-gitops";

/// What was found so far.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) ours: usize,
    pub(super) theirs: usize,
    /// Commits of ours that should not be, or not like that.
    pub(super) wrong: Vec<String>,
    /// Commits of ours for an image that a commit of ours was for already.
    pub(super) doubled: Vec<String>,
    /// Tags that did not land, and commits of people that are gone.
    pub(super) lost: Vec<String>,
}

/// Follows the branch from commit to commit.
pub(super) struct Oracle {
    bare: PathBuf,
    /// The last commit that was judged.
    seen: String,
    /// The tag that stands in the file.
    pub(super) standing: String,
    /// The tag that our last commit wrote.
    pub(super) wrote: Option<String>,
    every: HashSet<String>,
    pub(super) judged: Judged,
}

/// What a tag is ordered by: `main-`, seven hexadecimal digits, `-`, a number. `None` where it is not allowed.
pub(super) fn key(tag: &str) -> Option<u128> {
    let mut parts = tag.split('-');
    let (main, hash, number) = (parts.next()?, parts.next()?, parts.next()?);
    let hexadecimal = hash.len() == 7 && hash.bytes().all(|b| b"0123456789abcdef".contains(&b));
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (main == "main" && hexadecimal && digits && parts.next().is_none()).then(|| number.parse().ok())?
}

/// One commit as `git log -p` shows it.
struct Commit<'l> {
    id: &'l str,
    parents: &'l str,
    author: &'l str,
    files: Vec<&'l str>,
    removed: Vec<&'l str>,
    added: Vec<&'l str>,
}

impl<'l> Commit<'l> {
    fn parse(text: &'l str) -> Self {
        let (head, diff) = text.split_once('\n').unwrap_or((text, ""));
        let mut fields = head.split('\0');
        let mut next = || fields.next().unwrap_or_default();
        let (id, parents, author) = (next(), next(), next());
        let lines = |sign: &str, but: &str| {
            diff.lines().filter(|l| l.starts_with(sign) && !l.starts_with(but)).map(|l| &l[1..]).collect()
        };
        let files = diff.lines().filter_map(|line| line.strip_prefix("+++ b/")).collect();
        Self { id, parents, author, files, removed: lines("-", "--- "), added: lines("+", "+++ ") }
    }

    /// The tag that the commit writes into the file, and the one that it takes out of it.
    fn tags(&self) -> (Option<&'l str>, Option<&'l str>) {
        let tag = |lines: &[&'l str]| {
            let line = *lines.iter().find(|line| line.trim_start().starts_with("image: "))?;
            line.trim_start().split([' ', '#']).find(|word| word.contains('/'))?.rsplit(':').next()
        };
        match self.files.contains(&FILE) {
            true => (tag(&self.added), tag(&self.removed)),
            false => (None, None),
        }
    }
}

impl Oracle {
    pub(super) fn new(bare: PathBuf, seen: String, standing: &str) -> Self {
        Self {
            bare,
            seen,
            standing: standing.to_owned(),
            wrote: None,
            every: HashSet::new(),
            judged: Judged::default(),
        }
    }

    /// Judges the commits that are new on the branch. `listed` are the registry's tags, `dead` those that it cannot serve.
    pub(super) fn judge(&mut self, listed: &BTreeSet<String>, dead: &[String]) {
        let range = format!("{}..main", self.seen);
        let log = Git::in_dir(&self.bare)
            .args(["log", "--reverse", "--topo-order", "--format=%x01%H%x00%P%x00%an", "-p", "--unified=0"])
            .args(["--no-renames", "--no-color", &range, "--"])
            .run();
        for text in log.split('\u{1}').filter(|text| !text.is_empty()) {
            let commit = Commit::parse(text);
            if commit.parents != self.seen {
                self.judged.wrong.push(format!("{} does not follow {} alone", commit.id, self.seen));
            }
            commit.id.clone_into(&mut self.seen);
            let (written, before) = commit.tags();
            if commit.author == OURS {
                self.judged.ours += 1;
                self.judge_ours(&commit, written, before, listed, dead);
                self.wrote = written.map(str::to_owned);
            } else {
                self.judged.theirs += 1;
            }
            if let Some(tag) = written {
                tag.clone_into(&mut self.standing);
            }
        }
    }

    fn judge_ours(
        &mut self,
        commit: &Commit<'_>,
        written: Option<&str>,
        before: Option<&str>,
        listed: &BTreeSet<String>,
        dead: &[String],
    ) {
        let id = commit.id;
        let (Some(tag), Some(before)) = (written, before) else {
            self.judged.wrong.push(format!("{id} does not change the image"));
            return;
        };
        let one_line = commit.files == [FILE] && commit.added.len() == 1 && commit.removed.len() == 1;
        if !one_line || commit.removed[0].replace(before, tag) != commit.added[0] {
            self.judged.wrong.push(format!("{id} changes more than the image's tag"));
        }
        if !listed.contains(tag) || key(tag).is_none() || dead.iter().any(|dead| dead == tag) {
            self.judged.wrong.push(format!("{id} writes {tag}, which is not allowed"));
        }
        if !self.is_newer(tag) {
            self.judged.wrong.push(format!(
                "{id} writes {tag}, where {} stands and we wrote {:?}",
                self.standing, self.wrote
            ));
        }
        if !self.every.insert(tag.to_owned()) {
            self.judged.doubled.push(format!("{id} writes {tag} again"));
        }
    }

    /// Whether a tag may replace the one that stands there.
    fn is_newer(&self, tag: &str) -> bool {
        let changed = self.wrote.as_ref().filter(|wrote| **wrote != self.standing);
        match (key(&self.standing), changed) {
            (Some(standing), changed) => {
                let floor = changed.and_then(|wrote| key(wrote)).unwrap_or_default().max(standing);
                key(tag) > Some(floor)
            }
            // What the policy does not match is replaced where it stood before us, and left alone after.
            (None, changed) => changed.is_none(),
        }
    }

    /// The tag that should come to Git: the newest, where it is not there and no person decided otherwise.
    pub(super) fn awaited<'l>(&self, listed: &'l BTreeSet<String>) -> Option<&'l String> {
        let newest = listed.iter().filter(|tag| key(tag).is_some()).max_by_key(|tag| key(tag));
        newest.filter(|newest| self.is_newer(newest))
    }

    /// Whether the tag that should be in Git is there.
    pub(super) fn judge_newest(&mut self, listed: &BTreeSet<String>) {
        if let Some(newest) = self.awaited(listed) {
            self.judged.lost.push(format!("{newest} is not in Git, where {} stands", self.standing));
        }
    }

    /// Whether all commits of people are still there, and all is well in the eyes of git.
    pub(super) fn judge_end(&mut self, people: &[String]) {
        git::fsck(&self.bare);
        let all = Git::in_dir(&self.bare).args(["rev-list", "main", "--"]).run();
        let all: HashSet<&str> = all.lines().collect();
        let gone = people.iter().filter(|id| !all.contains(id.as_str()));
        self.judged.lost.extend(gone.map(|id| format!("the commit {id} of a person is gone")));
    }

    /// What is wrong, in words.
    pub(super) fn verdict(&self) -> Result<(), String> {
        let Judged { wrong, doubled, lost, .. } = &self.judged;
        let all: Vec<&String> = wrong.iter().chain(doubled).chain(lost).collect();
        if all.is_empty() { Ok(()) } else { Err(format!("{all:?}")) }
    }
}

#[test]
fn the_oracle_knows_what_is_allowed() {
    assert_eq!(key("main-abc1234-1627123456"), Some(1_627_123_456));
    for tag in
        ["latest", "main-ABC1234-1", "main-abc123-1", "main-abc1234-1x", "main-abc1234-", "main-abc1234-1-1"]
    {
        assert_eq!(key(tag), None, "{tag}");
    }
}
