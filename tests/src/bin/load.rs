//! `make load`: ten thousand resources, and a thousand requests a second at the endpoint of steps.
//!
//! The control plane, the registry and the Git server are real and on this machine. Figures depend on the machine; the
//! limits that are printed beside them do not.
#![allow(clippy::print_stdout, reason = "a program that prints figures")]
#![allow(clippy::disallowed_types, reason = "runs the program that it measures")]
#![allow(clippy::expect_used, reason = "a measurement that fails says where and ends")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use image_gitops_tests::{
    fleet::{Fleet, Shape},
    measured::{Measured, free_port},
};
use serde_json::{Value, json};
use sha2::Sha256;

/// Applications whose steps ask, each for its own component.
const ASKING: usize = 200;
/// Requests a second.
const RATE: u64 = 1000;
/// For so long.
const SECONDS: u64 = 10;
/// How long KubeVela waits for an answer, in milliseconds.
const KUBEVELA: u128 = 10_000;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let program =
        arguments.next().map(PathBuf::from).expect("usage: load PROGRAM [RESOURCES] [REPOSITORIES]");
    let resources = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(10_000);
    let program = program.canonicalize().expect("the program exists: run make load");
    let repositories =
        arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or((resources / 100).max(1));
    let shape = Shape { resources, images: repositories, tags: 10, repositories, interval: "1h" };
    println!("\n== {resources} resources of {repositories} images in {repositories} repositories");
    let crd = Command::new(&program).arg("crd").output().expect("the program starts").stdout;
    let fleet = Fleet::new(shape, &String::from_utf8_lossy(&crd));
    fleet
        .plane
        .apply("{apiVersion: v1, kind: Namespace, metadata: {name: vela-system}}")
        .expect("a namespace");
    let started = Instant::now();
    fleet.create();
    println!("made in {:.0} s", started.elapsed().as_secs_f64());
    let asking = fleet_asks(&fleet);

    let (service, endpoint) = serve(&program, &fleet);
    let started = Instant::now();
    let ready = || metric(&service.1, "image_gitops_resources_ready");
    while (ready() as usize) < resources {
        assert!(started.elapsed() < Duration::from_secs(600), "{} are ready", ready());
        std::thread::sleep(Duration::from_millis(200));
    }
    let service = service.0;
    println!(
        "all looked at after {:.0} s: {:.0} MB at most, {:.1} s of processor time",
        started.elapsed().as_secs_f64(),
        megabytes(service.peak()),
        service.processor()
    );
    let (before, asked) = (service.processor(), Instant::now());
    std::thread::sleep(Duration::from_secs(30));
    println!(
        "at rest for 30 s: {:.0} MB (limit 100 MB), {:.2} % of one core (limit 2 %)",
        megabytes(service.memory()),
        100.0 * (service.processor() - before) / asked.elapsed().as_secs_f64()
    );

    let token =
        fleet.plane.get("/api/v1/namespaces/vela-system/secrets/image-gitops-client").expect("the Secret");
    let token = token.pointer("/data/token").and_then(Value::as_str).expect("a token");
    let key: Arc<[u8]> = STANDARD.decode(token).expect("base64").into();
    for (what, key) in [("signed", key), ("not signed rightly", Arc::from(&b"guessed"[..]))] {
        println!("\n== {RATE} requests a second for {SECONDS} s, {what}");
        service.forget_peak();
        let before = service.processor();
        let answers = flood(endpoint, &asking, &key);
        report(&answers);
        println!(
            "{:.0} MB at most, {:.1} s of processor time",
            megabytes(service.peak()),
            service.processor() - before
        );
    }
}

/// A run of a step that is alive, as the body of its request.
type Run = String;

