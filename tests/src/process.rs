//! A program that ends with the test process, however that ends.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_types, reason = "the tests, and only they, start real servers")]

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Starts the program and kills it as soon as standard input, the lifeline, ends: that is when the [`Process`] is
/// dropped, and also when the test process dies without dropping anything, as it does by a signal and with every value
/// that it keeps in a static. Then it removes the folder; where the program ended by itself it leaves it, to be read.
const GUARD: &str = r#"
folder=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- &
program=$!
( read -r _ <&3; : >"$folder/cut"; kill -9 "$program" ) &
lifeline=$!
wait "$program"
if [ -e "$folder/cut" ]; then rm -rf "$folder"; else kill "$lifeline"; fi
"#;

/// A running program with a temporary folder of its own. Dropping it kills the program and removes the folder.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    guard: Child,
    folder: tempfile::TempDir,
}

/// What to start.
pub(crate) struct Start<'a> {
    /// What it is called when it fails.
    pub(crate) name: &'static str,
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<OsString>,
    /// All of its environment.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    /// Its folder, which holds what it needs.
    pub(crate) folder: tempfile::TempDir,
}

impl Process {
    pub(crate) fn start(start: Start<'_>) -> Self {
        let Start { name, program, arguments, environment, folder } = start;
        let log = std::fs::File::create(log_in(&folder)).expect("the log can be written");
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(folder.path())
            .arg(program)
            .args(arguments)
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(environment)
            // Out of reach of Ctrl-C and of what else is meant for all of a terminal's processes: the guard must stay.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} is not started: {error}"));
        Self { name, guard, folder }
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(log_in(&self.folder)).unwrap_or_default()).into_owned()
    }

    /// Asks `ready` until it has something to say.
    ///
    /// # Panics
    /// With the end of the log when the program ends first, or when a minute has passed.
    pub(crate) fn wait_until<T>(&mut self, mut ready: impl FnMut(&Self) -> Option<T>) -> T {
        let bound = Duration::from_secs(60);
        let deadline = Instant::now() + bound;
        loop {
            if let Some(value) = ready(self) {
                return value;
            }
            let why = if !matches!(self.guard.try_wait(), Ok(None)) {
                "ended before it was ready".to_owned()
            } else if Instant::now() > deadline {
                format!("is not ready after {} s", bound.as_secs())
            } else {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            panic!("{} {why}; the end of its log:\n{}", self.name, tail(&self.log()));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

fn log_in(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("log")
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that writes its process id, and what it takes to see whether it still runs.
    fn sleeper() -> (Process, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let script = format!("echo $$ >{0}/new; mv {0}/new {0}/pid; exec sleep 1000", path.display());
        let mut process = Process::start(Start {
            name: "sleeper",
            program: Path::new("/bin/sh"),
            arguments: vec!["-c".into(), script.into()],
            environment: Vec::new(),
            folder,
        });
        let pid = process.wait_until(|_| std::fs::read_to_string(path.join("pid")).ok());
        (process, Path::new("/proc").join(pid.trim()))
    }

    #[test]
    fn dropping_it_kills_the_program_and_removes_the_folder() {
        let (process, running) = sleeper();
        let folder = process.folder.path().to_owned();
        assert!(running.exists() && folder.exists());
        drop(process);
        assert!(!running.exists() && !folder.exists());
    }

    #[test]
    #[should_panic(expected = "false ended before it was ready; the end of its log:\nno\nnever")]
    fn a_program_that_ends_early_shows_its_log() {
        let mut process = Process::start(Start {
            name: "false",
            program: Path::new("/bin/sh"),
            arguments: vec!["-c".into(), "echo no; echo never >&2; exit 1".into()],
            environment: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
        });
        process.wait_until(|_| None::<()>);
    }

    /// Runs itself once more, as the test process that is killed.
    #[test]
    #[allow(clippy::print_stdout, reason = "the one that is killed tells the other what to look at")]
    fn it_ends_with_a_test_process_that_is_killed() {
        if std::env::var_os("TO_BE_KILLED").is_some() {
            let (process, running) = sleeper();
            println!("\nsleeper {} {}", running.display(), process.folder.path().display());
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
        let mut owner = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::tests::it_ends_with_a_test_process_that_is_killed", "--nocapture"])
            .env("TO_BE_KILLED", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = std::io::BufRead::lines(std::io::BufReader::new(owner.stdout.take().unwrap()));
        let line = said.map_while(Result::ok).find(|line| line.starts_with("sleeper ")).unwrap();
        let paths: Vec<&Path> = line.split(' ').skip(1).map(Path::new).collect();
        assert!(paths.iter().all(|path| path.exists()), "{line}");
        owner.kill().unwrap();
        owner.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while paths.iter().any(|path| path.exists()) {
            assert!(Instant::now() < deadline, "{line} outlived its test process");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
