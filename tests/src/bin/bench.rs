//! `make bench`: figures of the whole program, each against a rival or a limit measured in the same run.
//!
//! The registry is the OCI distribution registry, the Git server is `git http-backend`, the rival is git itself:
//! `git clone --depth 1`, one line changed, commit, push. Nothing here is a test: figures depend on the machine, ratios
//! less so.
#![allow(clippy::print_stdout, reason = "a program that prints figures")]
#![allow(clippy::disallowed_types, reason = "runs the program that it measures")]
#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that fails says where and ends")]

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use image_gitops_tests::{
    git::{self, Git},
    git_server::{GitServer, Options},
    measured::peak_of,
    registry_server::{Front, FrontOptions, RegistryServer},
};

const IMAGE: &str = "acme/shop";
const ROUNDS: usize = 5;

/// How 20,000 files lie in a repository. What an update costs grows with the width of the folders on its way, since a tree
/// names all that is in it.
#[derive(Clone, Copy)]
struct Layout {
    name: &'static str,
    areas: usize,
    folders: usize,
    files: usize,
}

const LAYOUTS: [Layout; 2] = [
    Layout { name: "40 areas of 50 folders of 10 files", areas: 40, folders: 50, files: 10 },
    Layout { name: "2,000 folders in the root", areas: 2_000, folders: 1, files: 10 },
];

fn main() {
    let program = std::env::args_os().nth(1).map(PathBuf::from).expect("usage: bench PROGRAM");
    let program = program.canonicalize().expect("the program exists: run make bench");
    println!("image-gitops: {} bytes", std::fs::metadata(&program).expect("the program's size").len());
    for layout in LAYOUTS {
        update(&program, layout);
    }
    list(&program);
    let examples = program.parent().expect("the program lies in a folder").join("examples");
    for (example, limits) in [
        ("choose_speed", "limits: 20 ms numerical, 40 ms semver"),
        ("edit_speed", "limit: 50 ms for 5 MB of YAML"),
    ] {
        title(example, limits);
        let status = Command::new(examples.join(example)).status().expect("the example was built");
        assert!(status.success(), "{example} failed");
    }
}

fn title(what: &str, note: &str) {
    println!("\n== {what} ({note})");
}

/// What one way of updating cost, in one round.
#[derive(Clone, Copy)]
struct Cost {
    time: Duration,
    requests: usize,
    down: usize,
    up: usize,
    /// Peak resident memory in kB, of the program alone.
    memory: usize,
}

