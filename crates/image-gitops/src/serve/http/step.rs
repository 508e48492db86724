//! The workflow step: "bring this component up to date now, then go on".
//!
//! KubeVela sends the same request again and again while it is told to wait, and again after a crash on either side. So an
//! answer depends on what Git and the cluster say, never on how often it was asked: the run's ticket only makes sure that
//! somebody looked after the run began.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, StatusCode};
use image_gitops_core::{
    image::ImageRef,
    reason::{Reason, Retry},
    resource::ResourceId,
    step::{StepAnswer, StepRequest, StepState},
};
use image_gitops_kube::{Followed, RunState, Runner, Stored};
use serde_json::Value;
use tokio::time::timeout;

use super::{Answer, Endpoint, text};
use crate::serve::{
    branches::{self, By},
    deploy,
    store::Outcome,
};

/// The largest body that is read. A request has some 200 bytes.
pub(super) const MOST_BYTES: usize = 16 << 10;
/// How long a request is held, so that a quick pass is answered at once. KubeVela's worker waits as long.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long a run's ticket is kept. KubeVela asks at least once a minute.
const KEPT: Duration = Duration::from_secs(15 * 60);
/// How often a run that failed by something that may heal has it looked at again.
const AGAIN: Duration = Duration::from_secs(5);

const RUNNING: &str = "image-gitops reads the registry and Git";
const ROLLOUT: &str = "the new image is in Git; waiting for it in the Application";

/// The runs that asked, each with when its tickets were drawn.
#[derive(Default)]
pub(super) struct Runs(Mutex<HashMap<(String, ResourceId), Ticket>>);

#[derive(Clone, Copy)]
struct Ticket {
    number: u64,
    drawn: Instant,
    asked: Instant,
}

