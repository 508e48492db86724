//! The endpoint under fire: who sends slowly, too much, or too often. (Who forges and replays: `step` and `webhook`.)

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use image_gitops_core::signature::Key;
use serde_json::json;

use crate::scene::{Cluster, Service};

fn serve() -> (Cluster, Service) {
    let cluster = Cluster::new();
    let service = cluster.serve(&["--lease", ""]);
    (cluster, service)
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// What comes until the other side closes, and how long that takes.
fn rest(mut stream: TcpStream) -> (String, Duration) {
    let (started, mut text) = (Instant::now(), String::new());
    let _ = stream.read_to_string(&mut text);
    (text, started.elapsed())
}

#[test]
fn who_sends_slowly_or_nothing_is_let_go() {
    let (_cluster, service) = serve();
    for to in [service.public, service.admin] {
        // Nothing, half a line, and a head that never ends, a little at a time.
        let silent = connect(to);
        let mut half = connect(to);
        half.write_all(b"POST /v1/st").unwrap();
        let mut drip = connect(to);
        drip.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").unwrap();
        let mut dripping = drip.try_clone().unwrap();
        std::thread::spawn(move || {
            while dripping.write_all(b"a: b\r\n").is_ok() {
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        for stream in [silent, half, drip] {
            let (_, took) = rest(stream);
            assert!(took < Duration::from_secs(15), "held for {took:?}");
        }
    }
    // A body that does not come: the answer says to try again.
    let mut stream = connect(service.public);
    stream.write_all(b"POST /v1/step HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").unwrap();
    let (text, took) = rest(stream);
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
    assert!(took < Duration::from_secs(15), "held for {took:?}");
    assert_eq!(service.probe("/healthz").0, 200);
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    let (_cluster, service) = serve();
    let large = "x".repeat(2 << 20);
    for path in ["/v1/step", "/v1/webhooks/ghcr"] {
        // Whoever sends it: nothing is verified of what is too large.
        assert_ne!(service.post(path, &[("x-image-gitops-signature", "sha256=00")], "{}").0, 413);
        let (status, answer) = service.post(path, &[], &large);
        assert_eq!(status, 413, "{answer}");
    }
    let mut stream = connect(service.public);
    let head = format!("POST /v1/step HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(64 << 10));
    let _ = stream.write_all(head.as_bytes());
    let (text, _) = rest(stream);
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 431"), "{text}");
    // What is not HTTP, or not one request: none of it is answered as one.
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/step HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"POST /v1/step HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    ] {
        let mut stream = connect(service.public);
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let (text, _) = rest(stream);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400"), "{bytes:?}: {text}");
    }
    assert_eq!(service.probe("/healthz").0, 200);
}

#[test]
fn a_flood_is_cut_and_what_else_it_does_goes_on() {
    let (cluster, service) = serve();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 10s\n");
    // Connections that nobody uses.
    let _idle: Vec<TcpStream> = (0..200).map(|_| connect(service.public)).collect();
    let statuses = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..150 {
                    let (status, _) =
                        service.post("/v1/step", &[("x-image-gitops-signature", "sha256=0")], "{}");
                    statuses.lock().unwrap().push(status);
                }
            });
        }
    });
    let statuses = statuses.into_inner().unwrap();
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(count(401) + count(429), 1200, "{statuses:?}");
    assert!(count(429) > 0, "nothing was cut");
    // Probes, figures and updates are not part of it.
    assert_eq!(service.probe("/readyz").0, 200);
    cluster.scene.tag(crate::scene::NEW);
    cluster.until_image(crate::scene::NEW);
}

#[test]
fn an_old_request_is_good_for_nothing_but_another_look() {
    let (cluster, service) = serve();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 1h\n");
    cluster.until_reason("UpToDate");
    let secret = format!("/api/v1/namespaces/{}/secrets/image-gitops-client", cluster.namespace);
    let token = cluster.plane.get(&secret).unwrap()["data"]["token"].as_str().unwrap().to_owned();
    let token = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, token).unwrap();
    let key = Key::new(&String::from_utf8(token).unwrap().into()).unwrap();
    // A request of a run that nobody knows any more: kept for years, it is as good as one of a run that never was.
    let body =
        json!({ "run": "0ld0ld0ld0", "namespace": cluster.namespace, "app": "backoffice-dev" }).to_string();
    let signature = key.sign(body.as_bytes());
    cluster.scene.server.take_requests();
    for _ in 0..3 {
        let (status, answer) = service.post("/v1/step", &[("x-image-gitops-signature", &signature)], &body);
        assert_eq!(status, 202, "{answer}");
        assert!(answer["image"].is_null(), "{answer}");
    }
    assert!(cluster.scene.server.requests().is_empty(), "it was obeyed");
}

#[test]
fn who_may_only_read_starts_nothing() {
    let (cluster, service) = serve();
    cluster.apply_application("");
    cluster.apply_resource("  interval: 1h\n");
    cluster.until_reason("UpToDate");
    cluster.scene.server.take_requests();
    cluster.scene.front.forget_requests();
    cluster.scene.tag(crate::scene::NEW);
    let send = |to: SocketAddr, method: &str, path: &str| {
        let mut stream = connect(to);
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        rest(stream).0
    };
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "POST"] {
        for path in [
            "/v1/step",
            "/v1/webhooks/ghcr",
            "/v1/webhooks/registry",
            "/v1/webhooks/generic",
            "/v1/../v1/step",
            "/",
        ] {
            let answer = send(service.public, method, path);
            assert!(answer.starts_with("HTTP/1.1 4"), "{method} {path}: {answer}");
        }
        for path in ["/metrics", "/readyz", "/v1/step", "/debug/pprof"] {
            let answer = send(service.admin, method, path);
            // What may be read names no resource, image or repository.
            for word in ["backoffice", crate::scene::IMAGE, &cluster.namespace] {
                assert!(!answer.contains(word), "{method} {path} tells {word}");
            }
        }
    }
    assert!(cluster.scene.server.requests().is_empty() && cluster.scene.front.requests().is_empty());
    assert_eq!(cluster.image(), cluster.scene.image(crate::scene::OLD));
}
