//! Whether a run of a workflow step is alive in the status of who runs it: a request for another one is a replay.

use serde_json::Value;

/// Who runs a workflow's steps, and says so in its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// An Application, of its own workflow.
    Application,
    /// A WorkflowRun, which belongs to no Application.
    WorkflowRun,
}

/// What a status says of a run of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// A step with this id is being run.
    Alive,
    /// The status does not name this id: KubeVela writes it after the first try, or nobody runs it.
    NotYet,
    /// The step with this id has ended.
    Over,
}

/// Reads what the `status` of an Application, or of a WorkflowRun, says of the run `id` (KubeVela's `context.stepSessionID`).
pub fn run_state(object: &Value, id: &str) -> RunState {
    let status = object.get("status");
    // An Application keeps its workflow's status below `workflow`; a WorkflowRun's is its own.
    let workflow = status.and_then(|status| status.get("workflow").or(Some(status)));
    let Some(workflow) = workflow else { return RunState::NotYet };
    let is = |key: &str| workflow.get(key).and_then(Value::as_bool) == Some(true);
    let ended = is("finished") || is("terminated");
    let list =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut steps = list(workflow, "steps");
    let nested: Vec<Value> = steps.iter().flat_map(|step| list(step, "subSteps")).collect();
    steps.extend(nested);
    let this = steps.iter().find(|step| step.get("id").and_then(Value::as_str) == Some(id));
    match this.map(|step| step.get("phase").and_then(Value::as_str).unwrap_or_default()) {
        Some("succeeded" | "skipped") => RunState::Over,
        Some(_) if ended => RunState::Over,
        Some(_) => RunState::Alive,
        // Even where the workflow has ended: that may be the one before, until the new one's status is written.
        None => RunState::NotYet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_run_is_alive_while_its_step_is() {
        let workflow = |workflow: Value| json!({ "status": { "workflow": workflow } });
        for (object, state) in [
            (json!({}), RunState::NotYet),
            (json!({ "status": {} }), RunState::NotYet),
            (workflow(json!({ "steps": [{ "id": "other", "phase": "running" }] })), RunState::NotYet),
            (workflow(json!({ "steps": [{ "id": "me", "phase": "running" }] })), RunState::Alive),
            (workflow(json!({ "steps": [{ "id": "me", "phase": "failed" }] })), RunState::Alive),
            (workflow(json!({ "steps": [{ "id": "me", "phase": "succeeded" }] })), RunState::Over),
            (
                workflow(json!({ "finished": true, "steps": [{ "id": "me", "phase": "failed" }] })),
                RunState::Over,
            ),
            (
                workflow(json!({ "terminated": true, "steps": [{ "id": "me", "phase": "running" }] })),
                RunState::Over,
            ),
            (workflow(json!({ "finished": true, "steps": [{ "id": "before" }] })), RunState::NotYet),
            (
                workflow(
                    json!({ "steps": [{ "id": "g", "subSteps": [{ "id": "me", "phase": "pending" }] }] }),
                ),
                RunState::Alive,
            ),
            (json!({ "status": { "steps": [{ "id": "me", "phase": "running" }] } }), RunState::Alive),
            (json!({ "status": { "finished": true, "steps": [{ "id": "me" }] } }), RunState::Over),
        ] {
            assert_eq!(run_state(&object, "me"), state, "{object}");
        }
    }
}