/// Makes Applications whose workflow is at our step.
fn fleet_asks(fleet: &Fleet) -> Vec<Run> {
    let path = format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications", fleet.namespace);
    let asking = ASKING.min(fleet.shape.resources);
    let named = |number: usize| format!("app-{number:05}");
    let made = (0..asking).map(|number| {
        let component = json!({"name": "web", "type": "webservice", "properties": {"image": "acme/app"}});
        let object = json!({
            "apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
            "metadata": {"name": named(number), "namespace": fleet.namespace}, "spec": {"components": [component]},
        });
        (path.clone(), object)
    });
    fleet.plane.send_many("POST", made.collect());
    let running = (0..asking).map(|number| {
        let step = json!({"id": named(number), "name": "image", "type": "image-gitops", "phase": "running"});
        let workflow = json!({
            "appRevision": "v1", "mode": "StepByStep", "finished": false, "terminated": false, "suspend": false,
            "steps": [step],
        });
        (format!("{path}/{}/status", named(number)), json!({"status": {"workflow": workflow}}))
    });
    fleet.plane.send_many("PATCH", running.collect());
    let body = |number: usize| {
        json!({
            "run": named(number), "namespace": fleet.namespace, "app": named(number), "component": "web",
        })
        .to_string()
    };
    (0..asking).map(body).collect()
}

/// Starts the service; with the address of its figures, and of its endpoint.
fn serve(program: &Path, fleet: &Fleet) -> ((Measured, SocketAddr), SocketAddr) {
    let (public, admin) = (free_port(), free_port());
    let listen = [format!("--listen={public}"), format!("--admin-listen={admin}"), "--lease=".to_owned()];
    // Where the registry and the Git server are; no cluster has them there.
    let reach = "--allow-addresses=127.0.0.0/8".into();
    let arguments: Vec<_> = ["serve".into(), reach].into_iter().chain(listen.map(Into::into)).collect();
    let environment =
        [("KUBECONFIG", fleet.plane.kubeconfig.clone().into()), ("POD_NAMESPACE", "vela-system".into())];
    let service = Measured::start(program, &arguments, &environment, (admin, "/readyz"));
    println!("ready after {:.0} ms", service.started_in.as_secs_f64() * 1000.0);
    ((service, admin), public)
}

fn metric(from: &SocketAddr, name: &str) -> f64 {
    let (_, text) = image_gitops_tests::measured::get(*from, "/metrics").expect("the figures");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}

/// A status, whether it says when to come again, and how long it took.
type Answer = (u16, bool, Duration);

/// Sends requests at a steady rate, whether they are answered or not.
fn flood(endpoint: SocketAddr, runs: &[Run], key: &[u8]) -> Vec<Answer> {
    let signed: Vec<(String, String)> = runs.iter().map(|run| (sign(key, run), run.clone())).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
        let mut sent = tokio::task::JoinSet::new();
        for number in 0..RATE * SECONDS {
            ticks.tick().await;
            let (signature, body) = signed[number as usize % signed.len()].clone();
            let request = http.post(format!("http://{endpoint}/v1/step"));
            let request = request.header("x-image-gitops-signature", signature).body(body);
            sent.spawn(async move {
                let started = Instant::now();
                match request.send().await {
                    Ok(answer) => {
                        let again = answer.headers().contains_key("retry-after");
                        let status = answer.status().as_u16();
                        let _ = answer.bytes().await;
                        (status, again, started.elapsed())
                    }
                    Err(_) => (0, false, started.elapsed()),
                }
            });
        }
        sent.join_all().await
    })
}

fn sign(key: &[u8], body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

fn report(answers: &[Answer]) {
    let mut kinds: BTreeMap<(u16, bool), Vec<u128>> = BTreeMap::new();
    for (status, again, time) in answers {
        kinds.entry((*status, *again)).or_default().push(time.as_millis());
    }
    for ((status, again), mut times) in kinds {
        times.sort_unstable();
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
        println!(
            "{:>12}{}: {:5}, p50 {} ms, p99 {} ms, slowest {} ms",
            if status == 0 { "no answer".to_owned() } else { status.to_string() },
            if again { " with Retry-After" } else { "" },
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
    let late = answers.iter().filter(|(_, _, time)| time.as_millis() >= KUBEVELA).count();
    println!("{late} answers later than KubeVela waits ({} s)", KUBEVELA / 1000);
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
