//! As much of a client of the API as tests need: requests by path, and the server-side apply of YAML.

use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::blocking::wait_for;

/// The API of a control plane, as one account sees it.
#[derive(Clone, Debug)]
pub struct Api {
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// The certificate of the authority that signed the server's, as PEM.
    pub ca_pem: String,
    /// The bearer token of the account.
    pub token: String,
    /// As whom that account acts; absent: as itself.
    pub user: Option<String>,
}

/// What the API said when it did not do what was asked.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// In the API's own words.
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl std::error::Error for Refused {}

const JSON: &str = "application/json";
const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
/// How long an object, or the kind of one, may take to appear.
const PATIENCE: Duration = Duration::from_secs(60);

impl Api {
    /// A kubeconfig of this account, as JSON, which is YAML too.
    pub fn kubeconfig_text(&self) -> String {
        let ca = STANDARD.encode(&self.ca_pem);
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {"server": self.url, "certificate-authority-data": ca}}],
            "users": [{"name": "account", "user": {"token": self.token, "as": self.user}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "account"}}],
        });
        kubeconfig.to_string()
    }

    /// The same API as a service account sees it, with the rights that its roles give. This account may ask for its
    /// token.
    ///
    /// # Errors
    /// What the API said: there is no such service account.
    pub fn as_service_account(&self, namespace: &str, name: &str) -> Result<Self, Refused> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let answer = self.request("POST", &path, Some(&request))?;
        Ok(Self { token: text(&answer, "/status/token").to_owned(), ..self.clone() })
    }

    /// The same API as a user sees it whom this account may impersonate, with the rights that its roles give.
    pub fn as_user(&self, name: &str) -> Self {
        Self { user: Some(name.to_owned()), ..self.clone() }
    }

    /// Makes a namespace that nobody else uses and returns its name.
    ///
    /// # Panics
    /// When the account may not.
    pub fn namespace(&self) -> String {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}});
        let made = self.request("POST", "/api/v1/namespaces", Some(&namespace)).expect("a namespace");
        text(&made, "/metadata/name").to_owned()
    }

    /// Reads what lies at a path of the API: `/apis/apps/v1/namespaces/default/deployments/a`.
    ///
    /// # Errors
    /// What the API said.
    pub fn get(&self, path: &str) -> Result<Value, Refused> {
        self.send("GET", path, JSON, None)
    }

    /// Sends a request with a JSON body. What a `PATCH` gives is merged.
    ///
    /// # Errors
    /// What the API said.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        self.send(method, path, if method == "PATCH" { MERGE } else { JSON }, body)
    }

    /// Applies the objects of a YAML file one by one, as `kubectl apply --server-side --force-conflicts` does, and
    /// returns them as the API then holds them. Those that name no namespace go to `default`. A CRD is served when this
    /// returns.
    ///
    /// # Errors
    /// What the API said of the first object that it refused; those before it are applied.
    ///
    /// # Panics
    /// When the YAML is none, or an object is of a kind that the API does not come to serve within a minute.
    pub fn apply(&self, yaml: &str) -> Result<Vec<Value>, Refused> {
        let documents = yaml_serde::Deserializer::from_str(yaml);
        let applied: Vec<Value> = documents
            .map(|document| Value::deserialize(document).expect("YAML"))
            .filter(|object| !object.is_null())
            .map(|object| {
                let path = format!("{}?fieldManager=tests&force=true", self.path_of(&object));
                self.send("PATCH", &path, APPLY, Some(&object))
            })
            .collect::<Result<_, _>>()?;
        for crd in applied.iter().filter(|object| text(object, "/kind") == "CustomResourceDefinition") {
            self.wait_until(&self.path_of(crd), |crd| has_condition(crd, "Established"));
        }
        Ok(applied)
    }

    /// Sends a request for each of `paths` with its body, many at a time: as thousands of `kubectl create` would, in the
    /// time of a few hundred.
    ///
    /// # Panics
    /// With what the API said of the first that it refused.
    pub fn send_many(&self, method: &str, requests: Vec<(String, Value)>) {
        const AT_A_TIME: usize = 32;
        let method: reqwest::Method = method.parse().expect("a method of HTTP");
        let api = self.clone();
        wait_for(async move {
            let http = api.client().expect("a client");
            let sent = requests.into_iter().map(|(path, body)| {
                let request =
                    http.request(method.clone(), format!("{}{path}", api.url)).bearer_auth(&api.token);
                let kind = if method == reqwest::Method::PATCH { MERGE } else { JSON };
                request.header(reqwest::header::CONTENT_TYPE, kind).body(body.to_string()).send()
            });
            let mut answers = futures_util::stream::iter(sent).buffer_unordered(AT_A_TIME);
            while let Some(answer) = answers.next().await {
                let answer = answer.expect("the API answers");
                let status = answer.status();
                assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap_or_default());
            }
        });
    }

    fn client(&self) -> reqwest::Result<reqwest::Client> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = reqwest::Certificate::from_pem(self.ca_pem.as_bytes())?;
        // By HTTP/1.1: of many requests on one connection of HTTP/2 the server says that they are too many.
        reqwest::Client::builder().no_proxy().http1_only().tls_certs_only([ca]).timeout(PATIENCE).build()
    }

    /// Reads what lies at a path of the API until it is there and as it should be, and returns it.
    ///
    /// # Panics
    /// With what was read last when a minute has passed.
    pub fn wait_until(&self, path: &str, is_as_it_should_be: impl Fn(&Value) -> bool) -> Value {
        self.wait_longer_until(PATIENCE, path, is_as_it_should_be)
    }

    /// As [`Self::wait_until`], for something that takes many turns of KubeVela's controller: on a machine with much else to
    /// do, a minute may be too short for it.
    ///
    /// # Panics
    /// With what was read last when `patience` has passed.
    pub fn wait_longer_until(
        &self,
        patience: Duration,
        path: &str,
        is_as_it_should_be: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = None;
        let ready = || {
            let read = self.get(path);
            let ready = read.as_ref().ok().filter(|it| is_as_it_should_be(it)).cloned();
            last = Some(read);
            ready
        };
        patiently(patience, ready).unwrap_or_else(|| match last {
            Some(Ok(value)) => panic!("{path} does not become what it should be:\n{value:#}"),
            Some(Err(refused)) => panic!("{path} is not there: {refused}"),
            None => panic!("{path} was never read"),
        })
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &'static str,
        body: Option<&Value>,
    ) -> Result<Value, Refused> {
        let api = self.clone();
        let method = method.parse().expect("a method of HTTP");
        let (path, body) = (path.to_owned(), body.map(Value::to_string));
        wait_for(async move {
            api.send_now(method, &path, content_type, body).await.unwrap_or_else(|error| {
                let message = format!("{path}: {error:?}");
                Err(Refused { status: 0, message })
            })
        })
    }

    async fn send_now(
        &self,
        method: reqwest::Method,
        path: &str,
        content_type: &'static str,
        body: Option<String>,
    ) -> reqwest::Result<Result<Value, Refused>> {
        let mut request =
            self.client()?.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(user) = &self.user {
            request = request.header("impersonate-user", user);
        }
        if let Some(body) = body {
            request = request.header(reqwest::header::CONTENT_TYPE, content_type).body(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if status.is_success() {
            return Ok(Ok(value));
        }
        let message = value.get("message").unwrap_or(&value);
        let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        Ok(Err(Refused { status: status.as_u16(), message }))
    }

    /// Where an object lies, by what the API says of its kinds.
    pub(super) fn path_of(&self, object: &Value) -> String {
        let (version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
        let group =
            if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let is_it =
            |resource: &&Value| text(resource, "/kind") == kind && !text(resource, "/name").contains('/');
        let find = || self.get(&group).ok()?.get("resources")?.as_array()?.iter().find(is_it).cloned();
        let resource =
            patiently(PATIENCE, find).unwrap_or_else(|| panic!("the API serves no {kind} of {version}"));
        let namespace = match (text(object, "/metadata/namespace"), resource.get("namespaced")) {
            (_, Some(Value::Bool(false))) => String::new(),
            ("", _) => "/namespaces/default".to_owned(),
            (namespace, _) => format!("/namespaces/{namespace}"),
        };
        format!("{group}{namespace}/{}/{}", text(&resource, "/name"), text(object, "/metadata/name"))
    }
}

/// Whether the object's status says so.
fn has_condition(object: &Value, kind: &str) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .is_some_and(|all| all.iter().any(|it| text(it, "/type") == kind && text(it, "/status") == "True"))
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Asks until there is an answer, or too long.
fn patiently<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() > deadline {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
