//! A canary in every place where the command line takes credentials: nothing it prints or writes holds one.

use image_gitops_tests::{
    git::{self, Git},
    git_server::{Answer as GitAnswer, Fault, Options},
    registry_server::{Answer, Fault as RegistryFault, Front, FrontOptions},
};

use crate::{
    canary::Canaries,
    scene::{FILE, IMAGE, NEW, NEWER, OLD, Scene, ran},
};

const PASSWORD: &str = "c4n+ary/Git=Passw0rd";
const PROXY: &str = "c4naryProxyPassw0rd";
const GITHUB: &str = "ghp_c4naryEnvironment";
const IN_URL: &str = "c4naryInTheUrl";
const BROKEN: &str = "c4naryInABrokenFile";
const COMMANDS: &[&str] = &["plan", "explain", "check", "sync"];

fn canaries() -> Canaries {
    // The registry's tokens are called opaque-1, opaque-2 and so on.
    Canaries::new([
        PASSWORD,
        PROXY,
        GITHUB,
        IN_URL,
        BROKEN,
        Front::TOKEN,
        Front::REFRESH,
        "token=opaque-",
        "Bearer opaque-",
        "\"opaque-",
    ])
}

/// A private repository and a private registry, with their credentials in Secrets, docker's config and the environment.
struct Stage {
    scene: Scene,
    canaries: Canaries,
}

impl Stage {
    fn new(tls: bool) -> Self {
        let options = Options::default().private("bot", PASSWORD);
        let scene = Scene::with(
            if tls { options.tls() } else { options },
            FrontOptions { tls, ..FrontOptions::default() },
        );
        scene.write(
            "config.json",
            &docker_config(scene.front.host(), "auth", &base64(&format!("bot:{}", Front::TOKEN))),
        );
        let stage = Self { scene, canaries: canaries() };
        stage.policy(|text| text);
        stage
    }

    /// Writes the resource and its Secrets, changed.
    fn policy(&self, change: impl Fn(String) -> String) {
        let secret = |name: &str, fields: &str| {
            format!(
                "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: backoffice-dev}}\n{fields}\n"
            )
        };
        let tls = self.scene.server.ca_pem().is_some();
        let (git_ca, registry_ca) = if tls {
            (", caSecretRef: {name: git-ca}", "{caSecretRef: {name: registry-ca}}")
        } else {
            ("", "{insecure: true}")
        };
        let policy = self
            .scene
            .policy("back", "")
            .replace("branch: main,", &format!("branch: main, secretRef: {{name: write}}{git_ca},"))
            .replace("{insecure: true}", registry_ca);
        let write = secret("write", &format!("stringData: {{username: bot, password: '{PASSWORD}'}}"));
        let ca = |name: &str, pem: Option<&str>| {
            let pem = pem.unwrap_or_default().replace('\n', "\n    ");
            secret(name, &format!("stringData:\n  ca.crt: |\n    {pem}\n  token: {BROKEN}"))
        };
        let cas = if tls {
            ca("git-ca", self.scene.server.ca_pem()) + &ca("registry-ca", self.scene.front.ca_pem())
        } else {
            String::new()
        };
        self.scene.write("policy.yaml", &change(format!("{policy}{write}{cas}")));
    }

    /// Runs a command at the finest log level, as text and as JSON, and looks at all it printed.
    #[track_caller]
    fn run(&self, what: &str, arguments: &[&str]) -> String {
        let mut all = String::new();
        for output in ["text", "json"] {
            let mut command = self.scene.command(arguments);
            command
                .args(["--output", output, "-f", "policy.yaml"])
                .env("RUST_LOG", "trace")
                .env("DOCKER_CONFIG", ".");
            command.env("GITHUB_TOKEN", GITHUB).env("RUST_BACKTRACE", "full");
            let ran = ran(command.output().unwrap());
            all.push_str(&format!("{}\n{}\nexit {}\n", ran.out, ran.err, ran.code));
        }
        self.canaries.are_not_in(&format!("{what}: {arguments:?}"), &all);
        all
    }

    #[track_caller]
    fn run_all(&self, what: &str) -> String {
        COMMANDS.iter().map(|command| self.run(what, &[command])).collect()
    }

    /// Looks at everything in the repository: objects, messages, configuration, hooks' files.
    #[track_caller]
    fn look_at_the_repository(&self) {
        let bare = &self.scene.repository.path;
        let log = Git::in_dir(bare).args(["log", "-p", "--all", "--format=raw"]).run();
        self.canaries.are_not_in("git log", &log);
        let objects = Git::in_dir(bare).args(["cat-file", "--batch-all-objects", "--batch"]).bytes();
        self.canaries.are_not_in("an object", &String::from_utf8_lossy(&objects));
        for name in ["config", "FETCH_HEAD", "packed-refs", "logs/refs/heads/main"] {
            let text = std::fs::read_to_string(bare.join(name)).unwrap_or_default();
            self.canaries.are_not_in(name, &text);
        }
    }
}

fn base64(text: &str) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text)
}

