//! What a workflow step of KubeVela sends, and what it gets: `POST /v1/step`.

use serde::{Deserialize, Serialize};

use crate::{
    body::{self, BodyError},
    resource::is_name,
};

/// A step that asks for the newest image of an Application.
///
/// It is sent again and again while the step waits: the same run means the same wish.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct StepRequest {
    /// One execution of the step: KubeVela's `context.stepSessionID`.
    pub run: String,
    /// The Application's namespace.
    pub namespace: String,
    /// The Application.
    pub app: String,
    /// The component; absent: every one that has an image to keep up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The Application, or WorkflowRun, that the run belongs to; absent: `app` itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A request that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the step's request: {0}")]
pub struct StepError(#[from] pub BodyError);

impl StepError {
    /// What the sender can do.
    pub fn hint(&self) -> &'static str {
        "send {\"run\": …, \"namespace\": …, \"app\": …, \"component\": …}; the step's definition and this service are \
         installed in one version"
    }
}

impl StepRequest {
    const FIELDS: [&str; 5] = ["run", "namespace", "app", "component", "owner"];

    /// Reads the body of a request.
    ///
    /// Other fields are refused: an unknown one may be a misspelt `component`, without which more would be updated than
    /// was meant.
    pub fn parse(bytes: &[u8]) -> Result<Self, StepError> {
        let body = body::object(bytes)?;
        let mut names = body.as_object().into_iter().flat_map(|fields| fields.keys());
        if let Some(unknown) = names.find(|name| !Self::FIELDS.contains(&name.as_str())) {
            return Err(BodyError::unknown(unknown).into());
        }
        let optional = |field: &'static str| {
            let text = body::find(&body, field)?.filter(|name| !name.is_empty());
            text.map(|text| name(field, text)).transpose()
        };
        Ok(Self {
            run: run(body::text(&body, "run")?)?,
            namespace: name("namespace", body::text(&body, "namespace")?)?,
            app: name("app", body::text(&body, "app")?)?,
            component: optional("component")?,
            owner: optional("owner")?,
        })
    }
}

/// KubeVela gives ten lower-case letters and digits.
fn run(text: &str) -> Result<String, BodyError> {
    if text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Ok(text.to_owned());
    }
    Err(BodyError::unusable("run", text, "a run is 1 to 64 letters, digits and dashes"))
}

fn name(field: &'static str, text: &str) -> Result<String, BodyError> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    let reason = "a name is lower-case letters, digits, '-' and '.', at most 253, starting and ending with a letter \
                  or digit";
    Err(BodyError::unusable(field, text, reason))
}

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// A newer image was written to Git, and it is deployed: the step goes on.
    Updated,
    /// Git holds the newest image already: the step goes on.
    Current,
    /// A person holds another image: the step goes on with that.
    Held,
    /// The registry is read, or Git written: the step waits.
    Running,
    /// Git is written, and the cluster follows: the step waits.
    WaitingRollout,
    /// It cannot be done: the step fails.
    Failed,
}

/// What a step gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAnswer {
    /// How far it came; absent where nothing is known yet, as when the service is busy: the step waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StepState>,
    /// The image that Git holds, with its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The commit that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// For people. While the step waits it stays the same: KubeVela writes its status whenever it changes.
    pub message: String,
}

impl StepAnswer {
    /// An answer without an image.
    pub fn new(state: impl Into<Option<StepState>>, message: impl Into<String>) -> Self {
        Self {
            state: state.into(),
            image: None,
            tag: None,
            digest: None,
            commit: None,
            message: message.into(),
        }
    }
}