/// One image update in a repository of 20,000 files, by the program and by git.
fn update(program: &Path, layout: Layout) {
    title(
        &format!("one update, 20,000 files, {}", layout.name),
        "rival: git clone --depth 1, edit, commit, push",
    );
    let server = GitServer::start(Options::default().config("uploadpack.allowFilter", "true"));
    let registry = RegistryServer::start();
    let repository = server.repository("acme/large");
    fill(&repository.path, &registry.host(), layout);
    let packed = Git::in_dir(&repository.path).args(["count-objects", "-v"]).run();
    println!(
        "{}",
        packed
            .lines()
            .filter(|l| l.starts_with("in-pack") || l.starts_with("size-pack"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, policy_text(&registry.host(), &repository.url)).expect("the policy is written");

    let (mut ours, mut gits) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let tag = |turn: usize| format!("main-abc1234-{}", 1_627_123_500 + 10 * round + turn);
        registry.push_image(IMAGE, &tag(0));
        server.take_requests();
        let start = Instant::now();
        let memory = run(program, folder.path(), "sync");
        let mine = cost(&server, start.elapsed(), memory);

        server.take_requests();
        let start = Instant::now();
        by_git(&repository.url, &folder.path().join(format!("clone-{round}")), &registry.host(), &tag(1));
        let its = cost(&server, start.elapsed(), 0);
        // The first round warms the disk cache for both.
        if round > 0 {
            ours.push(mine);
            gits.push(its);
        }
    }
    git::fsck(&repository.path);
    let objects = objects(program, folder.path());
    println!("objects fetched for a path of depth 2: {objects}");
    row("image-gitops", &ours);
    row("git", &gits);
    let ratio = |of: fn(&Cost) -> f64| median(&gits, of) / median(&ours, of);
    println!(
        "git / image-gitops: {:.0}x the bytes, {:.1}x the time, {:.2}x the requests",
        ratio(|c| (c.down + c.up) as f64),
        ratio(|c| c.time.as_secs_f64()),
        ratio(|c| c.requests as f64)
    );
    let peak = ours.iter().map(|c| c.memory).max().unwrap_or_default();
    println!("peak memory of one sync: {:.1} MB (limit 15 MB)", peak as f64 / 1000.0);
}

fn row(name: &str, costs: &[Cost]) {
    println!(
        "{name:13} median of {}: {:6.0} ms, {} requests, {} bytes down, {} bytes up",
        costs.len(),
        median(costs, |c| c.time.as_secs_f64() * 1000.0),
        median(costs, |c| c.requests as f64),
        median(costs, |c| c.down as f64),
        median(costs, |c| c.up as f64),
    );
}

fn median(costs: &[Cost], of: fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn cost(server: &GitServer, time: Duration, memory: usize) -> Cost {
    let requests = server.take_requests();
    Cost {
        time,
        requests: requests.len(),
        down: requests.iter().map(|r| r.sent).sum(),
        up: requests.iter().map(|r| r.received()).sum(),
        memory,
    }
}

/// 20,000 files of some 250 bytes that do not compress well, and the Application.
fn fill(bare: &Path, host: &str, layout: Layout) {
    let mut stream =
        String::from("commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 5\nlarge\n");
    let mut noise: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut add = |path: &str, body: &str| {
        let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{body}\n", body.len());
    };
    for number in 0..layout.areas * layout.folders * layout.files {
        let (folder, file) = (number / layout.files, number % layout.files);
        let mut body = format!("folder: {folder}\nfile: {file}\nnoise: ");
        for _ in 0..16 {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            let _ = write!(body, "{noise:016x}");
        }
        let area = folder / layout.folders;
        let path = match layout.folders {
            1 => format!("area-{area:04}/file-{file:04}.yaml"),
            _ => format!("area-{area:02}/folder-{:02}/file-{file:04}.yaml", folder % layout.folders),
        };
        add(&path, &body);
    }
    add("kubevela/app.yaml", &application(host));
    Git::in_dir(bare).args(["fast-import", "--quiet"]).input(stream).run();
}

/// The rival's update: what a script in CI does today.
fn by_git(url: &str, clone: &Path, host: &str, tag: &str) {
    let parent = clone.parent().expect("a clone lies in a folder");
    Git::in_dir(parent).args(["clone", "--quiet", "--depth", "1", url]).args([clone]).run();
    let file = clone.join("kubevela/app.yaml");
    let text = std::fs::read_to_string(&file).expect("the Application is there");
    let prefix = format!("image: {host}/{IMAGE}:");
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line.find(&prefix) {
            Some(at) => format!("{}{prefix}{tag}", &line[..at]),
            None => line.to_owned(),
        })
        .collect();
    std::fs::write(&file, lines.join("\n") + "\n").expect("the Application is written");
    Git::in_dir(clone).args(["commit", "--quiet", "--all", "--message", "Update"]).run();
    Git::in_dir(clone).args(["push", "--quiet", "origin", "HEAD:main"]).run();
    let _ = std::fs::remove_dir_all(clone);
}

/// Lists 10,000 tags, as pages of 1,000.
fn list(program: &Path) {
    title(
        "10,000 tags from the registry",
        "limit: one request a page, beside one for the token and one challenge",
    );
    let registry = RegistryServer::start();
    registry.tag_many(IMAGE, (0..10_000).map(|n| format!("main-{n:07x}-{}", 1_627_123_456 + n)));
    let front = Front::before(&registry, FrontOptions { tokens: true, ..FrontOptions::default() });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bare = git::bare_repository(folder.path().join("shop.git"));
    git::commit_files(&bare, "main", &[("kubevela/app.yaml", application(front.host()).as_bytes())], "first");
    let text = policy_text(front.host(), &bare.display().to_string());
    std::fs::write(folder.path().join("policy.yaml"), text).expect("the policy is written");
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        front.forget_requests();
        let start = Instant::now();
        run(program, folder.path(), "plan");
        times.push(start.elapsed());
    }
    times.sort();
    let pages = front.requests().iter().filter(|r| r.line.contains("/tags/list") && r.status == 200).count();
    println!(
        "plan: median {:.0} ms; {} requests, of them {pages} pages",
        times.get(ROUNDS / 2).copied().unwrap_or_default().as_secs_f64() * 1000.0,
        front.requests().len(),
    );
}

fn objects(program: &Path, folder: &Path) -> u64 {
    let output =
        command(program, folder, "plan").args(["--output", "json"]).output().expect("the program starts");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the report is JSON");
    report["branches"][0]["cost"]["objects"].as_u64().expect("the report says what it cost")
}

fn command(program: &Path, folder: &Path, command: &str) -> Command {
    let mut process = Command::new(program);
    process.args([command, "-f", "policy.yaml"]).current_dir(folder);
    process.env_remove("GITHUB_TOKEN").env_remove("GH_TOKEN").env("DOCKER_CONFIG", folder);
    process
}

/// Runs the program to its end, and returns its peak memory in kB. The kernel keeps the peak, so that the last look
/// before the end tells it.
fn run(program: &Path, folder: &Path, name: &str) -> usize {
    let mut child = command(program, folder, name).stdout(Stdio::null()).spawn().expect("the program starts");
    let mut peak = 0;
    loop {
        let now = peak_of(child.id()).and_then(|bytes| usize::try_from(bytes / 1024).ok());
        peak = peak.max(now.unwrap_or(0));
        if let Some(status) = child.try_wait().expect("the program is waited for") {
            assert!(status.success(), "image-gitops {name} ended with {status}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn application(host: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: shop\nspec:\n  components:\n    \
         - name: web\n      type: webservice\n      properties:\n        image: {host}/{IMAGE}:main-abc1234-1627123400\n"
    )
}

fn policy_text(host: &str, repository: &str) -> String {
    format!(
        "apiVersion: image-gitops.dev/v1alpha1\nkind: ImageGitOps\nmetadata: {{name: shop}}\nspec:\n  image: {host}/{IMAGE}\n  \
         registry: {{insecure: true}}\n  tags: {{pattern: '^main-[a-f0-9]{{7}}-(?P<ts>[0-9]+)$', extract: '$ts'}}\n  \
         git: {{url: '{repository}', path: kubevela/app.yaml}}\n  target: {{application: shop, component: web}}\n"
    )
}