fn docker_config(host: &str, field: &str, value: &str) -> String {
    format!(r#"{{"auths": {{"{host}": {{"{field}": "{value}"}}}}}}"#)
}

#[test]
fn what_succeeds_shows_no_secret() {
    for tls in [false, true] {
        let stage = Stage::new(tls);
        stage.scene.tag(NEW);
        let said = stage.run_all("all is well");
        assert!(said.contains("updated") && said.contains("TRACE"), "{said}");
        assert!(stage.scene.file().contains(NEW));
        // With the other kind of credential that docker's config knows.
        let identity = docker_config(stage.scene.front.host(), "identitytoken", Front::REFRESH);
        stage.scene.write("config.json", &identity);
        stage.scene.tag(NEWER);
        stage.run_all("a refresh token");
        assert!(stage.scene.file().contains(NEWER));
        stage.look_at_the_repository();
    }
}

#[test]
fn what_a_server_answers_shows_no_secret() {
    let stage = Stage::new(false);
    stage.scene.tag(NEW);
    let sent = base64(&format!("bot:{PASSWORD}"));
    let to_registry = base64(&format!("bot:{}", Front::TOKEN));
    // Servers and proxies that repeat what they were sent.
    let echo = format!("no entry for Basic {sent} (bot:{PASSWORD})");
    let registry_echo = format!("no entry for Basic {to_registry} ({})", Front::TOKEN);
    for status in [400, 401, 403, 404, 500] {
        stage.scene.server.on("", Fault::status(status, &echo));
        stage.run(&format!("Git says {status}"), &["sync"]);
        stage.scene.server.heal();
        for at in ["/token", "tags/list", "manifests"] {
            let error =
                serde_json::json!({ "errors": [{ "code": "DENIED", "message": registry_echo }] }).to_string();
            stage.scene.front.on(at, RegistryFault::Answer(Answer::json(status, &error)));
            stage.run(&format!("the registry says {status} at {at}"), &["sync"]);
            stage.scene.front.heal();
        }
    }
    for (what, location) in [
        ("a user", format!("http://bot:{IN_URL}@127.0.0.1:1/info/refs?service=git-upload-pack")),
        ("a query", format!("http://127.0.0.1:1/login?token={IN_URL}")),
        ("a fragment", format!("http://127.0.0.1:1/login#{IN_URL}")),
    ] {
        stage.scene.server.on("info/refs", Fault::redirect(302, &location));
        stage.run(&format!("Git redirects to a URL with {what}"), &["sync"]);
        stage.scene.server.heal();
        stage
            .scene
            .front
            .on("tags/list", RegistryFault::Answer(Answer::bytes(302, b"").header("location", &location)));
        stage.run(&format!("the registry redirects to a URL with {what}"), &["sync"]);
        stage.scene.front.heal();
        for challenge in [format!("Bearer realm=\"{location}\""), format!("Bearer realm=\"ftp{location}\"")] {
            let asks = Answer::json(401, "{}").header("www-authenticate", &challenge);
            stage.scene.front.on("tags/list", RegistryFault::Answer(asks));
            stage.run(&format!("the token service has {what}"), &["sync"]);
            stage.scene.front.heal();
        }
    }
    // A page that is no list, a token that is none, and a server that hangs up.
    for (at, fault) in [
        ("tags/list", RegistryFault::Answer(Answer::json(200, &format!("{{\"tags\": \"{to_registry}\"}}")))),
        (
            "/token",
            RegistryFault::Answer(Answer::json(200, &format!("{{\"token\": [\"{}\"]}}", Front::TOKEN))),
        ),
        ("/token", RegistryFault::Answer(Answer::json(200, "{\"token\": \"c4naryInTheUrl\\nx\"}"))),
        ("tags/list", RegistryFault::Reset),
        ("tags/list", RegistryFault::CutAfter(3)),
    ] {
        stage.scene.front.on(at, fault);
        stage.run(&format!("the registry fails at {at}"), &["check"]);
        stage.scene.front.heal();
    }
    for fault in [
        Fault::Drop,
        Fault::CutAfter(20),
        Fault::web_page(),
        Fault::Answer(GitAnswer::new(200, echo.clone())),
    ] {
        stage.scene.server.on("", fault);
        stage.run("Git fails", &["check"]);
        stage.scene.server.heal();
    }
    // A hook that repeats what it knows, and a server that does so as it takes the push.
    git::hook(&stage.scene.repository.path, "pre-receive", &format!("echo '{echo}' >&2; exit 1"));
    let said = stage.run("a hook refuses", &["sync"]);
    assert!(said.contains("no entry for Basic *"), "{said}");
    git::hook(&stage.scene.repository.path, "pre-receive", &format!("echo '{echo}' >&2"));
    stage.run("a hook talks", &["sync"]);
    assert!(stage.scene.file().contains(NEW));
    stage.look_at_the_repository();
}

#[test]
fn what_is_wrong_on_the_way_shows_no_secret() {
    let stage = Stage::new(true);
    stage.policy(|text| text.replace("-----BEGIN", BROKEN));
    stage.run_all("certificates that are none");
    stage.policy(|text| {
        text.replace(", caSecretRef: {name: git-ca}", "").replace("{caSecretRef: {name: registry-ca}}", "{}")
    });
    stage.run_all("certificates that nobody trusts");
    stage.policy(|text| text);
    // A proxy that asks for a password, and is not there.
    for variable in ["HTTPS_PROXY", "ALL_PROXY"] {
        for command in COMMANDS {
            let mut command = stage.scene.command(&[command, "-f", "policy.yaml"]);
            command
                .env("RUST_LOG", "trace")
                .env("DOCKER_CONFIG", ".")
                .env(variable, format!("http://me:{PROXY}@127.0.0.1:1"));
            let ran = ran(command.output().unwrap());
            assert_ne!(ran.code, 0, "no proxy was asked");
            stage.canaries.are_not_in("a proxy", &format!("{}{}", ran.out, ran.err));
        }
    }
}

#[test]
fn what_cannot_be_read_shows_no_secret() {
    let stage = Stage::new(false);
    let url = stage.scene.repository.url.clone();
    let with_user = |user: &str| url.replace("http://", &format!("http://{user}@"));
    let host = stage.scene.front.host().to_owned();
    let image = format!("{host}/{IMAGE}");
    for (what, from, to) in [
        ("a user in Git's URL", url.clone(), with_user(&format!("bot:{IN_URL}"))),
        ("a token in Git's URL", url.clone(), with_user(IN_URL)),
        ("a token in Git's query", url.clone(), format!("{url}?access_token={IN_URL}")),
        ("a token in Git's fragment", url.clone(), format!("{url}#{IN_URL}")),
        ("an odd password in Git's URL", url.clone(), with_user(&format!("bot:a/{IN_URL}"))),
        ("a user in a URL of ssh", url.clone(), format!("ssh://bot:{IN_URL}@host/o/n")),
        ("a user in a URL that is none", url.clone(), format!("https://bot:{IN_URL}@[::x/o/n")),
        ("a user in something like a URL", url.clone(), format!("bot:{IN_URL}@host/o/n")),
        ("a user in the image", image.clone(), format!("bot:{IN_URL}@{image}")),
        ("a user in the image's URL", image.clone(), format!("https://bot:{IN_URL}@{image}")),
        ("a password that is a number", format!("'{PASSWORD}'"), "[c4naryInABrokenFile]".into()),
        ("a Secret that is no YAML", format!("'{PASSWORD}'"), format!("\"{BROKEN}: {{")),
        (
            "a Secret with a tab",
            "stringData: {username".into(),
            format!("stringData:\n\ttoken: {BROKEN}\nx: {{username"),
        ),
        (
            "a Secret that is not base64",
            "stringData: {username: bot, password".into(),
            "data: {password".into(),
        ),
        ("a Secret with other keys", "{username: bot, password".into(), "{geheim".into()),
        ("a Secret with a key twice", format!("'{PASSWORD}'"), format!("{BROKEN}, password: {BROKEN}")),
        ("a token in the spec", "branch: main".into(), format!("token: {BROKEN}, branch: main")),
        (
            "a Secret's name that is a token's object",
            "secretRef: {name: write}".into(),
            format!("secretRef: {{token: {BROKEN}}}"),
        ),
    ] {
        stage.policy(|text| {
            assert!(text.contains(&from), "{what}: {from} is not in:\n{text}");
            text.replace(&from, &to)
        });
        let said = stage.run_all(what);
        assert!(!said.contains("exit 0"), "{what} was taken:\n{said}");
    }
    stage.policy(|text| text);
    for (what, config) in [
        ("not JSON", format!("{{\"auths\": {{\"{host}\": {{\"auth\": \"{BROKEN}")),
        ("not base64", docker_config(&host, "auth", &format!("{BROKEN}!"))),
        ("without a colon", docker_config(&host, "auth", &base64(BROKEN))),
        ("a user alone", docker_config(&host, "username", BROKEN)),
        ("a line break in a token", docker_config(&host, "registrytoken", &format!("{BROKEN}\\n{BROKEN}"))),
        ("a wrong token", docker_config(&host, "registrytoken", BROKEN)),
        ("a wrong refresh token", docker_config(&host, "identitytoken", BROKEN)),
        ("a wrong password", docker_config(&host, "auth", &base64(&format!("bot:{BROKEN}")))),
        ("a user in a host", format!("{{\"auths\": {{\"https://bot:{IN_URL}@{host}\": {{\"auth\": 1}}}}}}")),
    ] {
        stage.scene.write("config.json", &config);
        stage.run_all(&format!("docker's config: {what}"));
    }
    // A file in Git with a credential in it is the user's own; an image with one is not repeated.
    let odd = stage.scene.application(OLD).replace(&image, &format!("bot:{IN_URL}@{image}"));
    stage
        .scene
        .write("config.json", &docker_config(&host, "auth", &base64(&format!("bot:{}", Front::TOKEN))));
    stage.scene.commit(FILE, &odd, "An odd image");
    stage.run_all("an image with a user in the file");
}
