//! A program that serves, with what it takes of the machine: memory and time of the processor, as Linux counts them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a measurement that fails says where and ends"
)]
#![allow(clippy::disallowed_types, reason = "runs the program that it measures")]

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Ticks of `/proc/PID/stat` in a second (`getconf CLK_TCK`): 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;
/// How long a program may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub struct Measured {
    child: Child,
    folder: tempfile::TempDir,
    /// From its start to its first answer of 200 at the page that says it is ready.
    pub started_in: Duration,
}

impl Measured {
    /// Starts a program with nothing in its environment but `environment`, and waits until it answers `ready`, a page as
    /// in `127.0.0.1:9440/readyz`.
    ///
    /// # Panics
    /// With its log when it ends, or is not ready within a minute.
    pub fn start(
        program: &Path,
        arguments: &[OsString],
        environment: &[(&str, OsString)],
        ready: (SocketAddr, &str),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = File::create(folder.path().join("log")).expect("the log can be written");
        let started = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut program = Self { child, folder, started_in: Duration::ZERO };
        while get(ready.0, ready.1).is_none_or(|(status, _)| status != 200) {
            let ended = program.child.try_wait().expect("the program is waited for");
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "{}", program.log());
            std::thread::sleep(Duration::from_millis(1));
        }
        program.started_in = started.elapsed();
        program
    }

    /// Where it may keep files.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Resident memory now, in bytes.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most resident memory since its start, or since [`Self::forget_peak`], in bytes.
    pub fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Begins a new peak.
    pub fn forget_peak(&self) {
        let _ = fs::write(self.proc("clear_refs"), "5");
    }

    /// Seconds of processor time since its start.
    pub fn processor(&self) -> f64 {
        let stat = fs::read_to_string(self.proc("stat")).expect("the program runs");
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
        let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
        ticks.sum::<f64>() / TICKS
    }

    fn status(&self, field: &str) -> u64 {
        status(self.child.id(), field).expect("the program runs")
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the end of its log:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
        }
    }
}

/// The most resident memory of a process since its start, in bytes. `None` where it has ended.
pub fn peak_of(process: u32) -> Option<u64> {
    status(process, "VmHWM:")
}

/// A field of `/proc/PID/status`, in bytes.
fn status(process: u32, field: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()? * 1024)
}

/// A port of 127.0.0.1 that nobody listens on. (It is free now; ports are given out in turn, so it stays so for a while.)
pub fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket")
}

/// Reads a page over plain HTTP: its status and body. `None` where nobody answers.
pub fn get(from: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&from, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: {from}\r\nconnection: close\r\n\r\n").as_bytes())
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
