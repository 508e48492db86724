//! The last commits of a branch, newest first.

use std::collections::{BinaryHeap, HashMap, HashSet};

use gix::objs::CommitRef;

use crate::object::{Kind, ObjectId, Objects, SHA1};

/// The last commits of a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Newest first; a commit always stands before its parents.
    pub commits: Vec<Logged>,
    /// Whether these are all there are, down to the root.
    pub complete: bool,
}

impl History {
    /// The messages, newest first.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.commits.iter().map(|commit| commit.message.as_str())
    }
}

/// A commit as a log shows it. What is not UTF-8 in it is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The commit.
    pub id: ObjectId,
    /// `Name <email>` of the author.
    pub author: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// The whole message.
    pub message: String,
}

/// Orders the commits that can be reached from `tip` through `objects`. Parents that are not in `objects` are passed over
/// and make the history incomplete.
pub(crate) fn log(tip: ObjectId, objects: &Objects) -> History {
    let mut seen: HashMap<ObjectId, Node> = HashMap::new();
    let mut children: HashMap<ObjectId, usize> = HashMap::new();
    let mut complete = true;
    let mut open = vec![tip];
    while let Some(id) = open.pop() {
        if seen.contains_key(&id) {
            continue;
        }
        let Some(node) = Node::read(id, objects) else {
            complete = false;
            continue;
        };
        for parent in &node.parents {
            *children.entry(*parent).or_default() += 1;
            open.push(*parent);
        }
        seen.insert(id, node);
    }
    // Kahn's algorithm, the newest of the commits whose children were all shown first: `git log --date-order`.
    let mut ready: BinaryHeap<(i64, ObjectId)> =
        seen.get(&tip).map(|node| (node.logged.time, tip)).into_iter().collect();
    let mut shown = HashSet::new();
    let mut commits = Vec::with_capacity(seen.len());
    while let Some((_, id)) = ready.pop() {
        let Some(node) = seen.remove(&id).filter(|_| shown.insert(id)) else { continue };
        for parent in &node.parents {
            let Some(left) = children.get_mut(parent) else { continue };
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.extend(seen.get(parent).map(|node| (node.logged.time, *parent)));
            }
        }
        commits.push(node.logged);
    }
    History { commits, complete }
}

struct Node {
    logged: Logged,
    parents: Vec<ObjectId>,
}

impl Node {
    fn read(id: ObjectId, objects: &Objects) -> Option<Self> {
        let object = objects.get(&id).filter(|object| object.kind == Kind::Commit)?;
        let commit = CommitRef::from_bytes(&object.bytes, SHA1).ok()?;
        let author =
            commit.author().map(|author| format!("{} <{}>", author.name, author.email)).unwrap_or_default();
        let logged = Logged {
            id,
            author,
            time: commit.committer().map(|committer| committer.seconds()).unwrap_or_default(),
            message: String::from_utf8_lossy(commit.message).into_owned(),
        };
        Some(Self { logged, parents: commit.parents().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Object;

    fn commit(objects: &mut Objects, parents: &[ObjectId], time: i64, message: &str) -> ObjectId {
        let parents: String = parents.iter().map(|id| format!("parent {id}\n")).collect();
        let person = format!("A <a@b> {time} +0000");
        let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let text = format!("tree {tree}\n{parents}author {person}\ncommitter {person}\n\n{message}");
        objects.add(Object { kind: Kind::Commit, bytes: text.into_bytes() }).unwrap()
    }

    #[test]
    fn newest_first_and_no_parent_before_its_child_whatever_the_clocks_say() {
        let mut objects = Objects::default();
        let root = commit(&mut objects, &[], 900, "root, with a clock in the future");
        let left = commit(&mut objects, &[root], 200, "left");
        let right = commit(&mut objects, &[root], 300, "right");
        let right2 = commit(&mut objects, &[right], 150, "right 2");
        let tip = commit(&mut objects, &[left, right2], 400, "merge");
        let history = log(tip, &objects);
        let messages: Vec<_> = history.messages().collect();
        assert_eq!(messages, ["merge", "left", "right 2", "right", "root, with a clock in the future"]);
        assert!(history.complete);
    }

    #[test]
    fn a_history_whose_end_was_not_sent_is_not_complete() {
        let mut objects = Objects::default();
        let absent = ObjectId::null(SHA1);
        let tip = commit(&mut objects, &[absent], 400, "tip");
        let history = log(tip, &objects);
        assert_eq!((history.commits.len(), history.complete), (1, false));
        assert_eq!(log(absent, &objects), History::default());
    }
}
