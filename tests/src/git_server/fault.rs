//! What a request may meet instead of, before or after git.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// An answer of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer without headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// Sets a header, in place of one with the same name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What a request meets. Those that do not answer let it through to the next fault and then to git.
#[derive(Clone)]
pub enum Fault {
    /// This answer; git never sees the request.
    Answer(Answer),
    /// No answer: the connection is closed without a byte.
    Drop,
    /// Git gets the request, but the connection is closed without a byte of its answer: did the push land?
    DropAnswer,
    /// Git's answer, of which only this many bytes of the body arrive before the connection is closed.
    CutAfter(usize),
    /// The request waits this long.
    Delay(Duration),
    /// Something happens on the server first, e.g. somebody else pushes.
    Run(Arc<dyn Fn() + Send + Sync>),
    /// Git's answer, altered.
    Rewrite(Arc<dyn Fn(Answer) -> Answer + Send + Sync>),
}

impl Fault {
    /// A status with a text, as a proxy or a forge would answer.
    pub fn status(status: u16, text: &str) -> Self {
        Self::Answer(Answer::new(status, text).header("content-type", "text/plain; charset=utf-8"))
    }

    /// A web page with status 200: what one gets from a portal, a login form or a wrong URL.
    pub fn web_page() -> Self {
        let page = "<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>";
        Self::Answer(Answer::new(200, page).header("content-type", "text/html; charset=utf-8"))
    }

    /// A redirection to `location`, a whole URL or a path.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::Answer(Answer::new(status, "").header("location", location))
    }

    /// A push to `branch` that git never sees, refused for `reason` in the form that git uses, so that a test can have the
    /// words of any other host.
    pub fn refusal(branch: &str, reason: &str) -> Self {
        let line = |text: String| format!("{:04x}{text}", text.len() + 4);
        let refused = line(format!("ng refs/heads/{branch} {reason}\n"));
        let report = format!("{}{refused}0000", line("unpack ok\n".to_owned()));
        let band = format!("{:04x}\u{1}{report}0000", report.len() + 5);
        Self::Answer(Answer::new(200, band).header("content-type", "application/x-git-receive-pack-result"))
    }

    /// Git's answer, altered by `change`.
    pub fn rewrite(change: impl Fn(Answer) -> Answer + Send + Sync + 'static) -> Self {
        Self::Rewrite(Arc::new(change))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => f.debug_tuple("Answer").field(answer).finish(),
            Self::Drop => f.write_str("Drop"),
            Self::DropAnswer => f.write_str("DropAnswer"),
            Self::CutAfter(bytes) => f.debug_tuple("CutAfter").field(bytes).finish(),
            Self::Delay(time) => f.debug_tuple("Delay").field(time).finish(),
            Self::Run(_) => f.write_str("Run(..)"),
            Self::Rewrite(_) => f.write_str("Rewrite(..)"),
        }
    }
}

/// Which requests meet a fault, and how many of them still.
#[derive(Debug)]
pub(super) struct Rule {
    pattern: String,
    left: Option<usize>,
    met: usize,
    fault: Fault,
}

impl Rule {
    pub(super) fn new(pattern: &str, left: Option<usize>, fault: Fault) -> Self {
        Self { pattern: pattern.to_owned(), left, met: 0, fault }
    }

    /// How many requests met it.
    pub(super) fn met(&self) -> usize {
        self.met
    }
}

/// The faults that a request meets, in the order in which they were asked for; those that were meant for one request are used up.
pub(super) fn met(rules: &mut [Rule], line: &str) -> Vec<Fault> {
    let mut all = Vec::new();
    for rule in rules.iter_mut().filter(|rule| rule.left != Some(0) && line.contains(&rule.pattern)) {
        rule.met += 1;
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        all.push(rule.fault.clone());
        if matches!(rule.fault, Fault::Answer(_) | Fault::Drop) {
            break;
        }
    }
    all
}
