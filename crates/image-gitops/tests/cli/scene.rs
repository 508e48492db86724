//! A registry, a Git server with one repository, and a folder to run the program in.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use image_gitops_tests::{
    git::{self, ChangedLine, Git},
    git_server::{GitServer, Options, Repository},
    registry_server::{Front, FrontOptions, RegistryServer},
};

pub(crate) const IMAGE: &str = "legolas49/back-dev-bfirstai";
pub(crate) const FILE: &str = "kubevela/backoffice-dev.yaml";
pub(crate) const OLD: &str = "main-abc1234-1627123456";
pub(crate) const NEW: &str = "main-def5678-1627209856";
pub(crate) const NEWER: &str = "main-0123456-1627300000";

pub(crate) struct Scene {
    pub(crate) registry: RegistryServer,
    pub(crate) front: Front,
    pub(crate) server: GitServer,
    pub(crate) repository: Repository,
    folder: tempfile::TempDir,
}

/// What the program printed, and how it ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Asserts the exit code and that the output, both streams together, holds these texts.
    #[track_caller]
    pub(crate) fn is(self, code: i32, texts: &[&str]) -> Self {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "the program said:\n{all}");
        for text in texts {
            assert!(all.contains(text), "the program did not say {text:?} but:\n{all}");
        }
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).expect("JSON on standard output")
    }
}

impl Scene {
    /// The user's repository with [`OLD`] in its file, and a registry that lists [`OLD`].
    pub(crate) fn new() -> Self {
        Self::with(Options::default(), FrontOptions::default())
    }

    pub(crate) fn with(git_options: Options, front_options: FrontOptions) -> Self {
        let registry = RegistryServer::start();
        let front = Front::before(&registry, front_options);
        let server = GitServer::start(git_options.config("uploadpack.allowFilter", "true"));
        let repository = server.repository(IMAGE);
        let scene = Self { registry, front, server, repository, folder: tempfile::tempdir().unwrap() };
        scene.tag(OLD);
        scene.commit(FILE, &scene.application(OLD), "Describe the application");
        scene.write("policy.yaml", &scene.policy("back", ""));
        scene
    }

    /// CI pushes an image.
    pub(crate) fn tag(&self, tag: &str) {
        self.registry.push_image(IMAGE, tag);
    }

    /// The image as files name it.
    pub(crate) fn image(&self, tag: &str) -> String {
        format!("{}/{IMAGE}:{tag}", self.front.host())
    }

    /// The user's Application.
    pub(crate) fn application(&self, tag: &str) -> String {
        format!(
            "# The back office\napiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: backoffice-dev\n  \
             namespace: backoffice-dev\nspec:\n  components:\n    - name: back\n      type: webservice\n      \
             properties:\n        image: {}   # kept up to date\n        port: 3000\n",
            self.image(tag)
        )
    }

    /// The user's resource, called `name`; `more` is appended to its spec, which ends with the target.
    pub(crate) fn policy(&self, name: &str, more: &str) -> String {
        format!(
            "apiVersion: image-gitops.dev/v1alpha1\nkind: ImageGitOps\nmetadata: {{name: {name}, namespace: backoffice-dev}}\n\
             spec:\n  image: {}/{IMAGE}\n  registry: {{insecure: true}}\n  tags: {{pattern: '^main-[a-f0-9]{{7}}-(?P<ts>[0-9]+)$', \
             extract: '$ts'}}\n  policy: {{sort: numerical, order: desc}}\n  git: {{url: '{}', branch: main, path: {FILE}}}\n  \
             target: {{application: backoffice-dev, component: back}}\n{more}",
            self.front.host(),
            self.repository.url
        )
    }

    /// Writes a file beside the program's input.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A person commits a file.
    pub(crate) fn commit(&self, path: &str, text: &str, message: &str) -> String {
        git::commit_files(&self.repository.path, "main", &[(path, text.as_bytes())], message)
    }

    /// The file's text on the branch.
    pub(crate) fn file(&self) -> String {
        String::from_utf8(git::show(&self.repository.path, "main", FILE)).unwrap()
    }

    pub(crate) fn tip(&self) -> String {
        git::rev(&self.repository.path, "refs/heads/main")
    }

    /// Asserts that the branch moved by one commit that changes one line, and that git finds nothing wrong.
    #[track_caller]
    pub(crate) fn one_line_since(&self, before: &str) -> ChangedLine {
        git::fsck(&self.repository.path);
        let count = Git::in_dir(&self.repository.path)
            .args(["rev-list", "--count", &format!("{before}..main")])
            .run();
        assert_eq!(count, "1", "commits on the branch");
        git::one_line_diff(&self.repository.path, before, "main")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        program(self.folder.path(), arguments)
    }

    /// Runs `COMMAND -f policy.yaml`.
    pub(crate) fn run(&self, command: &str) -> Ran {
        self.run_with(&[command, "-f", "policy.yaml"])
    }

    pub(crate) fn run_with(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }
}

/// The program, without anything of the machine's own that could help or hinder it.
pub(crate) fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_image-gitops"));
    command.args(arguments).current_dir(folder).env_clear().env("HOME", folder);
    command
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
