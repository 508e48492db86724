//! Inputs that are made to be expensive, each `times` its least size.

use gix::{
    hash::{Kind, hasher},
    zlib::{Compression, stream::deflate},
};
use std::io::Write as _;

/// A target, what its input is, and how that is made.
type Input = (&'static str, &'static str, fn(usize) -> Vec<u8>);

pub(super) const INPUTS: &[Input] = &[
    ("tags", "20,000 timestamps", |n| {
        lines(20_000 * n, |i| format!("main-abc{:04x}-{}", i % 65536, 1_600_000_000 + i))
    }),
    ("tags", "5,000 numbers of 128 digits", |n| lines(5_000 * n, |i| format!("{i:0128}"))),
    ("tags", "20,000 versions", |n| lines(20_000 * n, |i| format!("v{}.{}.{}-rc.{i}", i % 7, i % 11, i))),
    ("pattern", "a pattern of many turns, 2,000 tags", |n| {
        [b"^(a|a?)+(?P<ts>.*)*$\n$ts\n".to_vec(), lines(2_000 * n, |i| format!("{}{i}", "a".repeat(100)))]
            .concat()
    }),
    ("pattern", "a pattern of 400 groups, 200 tags", |n| {
        [
            format!("{}\n$1\n", "(a)?".repeat(400)).into_bytes(),
            lines(200 * n, |i| format!("{}{i}", "a".repeat(100))),
        ]
        .concat()
    }),
    ("range", "10,000 comparators", |n| ">=1.2.3 ".repeat(10_000 * n).into_bytes()),
    ("reference", "100 kB of slashes", |n| "a/".repeat(50_000 * n).into_bytes()),
    ("field-path", "20,000 hops", |n| format!("properties{}", ".a[0]".repeat(20_000 * n)).into_bytes()),
    ("yaml", "2,000 documents", |n| application().repeat(2_000 * n).into_bytes()),
    ("yaml", "10,000 components", |n| {
        let components: String = (0..10_000 * n).map(|i| component(&format!("c{i}"))).collect();
        format!("{}{components}", application()).into_bytes()
    }),
    ("yaml", "10,000 brackets", |n| "[".repeat(10_000 * n).into_bytes()),
    ("yaml", "10,000 anchors and aliases", |n| {
        let lines: String = (0..10_000 * n).map(|i| format!("k{i}: &a{i} v\nl{i}: *a{i}\n")).collect();
        format!("{lines}---\n{}", application()).into_bytes()
    }),
    ("yaml", "10,000 markers", |n| {
        "image: ghcr.io/o/n:v1 # {\"$imagepolicy\": \"a:b\"}\n---\n".repeat(10_000 * n).into_bytes()
    }),
    ("yaml", "one line of 500 kB", |n| format!("k: \"{}\"\n", "a, ".repeat(166_666 * n)).into_bytes()),
    ("webhook-distribution", "2,000 events", |n| {
        let event = r#"{"action":"push","target":{"repository":"o/n","tag":"v1","mediaType":"application/vnd.oci.image.manifest.v1+json"},"request":{"host":"r.io"}}"#;
        let events: Vec<String> =
            (0..2_000 * n).map(|i| event.replace("\"v1\"", &format!("\"v{i}\""))).collect();
        format!(r#"{{"events":[{}]}}"#, events.join(",")).into_bytes()
    }),
    ("webhook-ghcr", "100 kB of brackets", |n| "[".repeat(100_000 * n).into_bytes()),
    ("step", "100 kB of a field", |n| format!(r#"{{"run":"{}"}}"#, "a".repeat(100_000 * n)).into_bytes()),
    ("resource", "100 resources", |n| {
        "apiVersion: image-gitops.dev/v1alpha1\nkind: ImageGitOps\nmetadata: {name: a}\nspec: {image: ghcr.io/o/n, git: {url: 'https://github.com/o/n', path: a.yaml}}\n---\n"
            .repeat(100 * n)
            .into_bytes()
    }),
    ("docker-config", "5,000 logins", |n| {
        let auths: Vec<String> =
            (0..5_000 * n).map(|i| format!(r#""r{i}.io/a/b":{{"auth":"dTpw"}}"#)).collect();
        format!(r#"{{"auths":{{{}}}}}"#, auths.join(",")).into_bytes()
    }),
    ("commit-message", "100,000 trailers of others", |n| {
        format!(
            "subject\n\n{}",
            "Image-GitOps: other/one ghcr.io/o/n:v1 kubevela/a.yaml\n".repeat(100_000 * n)
        )
        .into_bytes()
    }),
    ("link", "20,000 links", |n| {
        "<https://ghcr.io/v2/a/tags/list?last=a>; rel=\"prev\", ".repeat(20_000 * n).into_bytes()
    }),
    ("link", "100,000 semicolons", |n| format!("<a>{}", ";a".repeat(100_000 * n)).into_bytes()),
    ("www-authenticate", "20,000 challenges", |n| "Basic realm=\"a\", ".repeat(20_000 * n).into_bytes()),
    ("www-authenticate", "100 kB of quotes", |n| "\"\\".repeat(50_000 * n).into_bytes()),
    ("retry-after", "100 kB of hours", |n| "1h".repeat(50_000 * n).into_bytes()),
    ("retry-after-body", "1 MB of almost nothing", |n| "retry-afte ".repeat(100_000 * n).into_bytes()),
    ("tags-page", "100,000 tags", |n| {
        let tags: Vec<String> = (0..100_000 * n).map(|i| format!("\"v{i}\"")).collect();
        format!(r#"{{"name":"o/n","tags":[{}]}}"#, tags.join(",")).into_bytes()
    }),
    ("words-of-registry", "10,000 errors", |n| {
        let errors =
            vec![r#"{"code":"DENIED","message":"requested access is denied"}"#; 10_000 * n].join(",");
        format!(r#"{{"errors":[{errors}]}}"#).into_bytes()
    }),
    ("words-of-git", "1 MB of progress", |n| "remote: 1%\r".repeat(100_000 * n).into_bytes()),
    ("advertisement", "20,000 references", |n| references(20_000 * n, "\0report-status agent=git/2")),
    ("ls-refs", "20,000 references", |n| references(20_000 * n, "")),
    ("pkt-line", "100,000 empty lines in bands", |n| {
        [b"0005\x01".repeat(100_000 * n), b"0000".to_vec()].concat()
    }),
    ("report-status", "20,000 references", |n| {
        packets((0..20_000 * n).map(|i| format!("ok refs/heads/b{i}\n")))
    }),
    ("fetch-v2", "20,000 shallow lines", |n| packets((0..20_000 * n).map(|i| format!("shallow {i:040x}\n")))),
    ("tree", "10,000 entries", |n| {
        (0..10_000 * n)
            .flat_map(|i| [format!("100644 file{i:08}\0").into_bytes(), vec![7; 20]].concat())
            .collect()
    }),
    ("commit", "10,000 parents", |n| {
        let parents: String = (0..10_000 * n).map(|i| format!("parent {i:040x}\n")).collect();
        let who = "a <a@b> 1700000000 +0000";
        format!("tree {:040x}\n{parents}author {who}\ncommitter {who}\n\nmessage\n", 1).into_bytes()
    }),
    ("pack-unsigned", "2,000 blobs", |n| {
        pack((0..2_000 * n).map(|i| entry(3, &[], format!("blob{i:08}").as_bytes())))
    }),
    ("pack-unsigned", "a chain of 2,000 deltas, each on the next", |n| chain(2_000 * n)),
];

fn lines(count: usize, line: impl Fn(usize) -> String) -> Vec<u8> {
    (0..count).map(|i| line(i) + "\n").collect::<String>().into_bytes()
}

fn application() -> String {
    format!(
        "---\napiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: backoffice-dev}}\nspec:\n  components:\n{}",
        component("back")
    )
}

fn component(name: &str) -> String {
    format!("    - name: {name}\n      type: webservice\n      properties: {{image: ghcr.io/o/n:v1}}\n")
}

fn packets(lines: impl Iterator<Item = String>) -> Vec<u8> {
    let all: String = lines.map(|line| format!("{:04x}{line}", line.len() + 4)).collect();
    (all + "0000").into_bytes()
}

fn references(count: usize, after: &str) -> Vec<u8> {
    packets((0..count).map(|i| format!("{i:040x} refs/heads/b{i}{after}\n")))
}

/// A pack without the hash at its end.
fn pack(entries: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
    let count = u32::try_from(entries.len()).unwrap_or(u32::MAX).to_be_bytes();
    let head = [b"PACK\0\0\0\x02", &count[..]].concat();
    entries.fold(head, |pack, entry| [pack, entry].concat())
}

/// An entry of fewer than 16 bytes.
fn entry(kind: u8, head: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut zlib = deflate::Write::new(Vec::new(), Compression::DEFAULT);
    let _ = zlib.write_all(bytes).and_then(|()| zlib.flush());
    let length = u8::try_from(bytes.len()).unwrap_or_default() & 15;
    [&[kind << 4 | length][..], head, &zlib.into_inner()].concat()
}

/// Deltas that stand on one another, the last one first, and their base at the end: what a malicious server would send.
fn chain(count: usize) -> Vec<u8> {
    // Each delta appends nothing and changes eight digits: "blob00000001" from "blob00000000".
    let text = |i: usize| format!("b{i:08}");
    let id = |i: usize| {
        let mut hash = hasher(Kind::Sha1);
        hash.update(format!("blob 9\0{}", text(i)).as_bytes());
        hash.try_finalize().map(|id| id.as_slice().to_vec()).unwrap_or_default()
    };
    let delta = |i: usize| [&[9, 9, 9][..], text(i).as_bytes()].concat();
    let deltas = (1..=count).rev().map(|i| entry(7, &id(i - 1), &delta(i)));
    let all: Vec<Vec<u8>> = deltas.chain([entry(3, &[], text(0).as_bytes())]).collect();
    pack(all.into_iter())
}
