//! How long one image change takes, from bytes to proven bytes: parse, locate, edit.
//!
//! `cargo run --release -p image-gitops-core --example edit_speed`. Each line is the best of some runs, in milliseconds:
//! a file as people have it; 5 MB of Applications; the same with an escape in each document, and with one that could
//! spell what is looked for, so that each is parsed; 5 MB in one single document; and the same with an anchor before its
//! list, so that the whole is parsed twice.
#![allow(clippy::print_stdout, reason = "this program's output is its purpose")]

use std::{
    error::Error,
    time::{Duration, Instant},
};

use image_gitops_core::yaml::{Change, FieldPath, Locator, Manifest};

const MEGABYTES: usize = 5;

fn application(name: &str, components: usize, note: &str) -> String {
    let mut text = format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: default\n\
         spec:\n  components:\n"
    );
    for component in 0..components {
        text.push_str(&format!(
            "    - name: component-{component} # the {component}th\n      type: webservice\n      properties:\n        \
             image: ghcr.io/acme/component-{component}:main-abc1234-1627123456\n        port: 8080\n        env:\n          \
             - name: GREETING\n            value: \"hello {note}\"\n          - name: MODE\n            value: 'it''s'\n      \
             traits:\n        - type: scaler\n          properties: {{replicas: 2}}\n"
        ));
    }
    text
}

fn many(note: &str) -> String {
    let mut text = String::new();
    let mut count = 0;
    while text.len() < MEGABYTES << 20 {
        text.push_str(&application(&format!("app-{count}-x"), 1, note));
        text.push_str("---\n");
        count += 1;
    }
    text.push_str(&application("shop", 3, note));
    text
}

fn edit(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let manifest = Manifest::parse("app.yaml", text.as_bytes())?;
    let target = Locator::Field {
        application: "shop".into(),
        namespace: None,
        component: "component-1".into(),
        path: FieldPath::new("properties.image")?,
    };
    let site = manifest.locate(&target)?.pop().ok_or("no site")?;
    let value = "ghcr.io/acme/component-1:main-def5678-1627999999".to_owned();
    Ok(manifest.edit(&[Change { site, value }])?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let component = application("shop", 2, "").len() - application("shop", 1, "").len();
    let one = application("shop", (MEGABYTES << 20) / component, "");
    let anchor = one.replacen("components:", "components: &all", 1);
    for (name, text, runs) in [
        ("small_file", application("shop", 3, ""), 1000),
        ("many_documents", many(""), 20),
        ("many_documents_with_escapes", many("\\u0041"), 20),
        ("many_documents_with_hidden_words", many("\\u0041pp\\u0073hop"), 5),
        ("one_document", one, 20),
        ("one_document_with_anchor", anchor, 5),
    ] {
        let mut best = Duration::MAX;
        for _ in 0..runs {
            let start = Instant::now();
            let edited = edit(&text)?;
            best = best.min(start.elapsed());
            assert_ne!(edited, text.as_bytes(), "nothing was changed");
        }
        println!("{name}\tbytes={}\tms={:.3}", text.len(), best.as_secs_f64() * 1000.0);
    }
    Ok(())
}