/// Answers one request of a step.
pub(super) async fn answer(endpoint: &Endpoint, headers: &HeaderMap, body: &[u8]) -> Answer {
    let Some(key) = &endpoint.keys.step else {
        return Answer::failed(
            StatusCode::NOT_FOUND,
            "this instance serves no steps (--client-secret is empty)",
        );
    };
    if !text(headers, "x-image-gitops-signature").is_some_and(|header| key.verify(header, body)) {
        let message = "the signature is missing or wrong: the step signs with the token of the Secret image-gitops-client";
        return Answer::failed(StatusCode::UNAUTHORIZED, message);
    }
    let request = match StepRequest::parse(body) {
        Ok(request) => request,
        Err(error) => {
            return Answer::failed(StatusCode::BAD_REQUEST, format!("{error} ({})", error.hint()));
        }
    };
    let service = &endpoint.service;
    if !service.store.is_complete() {
        return Answer::later(StatusCode::SERVICE_UNAVAILABLE, "image-gitops is starting");
    }
    let owner = request.owner.as_ref().unwrap_or(&request.app);
    let runs_in = ResourceId { namespace: request.namespace.clone(), name: owner.clone() };
    let runner = match service.applications.run_state(&runs_in, &request.run).await {
        Ok(Some((runner, RunState::Alive))) => runner,
        // Nothing is done for a run that nobody vouches for; the next request comes within a second or two.
        Ok(Some((_, RunState::NotYet))) => return wait(StepState::Running, RUNNING),
        Ok(Some((_, RunState::Over))) => {
            return Answer::failed(
                StatusCode::CONFLICT,
                format!("the run {} of {runs_in} is over", request.run),
            );
        }
        Ok(None) => {
            return Answer::failed(
                StatusCode::NOT_FOUND,
                format!("the cluster has no Application and no WorkflowRun {runs_in}"),
            );
        }
        Err(error) => return Answer::later(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    };
    let resources =
        service.store.of_component(&request.namespace, &request.app, request.component.as_deref());
    if resources.is_empty() {
        return without_resource(endpoint, &request, runner).await;
    }
    let looked = async {
        for stored in &resources {
            endpoint.looked(&request.run, stored).await;
        }
    };
    let _ = timeout(PATIENCE, looked).await;
    // The step's own Application, as it is after the pass. A WorkflowRun may have the name of one.
    let own = match runner == Runner::Application && owner == &request.app {
        true => match service.applications.get(&runs_in).await {
            Ok(application) => application,
            Err(error) => return Answer::later(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        },
        false => None,
    };
    let answers = resources.iter().map(|stored| (stored, endpoint.outcome(&request.run, stored)));
    let answers = answers.map(|(stored, outcome)| match outcome {
        Some(outcome) => {
            let rolled_out = own.as_ref().is_none_or(|own| endpoint.has_rolled_out(own, stored, &outcome));
            of_outcome(stored, &outcome, rolled_out)
        }
        None => wait(StepState::Running, RUNNING),
    });
    // Of several components the one that is furthest from done speaks for all.
    let rank = |answer: &Answer| match answer.status.as_u16() {
        400..=499 => 0,
        500.. => 1,
        202 => 2,
        _ => 3,
    };
    answers.min_by_key(rank).unwrap_or_else(|| wait(StepState::Running, RUNNING))
}

/// What a step is told where no resource is known: before the first rollout, which makes the trait's resource and which
/// the step may stand before, there is nothing to bring up to date.
async fn without_resource(endpoint: &Endpoint, request: &StepRequest, runner: Runner) -> Answer {
    let applications = &endpoint.service.applications;
    let id = ResourceId { namespace: request.namespace.clone(), name: request.app.clone() };
    let application = match applications.get(&id).await {
        Ok(Some(application)) => application,
        Ok(None) if runner == Runner::WorkflowRun => {
            let message = format!(
                "the cluster has no Application {id}: a WorkflowRun names the Application whose image it brings up to date, as the \
                 step's property app"
            );
            return Answer::failed(StatusCode::NOT_FOUND, message);
        }
        Ok(None) => Value::Null,
        Err(error) => return Answer::later(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    };
    let Some((component, image)) = with_trait(&application, request.component.as_deref()) else {
        let part = request.component.as_ref().map(|name| format!(" component {name} of")).unwrap_or_default();
        let message = format!(
            "no ImageGitOps keeps{part} the Application {id} up to date: give it the trait image-gitops"
        );
        return Answer::failed(StatusCode::NOT_FOUND, message);
    };
    let made =
        ResourceId { namespace: request.namespace.clone(), name: format!("{}-{component}", request.app) };
    match applications.has_resource(&made).await {
        Ok(false) => {
            let message = "nothing to bring up to date before the first rollout";
            tracing::info!(application = %id, component, "a step asked: {message}");
            let mut answer = StepAnswer::new(Some(StepState::Current), message);
            answer.tag =
                image.as_deref().and_then(|image| Some(ImageRef::parse(image).ok()?.tag?.to_string()));
            answer.image = image;
            Answer::new(StatusCode::OK, &answer)
        }
        // The watch will tell in a moment; or it never will, as another instance serves it.
        Ok(true) => wait(
            StepState::Running,
            "waiting until image-gitops sees the ImageGitOps; does it serve this namespace?",
        ),
        Err(error) => Answer::later(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// The first component of an Application that carries the trait, and its image.
fn with_trait(application: &Value, component: Option<&str>) -> Option<(String, Option<String>)> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    application.pointer("/spec/components")?.as_array()?.iter().find_map(|candidate| {
        let name = text(candidate, "name").filter(|name| component.is_none_or(|wanted| wanted == name))?;
        let mut traits = candidate.get("traits")?.as_array()?.iter();
        traits.find(|a_trait| text(a_trait, "type").as_deref() == Some("image-gitops"))?;
        Some((name, candidate.get("properties").and_then(|properties| text(properties, "image"))))
    })
}

impl Endpoint {
    /// Waits until somebody looked after this run began.
    async fn looked(&self, run: &str, stored: &Stored) {
        let now = Instant::now();
        let key = (run.to_owned(), stored.id.clone());
        let drawn = {
            let mut runs = self.runs.0.lock().unwrap_or_else(PoisonError::into_inner);
            runs.retain(|_, ticket| now.duration_since(ticket.asked) < KEPT);
            runs.get_mut(&key).map(|ticket| {
                ticket.asked = now;
                *ticket
            })
        };
        let heals = |outcome: &Outcome| outcome.reason.retry() == Retry::Soon;
        let again = |ticket: Ticket| {
            let outcome = self.service.store.outcome(&stored.id).filter(|o| o.ticket >= ticket.number);
            outcome.is_some_and(|outcome| heals(&outcome)) && now.duration_since(ticket.drawn) > AGAIN
        };
        let number = drawn.filter(|ticket| !again(*ticket)).map(|ticket| ticket.number);
        let Some((handle, new)) = (match number {
            Some(number) => branches::handle(&self.service, stored).map(|handle| (handle, number)),
            None => branches::ask(&self.service, stored, By::Request),
        }) else {
            return;
        };
        if number.is_none() {
            let ticket = Ticket { number: new, drawn: now, asked: now };
            self.runs.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, ticket);
        }
        handle.answered(new).await;
    }

    /// Whether the step's own Application holds what Git says, and did so when the workflow that asks began.
    fn has_rolled_out(&self, own: &Value, stored: &Stored, outcome: &Outcome) -> bool {
        if matches!(outcome.followed, Some(Followed::Patched { .. })) {
            return false;
        }
        let (Ok(resource), Some(says)) = (&stored.resource, &outcome.says) else { return true };
        let wanted = deploy::want(resource, says, outcome.commit.as_deref());
        wanted.is_none_or(|want| self.service.applications.holds(own, &want))
    }

    /// What the pass after this run's beginning came to, if it has ended.
    fn outcome(&self, run: &str, stored: &Stored) -> Option<Outcome> {
        let key = (run.to_owned(), stored.id.clone());
        let ticket = self.runs.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()?;
        self.service.store.outcome(&stored.id).filter(|outcome| outcome.ticket >= ticket.number)
    }
}

fn wait(state: StepState, message: &str) -> Answer {
    Answer::new(StatusCode::ACCEPTED, &StepAnswer::new(Some(state), message))
}

/// What an outcome means to a step. `rolled_out`: whether the step's own Application holds what Git says, where it is the
/// one that was brought up to date.
fn of_outcome(stored: &Arc<Stored>, outcome: &Outcome, rolled_out: bool) -> Answer {
    let state = match outcome.reason {
        Reason::Updated => StepState::Updated,
        Reason::UpToDate => StepState::Current,
        Reason::Held | Reason::Waiting | Reason::Suspended => StepState::Held,
        reason if reason.retry() == Retry::Soon => {
            // The reason alone, so that the sentence is the same while the state is: KubeVela then waits longer and longer.
            let message = format!("image-gitops tries again: {reason} ({})", stored.id);
            return Answer::later(StatusCode::SERVICE_UNAVAILABLE, &message);
        }
        _ => return Answer::failed(StatusCode::UNPROCESSABLE_ENTITY, &outcome.message),
    };
    // Its workflow starts anew with the changed spec: to go on now would deploy the old image first.
    if outcome.reason != Reason::Suspended && !rolled_out {
        return wait(StepState::WaitingRollout, ROLLOUT);
    }
    let mut answer = StepAnswer::new(Some(state), &outcome.message);
    if let Some((image, tag)) = outcome.says.as_ref().and_then(|says| says.image.clone()) {
        answer.image = Some(image);
        answer.tag = Some(tag);
    }
    answer.digest = outcome.digest.clone().or_else(|| stored.status.digest.clone());
    answer.commit = outcome.commit.clone();
    Answer::new(StatusCode::OK, &answer)
}
