//! `check`: tries each access that a pass needs, writes nothing, and says what to mend.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use futures_util::future::join_all;
use image_gitops_core::{
    decide::{self, Outcome},
    image, wait,
};
use image_gitops_git::Want;
use image_gitops_registry::TagList;
use jiff::Timestamp;
use serde::Serialize;

use super::CommandError;
use crate::{
    cli::Output,
    job::{Group, Job},
    pipeline::{
        self,
        place::{Files, Place},
    },
    report::{Failure, chain, json, progress, text},
};

const GREEN: Style = AnsiColor::Green.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Check {
    resource: String,
    /// What was tried, in words.
    name: String,
    ok: bool,
    /// What was found, or why it failed.
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Check {
    fn new(resource: &str, name: &str, result: Result<String, Failure>) -> Self {
        let (resource, name) = (resource.to_owned(), name.to_owned());
        match result {
            Ok(message) => Self { resource, name, ok: true, message, causes: Vec::new(), hint: None },
            Err(failure) => Self {
                resource,
                name,
                ok: false,
                message: failure.to_string(),
                causes: chain(&failure),
                hint: failure.hint(),
            },
        }
    }
}

/// Tries everything for every resource; fails if anything did.
pub(super) async fn run(groups: Vec<Group>, output: Output) -> Result<u8, CommandError> {
    let work = join_all(groups.into_iter().map(async |group| check(&group).await));
    let checks = progress::while_waiting("trying registries and branches", work).await;
    let checks: Vec<Check> = checks.into_iter().flatten().collect();
    super::ended(print(&checks, output), u8::from(checks.iter().any(|check| !check.ok)))
}

fn print(checks: &[Check], output: Output) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    if output == Output::Json {
        return json::pretty(&mut out, &serde_json::json!({ "checks": checks }));
    }
    for check in checks {
        if check.ok {
            writeln!(out, "{GREEN}ok{GREEN:#}   {} {}: {}", check.resource, check.name, check.message)?;
        } else {
            writeln!(out, "{RED}FAIL{RED:#} {} {}", check.resource, check.name)?;
            out.flush()?;
            let mut err = anstream::stderr().lock();
            text::error(&mut err, &check.message, &check.causes, check.hint.as_deref())?;
        }
    }
    Ok(())
}

async fn check(group: &Group) -> Vec<Check> {
    let _turn = pipeline::turn(group).await;
    let push = group.remote.check_push(&group.branch).await;
    let mut checks = Vec::new();
    for job in &group.jobs {
        let resource = job.resource.id.to_string();
        let (tags, places) = tokio::join!(tags(job), places(group, job));
        checks.push(Check::new(
            &resource,
            "registry",
            tags.as_ref().map(|list| listed(job, list)).map_err(Clone::clone),
        ));
        checks.push(Check::new(
            &resource,
            "file",
            places.as_ref().map(|places| shown(places)).map_err(Clone::clone),
        ));
        if let (Ok(list), Ok(places)) = (tags, places) {
            checks.push(Check::new(&resource, "policy", decided(job, &list, places)));
        }
    }
    let resources: Vec<String> = group.jobs.iter().map(|job| job.resource.id.to_string()).collect();
    let push = push.map_err(Failure::from).map(|()| {
        format!(
            "the server would take a push to {} of {}, with {}",
            group.branch, group.url, group.git_source
        )
    });
    checks.push(Check::new(&resources.join(", "), "push", push));
    checks
}

async fn tags(job: &Job) -> Result<TagList, Failure> {
    Ok(job.registry.tags(&job.resource.image).await?)
}

async fn places(group: &Group, job: &Job) -> Result<Vec<Place>, Failure> {
    let snapshot = group.remote.snapshot(&group.branch, &[Want::Either(job.path.clone())]).await?;
    Files::new(&snapshot).places(job)
}

fn listed(job: &Job, list: &TagList) -> String {
    format!("{} lists {} tags; read with {}", job.resource.image, list.tags.len(), job.registry_source)
}

fn shown(places: &[Place]) -> String {
    let values: Vec<String> = places
        .iter()
        .map(|place| format!("{}:{} {}", place.path, place.site.line, image::without_user(&place.site.value)))
        .collect();
    values.join(", ")
}

/// What a pass would decide, but for what people did before: that takes the branch's history.
fn decided(job: &Job, list: &TagList, places: Vec<Place>) -> Result<String, Failure> {
    let sites: Vec<_> = places.into_iter().map(|place| place.site).collect();
    let mut decision = decide::decide(&job.resource, &list.tags, &sites, None)?;
    wait::for_window(&job.resource.updates, &mut decision, Timestamp::now());
    let (matched, policy) = (decision.matched, &job.resource.rules.policy);
    Ok(match decision.outcome {
        Outcome::UpToDate => format!("{matched} tags allowed ({policy}), none newer than the file's"),
        Outcome::Update(tag) => format!("{matched} tags allowed ({policy}), the newest {tag}"),
        // Only what a cluster knows leads to that.
        Outcome::Revert(revert) => format!("{matched} tags allowed ({policy}); back to {}", revert.to),
        Outcome::Hold(hold) => hold.to_string(),
        Outcome::Wait(wait) => format!("{matched} tags allowed ({policy}); {wait}"),
    })
}
